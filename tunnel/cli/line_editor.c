#include "cli/line_editor.h"

#ifdef USI_HAVE_LIBEDIT

#include <fcntl.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { REMEMBERED = 200 };

/* libedit insists on a terminal, changes its modes, waits until its output is drained and draws
 * what it edits. It gets a pseudo-terminal of its own for the modes and /dev/null to draw on: the
 * user's terminal may be stopped, which must not stop the loop. */
struct line_editor {
    int master, slave;
    FILE *nowhere;
    EditLine *el;
    HistoryW *history;
    const char *key; /* what libedit reads now */
    size_t left;
};

/* All that libedit is given: its commands that read on by themselves are not among them. */
static const struct {
    const char *sequence;
    const wchar_t *bound; /* the sequence as el_wset wants it */
    const wchar_t *command;
} keys[] = {
    {"\001", L"^A", L"ed-move-to-beg"},
    {"\002", L"^B", L"ed-prev-char"},
    {"\004", L"^D", L"ed-delete-next-char"},
    {"\005", L"^E", L"ed-move-to-end"},
    {"\006", L"^F", L"ed-next-char"},
    {"\010", L"^H", L"em-delete-prev-char"},
    {"\013", L"^K", L"ed-kill-line"},
    {"\016", L"^N", L"ed-next-history"},
    {"\020", L"^P", L"ed-prev-history"},
    {"\024", L"^T", L"ed-transpose-chars"},
    {"\025", L"^U", L"em-kill-line"},
    {"\027", L"^W", L"ed-delete-prev-word"},
    {"\031", L"^Y", L"em-yank"},
    {"\177", L"^?", L"em-delete-prev-char"},
    {"\033b", L"\\eb", L"ed-prev-word"},
    {"\033c", L"\\ec", L"em-capitol-case"},
    {"\033d", L"\\ed", L"em-delete-next-word"},
    {"\033f", L"\\ef", L"em-next-word"},
    {"\033l", L"\\el", L"em-lower-case"},
    {"\033u", L"\\eu", L"em-upper-case"},
    {"\033\010", L"\\e^H", L"ed-delete-prev-word"},
    {"\033\177", L"\\e^?", L"ed-delete-prev-word"},
    {"\033[A", L"\\e[A", L"ed-prev-history"},
    {"\033[B", L"\\e[B", L"ed-next-history"},
    {"\033[C", L"\\e[C", L"ed-next-char"},
    {"\033[D", L"\\e[D", L"ed-prev-char"},
    {"\033[F", L"\\e[F", L"ed-move-to-end"},
    {"\033[H", L"\\e[H", L"ed-move-to-beg"},
    {"\033OA", L"\\eOA", L"ed-prev-history"},
    {"\033OB", L"\\eOB", L"ed-next-history"},
    {"\033OC", L"\\eOC", L"ed-next-char"},
    {"\033OD", L"\\eOD", L"ed-prev-char"},
    {"\033OF", L"\\eOF", L"ed-move-to-end"},
    {"\033OH", L"\\eOH", L"ed-move-to-beg"},
    {"\033[1~", L"\\e[1~", L"ed-move-to-beg"},
    {"\033[3~", L"\\e[3~", L"ed-delete-next-char"},
    {"\033[4~", L"\\e[4~", L"ed-move-to-end"},
    {"\033[7~", L"\\e[7~", L"ed-move-to-beg"},
    {"\033[8~", L"\\e[8~", L"ed-move-to-end"},
    {"\033[1;3C", L"\\e[1;3C", L"em-next-word"},
    {"\033[1;3D", L"\\e[1;3D", L"ed-prev-word"},
    {"\033[1;5C", L"\\e[1;5C", L"em-next-word"},
    {"\033[1;5D", L"\\e[1;5D", L"ed-prev-word"},
};

enum { KEYS = sizeof keys / sizeof *keys };

/* What libedit calls to read: the next octet of the key, then an error. */
static int next_octet(EditLine *el, wchar_t *octet)
{
    void *data = NULL;

    if (el_wget(el, EL_CLIENTDATA, &data) != 0 || data == NULL)
        return -1;
    struct line_editor *e = data;
    if (e->left == 0)
        return -1;
    *octet = (wchar_t)(unsigned char)*e->key++;
    e->left--;
    return 1;
}

