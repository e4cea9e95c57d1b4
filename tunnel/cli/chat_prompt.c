#include "cli/chat_prompt.h"

#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>

struct chat_prompt {
    struct chat_face *face;
    struct progress *progress;
    uv_timer_t timer; /* to look how far they are; active while something is under way */
    char name[CHAT_NAME + 1];
};

/* False: nothing is under way. */
static bool show(struct chat_prompt *p)
{
    char line[PROGRESS_TEXT], prompt[64 + sizeof p->name];
    bool moving = progress_line(p->progress, line, 0) > 0;

    (void)snprintf(prompt, sizeof prompt, "%.60s%s%s> ", moving ? line : "", moving ? "  " : "",
                   p->name);
    chat_face_prompt(p->face, prompt);
    return moving;
}

static void on_time(uv_timer_t *timer)
{
    if (!show(timer->data))
        (void)uv_timer_stop(timer);
}

struct chat_prompt *chat_prompt_new(struct loop *loop, struct chat_face *face, const char *name)
{
    struct chat_prompt *p = calloc(1, sizeof *p);
    struct progress *progress = progress_new();

    if (p == NULL || progress == NULL || uv_timer_init(&loop->uv, &p->timer) != 0) {
        progress_free(progress);
        free(p);
        return NULL;
    }
    p->face = face;
    p->progress = progress;
    p->timer.data = p;
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    (void)show(p);
    return p;
}

void chat_prompt_files(struct chat_prompt *p, const struct chat_event *event)
{
    const struct chat_files *files = event->files;

    if (files->step == CHAT_FILES_OVER) {
        progress_drop(p->progress, event->number);
    } else if (files->step == CHAT_FILES_PROGRESS) {
        progress_set(p->progress, event->number, files->done_octets, files->octets, files->moved);
        if (chat_face_is_screen(p->face) && !uv_is_active((uv_handle_t *)&p->timer))
            (void)uv_timer_start(&p->timer, on_time, PROGRESS_MS, PROGRESS_MS);
    }
}

static void closed(uv_handle_t *timer)
{
    struct chat_prompt *p = timer->data;

    progress_free(p->progress);
    free(p);
}

void chat_prompt_close(struct chat_prompt *p)
{
    if (p != NULL)
        uv_close((uv_handle_t *)&p->timer, closed);
}
