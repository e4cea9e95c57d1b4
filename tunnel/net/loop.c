#include "net/loop.h"

#include <stdbool.h>
#include <stdlib.h>

enum { POOL_WAIT_MS = 500 };

int loop_init(struct loop *loop)
{
    *loop = (struct loop){0};
    loop->read = aligned_alloc(alignof(struct block), LOOP_READ);
    if (loop->read == NULL)
        return UV_ENOMEM;
    int result = uv_loop_init(&loop->uv);
    if (result != 0) {
        free(loop->read);
        loop->read = NULL;
    }
    return result;
}

static void count_handle(uv_handle_t *handle, void *count)
{
    (void)handle;
    ++*(unsigned *)count;
}

static void set_over(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Waits a little for what the thread pool still does. A name server or a disk that hangs is left
 * behind. */
static void wait_for_pool(struct loop *loop)
{
    uv_timer_t limit;
    bool over = false;

    if (uv_timer_init(&loop->uv, &limit) != 0)
        return;
    limit.data = &over;
    (void)uv_timer_start(&limit, set_over, POOL_WAIT_MS, 0);
    uv_unref((uv_handle_t *)&limit);
    while (!over && uv_loop_alive(&loop->uv))
        (void)uv_run(&loop->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&limit, NULL);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
}

static void spare_free(struct spare *spare)
{
    for (struct block *b = spare->first, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
}

bool loop_close(struct loop *loop)
{
    bool waited = false;

    if (loop->read == NULL)
        return true;
    while (uv_loop_close(&loop->uv) == UV_EBUSY) {
        unsigned handles = 0;
        uv_walk(&loop->uv, count_handle, &handles);
        if (handles > 0) {
            (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
            continue;
        }
        if (waited)
            return false;
        waited = true;
        wait_for_pool(loop);
    }
    spare_free(&loop->spare);
    spare_free(&loop->spare_small);
    spare_free(&loop->spare_tiny);
    free(loop->read);
    loop->read = NULL;
    return true;
}

size_t loop_read_size(const struct loop *loop)
{
    return loop->lent < LOOP_CROWD ? LOOP_READ : LOOP_READ_CROWD;
}

static struct spare *spare_of(struct loop *loop, size_t size)
{
    return size == LOOP_BLOCK         ? &loop->spare
           : size == LOOP_BLOCK_SMALL ? &loop->spare_small
                                      : &loop->spare_tiny;
}

struct block *block_get(struct loop *loop, size_t room)
{
    size_t size = room <= LOOP_BLOCK_TINY    ? LOOP_BLOCK_TINY
                  : room <= LOOP_BLOCK_SMALL ? LOOP_BLOCK_SMALL
                                             : LOOP_BLOCK;
    struct spare *spare = spare_of(loop, size);
    struct block *b = spare->first;

    if (b != NULL) {
        spare->first = b->next;
        spare->count--;
    } else if ((b = aligned_alloc(alignof(struct block), sizeof *b + size)) == NULL) {
        return NULL;
    }
    b->next = NULL;
    b->references = 1;
    b->size = size;
    loop->lent++;
    return b;
}

void block_hold(struct block *block)
{
    block->references++;
}

void block_release(struct loop *loop, struct block *block)
{
    if (block == NULL || --block->references > 0)
        return;
    loop->lent--;
    struct spare *spare = spare_of(loop, block->size);
    if (spare->count == LOOP_SPARE) {
        free(block);
        return;
    }
    block->next = spare->first;
    spare->first = block;
    spare->count++;
}