static int open_terminal(struct line_editor *e)
{
    /* So large that the longest line fits: what does not is shifted, to no end. */
    const struct winsize size = {.ws_row = 100, .ws_col = 200};
    char name[64];

    e->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (e->master < 0 || grantpt(e->master) != 0 || unlockpt(e->master) != 0 ||
        ptsname_r(e->master, name, sizeof name) != 0)
        return -1;
    e->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    e->nowhere = fopen("/dev/null", "r+e");
    return e->slave < 0 || e->nowhere == NULL || ioctl(e->slave, TIOCSWINSZ, &size) != 0 ? -1 : 0;
}

static int set_up(struct line_editor *e)
{
    HistEventW event;

    if (el_wset(e->el, EL_CLIENTDATA, e) != 0 || el_wset(e->el, EL_EDITOR, L"emacs") != 0 ||
        el_wset(e->el, EL_SIGNAL, 0) != 0 || el_wset(e->el, EL_GETCFN, next_octet) != 0 ||
        history_w(e->history, &event, H_SETSIZE, REMEMBERED) != 0 ||
        history_w(e->history, &event, H_SETUNIQUE, 1) != 0 ||
        el_wset(e->el, EL_HIST, history_w, e->history) != 0)
        return -1;
    for (size_t i = 0; i < KEYS; i++) {
        if (el_wset(e->el, EL_BIND, keys[i].bound, keys[i].command, NULL) != 0)
            return -1;
    }
    return el_wset(e->el, EL_UNBUFFERED, 1);
}

struct line_editor *line_editor_new(void)
{
    struct line_editor *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    e->master = -1;
    e->slave = -1;
    if (open_terminal(e) == 0)
        e->history = history_winit();
    if (e->history != NULL)
        e->el = el_init_fd("usi-tunnel", e->nowhere, e->nowhere, e->nowhere, e->slave, e->slave,
                           e->slave);
    if (e->el != NULL && set_up(e) == 0)
        return e;
    line_editor_free(e);
    return NULL;
}

bool line_editor_key(struct line_editor *e, const char *key, size_t size)
{
    int count;

    for (size_t i = 0; i < KEYS; i++) {
        if (strlen(keys[i].sequence) != size || memcmp(keys[i].sequence, key, size) != 0)
            continue;
        e->key = key;
        e->left = size;
        (void)el_wgets(e->el, &count); /* what it returns, line_editor_line tells */
        e->left = 0;
        return true;
    }
    return false;
}

void line_editor_insert(struct line_editor *e, wchar_t character)
{
    const wchar_t text[] = {character, L'\0'};

    (void)el_winsertstr(e->el, text); /* no memory: the user sees that it is not there */
}

const wchar_t *line_editor_line(struct line_editor *e, size_t *size, size_t *cursor)
{
    const LineInfoW *line = el_wline(e->el);

    *size = (size_t)(line->lastchar - line->buffer);
    *cursor = (size_t)(line->cursor - line->buffer);
    return line->buffer;
}

void line_editor_next(struct line_editor *e, bool remember)
{
    size_t size, cursor;
    const wchar_t *line = line_editor_line(e, &size, &cursor);
    HistEventW event;

    if (remember && size > 0) {
        wchar_t *copy = calloc(size + 1, sizeof *copy); /* libedit's line has no end */
        if (copy != NULL) {
            wmemcpy(copy, line, size);
            (void)history_w(e->history, &event, H_ENTER, copy);
        }
        free(copy);
    }
    /* What empties the line and goes back to the newest one typed. */
    (void)el_wset(e->el, EL_UNBUFFERED, 0);
    (void)el_wset(e->el, EL_UNBUFFERED, 1);
}

void line_editor_free(struct line_editor *e)
{
    if (e == NULL)
        return;
    if (e->el != NULL)
        el_end(e->el);
    if (e->history != NULL)
        history_wend(e->history);
    if (e->nowhere != NULL)
        (void)fclose(e->nowhere);
    if (e->slave >= 0)
        (void)close(e->slave);
    if (e->master >= 0)
        (void)close(e->master);
    free(e);
}

#else

struct line_editor *line_editor_new(void)
{
    return NULL;
}

bool line_editor_key(struct line_editor *editor, const char *key, size_t size)
{
    (void)editor, (void)key, (void)size;
    return false;
}

void line_editor_insert(struct line_editor *editor, wchar_t character)
{
    (void)editor, (void)character;
}

const wchar_t *line_editor_line(struct line_editor *editor, size_t *size, size_t *cursor)
{
    (void)editor;
    *size = 0;
    *cursor = 0;
    return L"";
}

void line_editor_next(struct line_editor *editor, bool remember)
{
    (void)editor, (void)remember;
}

void line_editor_free(struct line_editor *editor)
{
    (void)editor;
}

#endif
