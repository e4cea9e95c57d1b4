#include "net/writer.h"

#include <stdlib.h>

struct writer_crowd {
    struct segment queue[WRITER_SEGMENTS - 1];
    uv_write_t write;
};

void writer_init(struct writer *w, struct loop *loop, void (*changed)(void *owner), void *owner)
{
    *w = (struct writer){.loop = loop, .fd = -1, .changed = changed, .owner = owner};
}

void writer_to_stream(struct writer *w, uv_stream_t *stream)
{
    w->stream = stream;
}

void writer_to_file(struct writer *w, int fd, uv_fs_t *fs)
{
    w->fd = fd;
    w->fs = fs;
}

static struct segment *segment(struct writer *w, unsigned i)
{
    return i == 0 ? &w->first : &w->crowd->queue[i - 1];
}

/* Makes room for a crowd; false when out of memory. */
static bool have_crowd(struct writer *w)
{
    if (w->crowd == NULL)
        w->crowd = malloc(sizeof *w->crowd);
    return w->crowd != NULL;
}

bool writer_busy(const struct writer *w)
{
    return w->count > 0;
}

bool writer_full(const struct writer *w)
{
    return w->fd >= 0 ? w->count > w->flying : w->count > 0;
}

uint64_t writer_moved(const struct writer *w)
{
    uint64_t flying = w->first.size;

    if (w->stream == NULL || w->flying == 0)
        return w->written;
    for (unsigned i = 1; i < w->flying; i++)
        flying += w->crowd->queue[i - 1].size;
    return w->written + flying - uv_stream_get_write_queue_size(w->stream);
}

int writer_put(struct writer *w, struct block *block, const uint8_t *at, size_t size)
{
    if (w->error != 0)
        return w->error;
    if (size == 0)
        return 0;
    if (w->count == WRITER_SEGMENTS)
        return UV_ENOBUFS;
    if (w->count > 0 && !have_crowd(w)) {
        w->error = UV_ENOMEM; /* what follows would leave a gap */
        return w->error;
    }
    block_hold(block);
    *segment(w, w->count++) = (struct segment){block, at, size};
    return 0;
}

/* `size` octets from the front are written. */
static void advance(struct writer *w, size_t size)
{
    unsigned gone = 0;

    w->written += size;
    while (gone < w->count && size >= segment(w, gone)->size) {
        size -= segment(w, gone)->size;
        block_release(w->loop, segment(w, gone)->block);
        gone++;
    }
    w->count -= gone;
    for (unsigned i = 0; gone > 0 && i < w->count; i++)
        *segment(w, i) = *segment(w, i + gone);
    if (size > 0) {
        w->first.at += size;
        w->first.size -= size;
    }
}

void writer_drop(struct writer *w)
{
    unsigned kept = w->fd >= 0 ? w->flying : 0;

    for (unsigned i = kept; i < w->count; i++)
        block_release(w->loop, segment(w, i)->block);
    w->count = kept;
    if (w->flying == 0) {
        free(w->crowd);
        w->crowd = NULL;
    }
}

static int fail(struct writer *w, int error)
{
    w->flying = 0;
    if (w->error == 0)
        w->error = error;
    writer_drop(w);
    return w->error;
}

static unsigned gather(struct writer *w, uv_buf_t bufs[WRITER_SEGMENTS])
{
    for (unsigned i = 0; i < w->count; i++) {
        const struct segment *s = segment(w, i);
        bufs[i] = uv_buf_init((char *)(uintptr_t)s->at, (unsigned)s->size);
    }
    return w->count;
}

/* The request in flight has come back: `size` octets were written, or an error. */
static void land(struct writer *w, ssize_t size)
{
    w->flying = 0;
    if (size > 0) {
        advance(w, (size_t)size);
        (void)writer_flush(w);
    } else {
        (void)fail(w, size < 0 ? (int)size : UV_EIO);
    }
    if (w->error != 0 || !writer_full(w))
        w->changed(w->owner);
}

static void on_stream_written(uv_write_t *request, int status)
{
    struct writer *w = request->data;
    ssize_t size = 0;

    if (status == UV_ECANCELED) {
        w->flying = 0; /* the handle is closing; its owner drops the rest */
        return;
    }
    for (unsigned i = 0; i < w->flying; i++)
        size += (ssize_t)segment(w, i)->size;
    land(w, status < 0 ? status : size);
}

static void on_file_written(uv_fs_t *request)
{
    struct writer *w = request->data;
    ssize_t size = request->result;

    uv_fs_req_cleanup(request);
    land(w, size);
}

static int flush_file(struct writer *w)
{
    uv_buf_t bufs[WRITER_SEGMENTS];
    unsigned n = gather(w, bufs);

    w->fs->data = w;
    int result = uv_fs_write(&w->loop->uv, w->fs, w->fd, bufs, n, -1, on_file_written);
    if (result < 0)
        return fail(w, result);
    w->flying = n;
    return 0;
}

static int flush_stream(struct writer *w)
{
    uv_buf_t bufs[WRITER_SEGMENTS];
    int result = uv_try_write(w->stream, bufs, gather(w, bufs));

    if (result < 0 && result != UV_EAGAIN)
        return fail(w, result);
    if (result > 0)
        advance(w, (size_t)result);
    if (w->count == 0)
        return 0;
    unsigned n = gather(w, bufs);
    if (!have_crowd(w))
        return fail(w, UV_ENOMEM);
    w->crowd->write.data = w;
    result = uv_write(&w->crowd->write, w->stream, bufs, n, on_stream_written);
    if (result < 0)
        return fail(w, result);
    w->flying = n;
    return 0;
}

int writer_flush(struct writer *w)
{
    if (w->error != 0)
        return w->error;
    if (w->count == 0 || w->flying > 0)
        return 0;
    if (w->stream != NULL)
        return flush_stream(w);
    return w->fd >= 0 ? flush_file(w) : 0;
}
