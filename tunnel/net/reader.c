#include "net/reader.h"

#include "net/sock.h"

void reader_init(struct reader *r, struct loop *loop, const struct reader_handler *handler,
                 void *owner)
{
    *r = (struct reader){.loop = loop, .handler = handler, .owner = owner};
}

void reader_from_stream(struct reader *r, uv_stream_t *stream)
{
    r->stream = stream;
}

void reader_from_file(struct reader *r, int fd, struct reader_file *file)
{
    *file = (struct reader_file){.fd = fd};
    r->file = file;
}

void reader_hand_over(struct reader *r, const struct reader_handler *handler, void *owner)
{
    r->handler = handler;
    r->owner = owner;
}

bool reader_over(const struct reader *r)
{
    return r->over;
}

bool reader_filling(const struct reader *r)
{
    return r->file != NULL && r->file->filling;
}

static void tell_end(struct reader *r, int error)
{
    r->running = false;
    r->over = true;
    r->handler->ended(r->owner, error);
}

/* ---- streams ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct reader *r = handle->data;
    size_t room = r->handler->room(r->owner);
    size_t most = loop_read_size(r->loop);

    (void)suggested;
    *buf = uv_buf_init((char *)r->loop->read, (unsigned)(room < most ? room : most));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct reader *r = stream->data;

    if (size > 0) {
        r->handler->data(r->owner, (const uint8_t *)buf->base, (size_t)size);
    } else if (size == UV_ENOBUFS) {
        reader_stop(r); /* no room: the owner starts again when there is */
    } else if (size < 0) {
        (void)uv_read_stop(stream);
        tell_end(r, sock_end_error(stream, size));
    }
}

/* ---- files ---- */

static void fill(struct reader *r);

/* Hands over what is ahead, as far as there is room, and keeps one read going behind it. */
static void pump(struct reader *r)
{
    struct reader_file *f = r->file;

    if (f->pumping)
        return;
    f->pumping = true;
    while (r->running) {
        struct ahead *first = &f->ahead[0];
        if (first->size == 0) {
            if (f->filling)
                break;
            if (f->end != 0) {
                tell_end(r, f->end < 0 ? f->end : 0);
                break;
            }
            fill(r);
            continue;
        }
        if (!f->filling && f->end == 0)
            fill(r);
        size_t room = r->handler->room(r->owner);
        if (room == 0) {
            r->running = false;
            break;
        }
        size_t n = first->size < room ? first->size : room;
        const uint8_t *octets = first->block->octets + first->at;
        first->at += n;
        first->size -= n;
        r->handler->data(r->owner, octets, n);
        if (first->size == 0) {
            block_release(r->loop, first->block);
            *first = (struct ahead){0};
            if (!f->filling) {
                f->ahead[0] = f->ahead[1];
                f->ahead[1] = (struct ahead){0};
            }
        }
    }
    f->pumping = false;
}

static void on_filled(uv_fs_t *request)
{
    struct reader *r = request->data;
    struct reader_file *f = r->file;
    ssize_t size = request->result;

    uv_fs_req_cleanup(request);
    f->filling = false;
    if (r->over) { /* closed meanwhile */
        r->handler->ended(r->owner, 0);
        return;
    }
    if (size > 0) {
        f->ahead[1].size = (size_t)size;
    } else {
        block_release(r->loop, f->ahead[1].block);
        f->ahead[1] = (struct ahead){0};
        f->end = size == 0 ? 1 : (int)size;
    }
    if (f->ahead[0].size == 0) {
        f->ahead[0] = f->ahead[1];
        f->ahead[1] = (struct ahead){0};
    }
    pump(r);
}

static void fill(struct reader *r)
{
    struct reader_file *f = r->file;
    struct ahead *next = &f->ahead[1];

    if (next->block != NULL) /* read already, and waiting behind the first */
        return;
    next->block = block_get(r->loop, LOOP_READ);
    if (next->block == NULL) {
        f->end = UV_ENOMEM;
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)next->block->octets, LOOP_READ);
    f->fs.data = r;
    int result = uv_fs_read(&r->loop->uv, &f->fs, f->fd, &buf, 1, -1, on_filled);
    if (result < 0) {
        block_release(r->loop, next->block);
        *next = (struct ahead){0};
        f->end = result;
        return;
    }
    f->filling = true;
}

/* ---- both ---- */

void reader_start(struct reader *r)
{
    if (r->running || r->over)
        return;
    if (r->stream != NULL) {
        r->stream->data = r;
        r->running = true;
        int result = uv_read_start(r->stream, on_alloc, on_read);
        if (result != 0)
            tell_end(r, result);
        return;
    }
    if (r->file == NULL)
        return;
    r->running = true;
    pump(r);
}

void reader_stop(struct reader *r)
{
    if (!r->running)
        return;
    r->running = false;
    if (r->stream != NULL)
        (void)uv_read_stop(r->stream);
}

bool reader_close(struct reader *r)
{
    reader_stop(r);
    r->over = true;
    r->stream = NULL;
    if (r->file == NULL)
        return true;
    if (r->file->filling)
        return false;
    for (int i = 0; i < 2; i++) {
        block_release(r->loop, r->file->ahead[i].block);
        r->file->ahead[i] = (struct ahead){0};
    }
    return true;
}
