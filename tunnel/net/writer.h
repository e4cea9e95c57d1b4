/* Octets to a stream or a file, in order, from blocks and without a copy: at once if the other end
 * takes them (uv_try_write), else one request in flight with all that waits batched in it. Embedded
 * in its owner, which must live until writer_busy is false or, for a stream, its handle is closed.
 */
#ifndef USI_NET_WRITER_H
#define USI_NET_WRITER_H

#include "net/loop.h"

#include <stdbool.h>

enum { WRITER_SEGMENTS = 8 };

struct segment {
    struct block *block;
    const uint8_t *at;
    size_t size;
};

struct writer_crowd;

struct writer {
    struct loop *loop;
    uv_stream_t *stream; /* NULL: a file, or nowhere yet */
    uv_fs_t *fs;         /* a file's, which most writers are not */
    int fd;              /* -1 unless a file */
    int error;           /* the first, a negative libuv error; nothing is written after it */
    unsigned count;      /* segments that wait, the first `flying` of them in the request */
    unsigned flying;
    struct segment first;
    /* The segments behind it, and a stream's request: made when the first of them is needed, which
     * an idle connection never did. */
    struct writer_crowd *crowd;
    uint64_t written; /* octets */
    /* Called from the loop when a request has come back: with writer_full false again, or an
     * error. */
    void (*changed)(void *owner);
    void *owner;
};

/* A writer to nowhere: what is put waits until writer_to_stream or writer_to_file. */
void writer_init(struct writer *w, struct loop *loop, void (*changed)(void *owner), void *owner);
void writer_to_stream(struct writer *w, uv_stream_t *stream);
/* fs is the caller's, and lives as long as the writer. */
void writer_to_file(struct writer *w, int fd, uv_fs_t *fs);

/* Adds octets that lie in block (a reference is taken) without writing them yet. UV_ENOBUFS when
 * the queue is full, which back-pressure makes impossible; an earlier error is returned again, as
 * UV_ENOMEM will be. */
int writer_put(struct writer *w, struct block *block, const uint8_t *at, size_t size);

/* Writes what was put, as far as it goes now. 0 or the writer's error; `changed` is never called
 * from here. */
int writer_flush(struct writer *w);

/* Does anything wait? Then put no more than one batch before `changed`. */
bool writer_busy(const struct writer *w);

/* Is there so much waiting that the source should stop? A file works behind our back: one batch may
 * wait while another is written. */
bool writer_full(const struct writer *w);

/* A number that grows with every octet the other end takes, also in the middle of a request. */
uint64_t writer_moved(const struct writer *w);

/* Drops what waits, but for a file's write in flight. After the stream's handle was closed. */
void writer_drop(struct writer *w);

#endif
