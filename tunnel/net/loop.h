/* One event loop and what its connections share: the read buffer, and blocks for octets on their
 * way out. Everything here belongs to the loop's thread. */
#ifndef USI_NET_LOOP_H
#define USI_NET_LOOP_H

#include "usi/channel.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    LOOP_READ = 256 * 1024, /* most octets of one read */
    /* What one read can become: as many records sealed, or opened behind a record that is half way
       in. */
    LOOP_BLOCK = LOOP_READ + USI_RECORD_ROOM + USI_SEND_ROOM,
    /* A small block: any record opened, and what a read of the crowd becomes. */
    LOOP_BLOCK_SMALL = USI_RECORD_ROOM + USI_SEND_ROOM,
    /* A tiny block: the few octets that a connection begins with, which may wait for a target that
       is far away, with those of many others. */
    LOOP_BLOCK_TINY = 1024,
    LOOP_SPARE = 4,             /* blocks of each size kept for reuse */
    LOOP_CROWD = 16,            /* blocks on loan from which reads and blocks get smaller, */
    LOOP_READ_CROWD = 32 * 1024 /* so that many slow connections do not add up */
};

/* Octets that wait to be written. Counted references: the connection that fills a block and the
 * writers that empty it. */
struct block {
    struct block *next;
    unsigned references;
    size_t size; /* LOOP_BLOCK, LOOP_BLOCK_SMALL or LOOP_BLOCK_TINY */
    /* Aligned: the kernel copies from and to there faster. */
    alignas(64) uint8_t octets[];
};

struct spare {
    struct block *first;
    unsigned count;
};

struct loop {
    uv_loop_t uv;
    struct spare spare, spare_small, spare_tiny;
    unsigned lent;
    uint8_t *read; /* LOOP_READ octets, aligned like a block's */
};

/* 0 or a negative libuv error. */
int loop_init(struct loop *loop);

/* Runs what is closing to its end and frees everything; true then. Every handle must be closed or
 * closing. False: the thread pool still works at something that hangs (a name server, a disk): the
 * process must end by _exit, because libuv's destructor waits for the pool. */
bool loop_close(struct loop *loop);

/* How much to read at once now. */
size_t loop_read_size(const struct loop *loop);

/* A block of at least `room` octets, which is at most LOOP_BLOCK, with one reference, contents
 * undefined; NULL when out of memory. */
struct block *block_get(struct loop *loop, size_t room);
void block_hold(struct block *block);

/* Gives one reference back. NULL is fine. */
void block_release(struct loop *loop, struct block *block);

#endif
