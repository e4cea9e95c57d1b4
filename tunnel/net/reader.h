/* Octets from a stream or a file. A stream is read into the loop's buffer when there is something;
 * a file is read ahead by the thread pool, one block while another is used. Embedded in its owner.
 */
#ifndef USI_NET_READER_H
#define USI_NET_READER_H

#include "net/loop.h"

#include <stdbool.h>

struct reader;

struct reader_handler {
    /* How many octets may come next; 0 stops until reader_start. */
    size_t (*room)(void *owner);
    /* What came: at most room() octets, which lie there only during the call. */
    void (*data)(void *owner, const uint8_t *octets, size_t size);
    /* The end: error is 0 at the end of the input, else a negative libuv error. Once, and nothing
     * after. */
    void (*ended)(void *owner, int error);
};

struct ahead {
    struct block *block;
    size_t at, size;
};

/* What only a file's reader has. */
struct reader_file {
    int fd;
    int end;               /* 1: at its end; negative: failed; told once what is ahead is used up */
    struct ahead ahead[2]; /* ahead[0] is used first */
    bool filling;          /* ahead[1] is being filled */
    bool pumping;
    uv_fs_t fs;
};

struct reader {
    struct loop *loop;
    uv_stream_t *stream;      /* NULL: a file, or nothing yet */
    struct reader_file *file; /* NULL unless a file */
    const struct reader_handler *handler;
    void *owner;
    bool running, over;
};

void reader_init(struct reader *r, struct loop *loop, const struct reader_handler *handler,
                 void *owner);
void reader_from_stream(struct reader *r, uv_stream_t *stream);
/* file is the caller's, which need not set it, and lives as long as the reader. */
void reader_from_file(struct reader *r, int fd, struct reader_file *file);

/* Changes who is told; what was read ahead is kept for them. */
void reader_hand_over(struct reader *r, const struct reader_handler *handler, void *owner);

/* Both may be called at any time, also from the handler, and twice. No call after reader_stop. */
void reader_start(struct reader *r);
void reader_stop(struct reader *r);

/* The end has been told. */
bool reader_over(const struct reader *r);

/* Is a file's read in flight? */
bool reader_filling(const struct reader *r);

/* Stops for good and frees. False: a file's read is still in flight; `r` must live until `ended` is
 * called once more, and then be closed again. */
bool reader_close(struct reader *r);

#endif
