#include "apps/safe_path.h"

#include "text/text.h"
#include "text/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The size of the character at text[0..left-1], or 0: not UTF-8, or a control (C0, DEL, C1). */
static size_t sound_character(const char *text, size_t left)
{
    uint32_t point = 0;
    size_t size = utf8_decode(text, left, &point);

    return point < 0x20 || (point >= 0x7f && point < 0xa0) ? 0 : size;
}

static bool names_a_part(const char *name, size_t size)
{
    const size_t end = sizeof SAFE_PATH_PART - 1;

    return size > end && name[0] == '.' && memcmp(name + size - end, SAFE_PATH_PART, end) == 0;
}

static const char *judge_component(const char *name, size_t size)
{
    if (size == 0)
        return text("has an empty component");
    if (size > SAFE_PATH_NAME)
        return text("has a component of more than 255 octets");
    if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')))
        return text("has a component . or ..");
    if (names_a_part(name, size))
        return text("has the name of an unfinished transfer");
    for (size_t i = 0, step; i < size; i += step)
        if ((step = sound_character(name + i, size - i)) == 0)
            return text("has control characters in its name, or some that are not UTF-8");
    return NULL;
}

/* The size of the component that path[0..size-1] begins with. */
static size_t component_size(const char *path, size_t size)
{
    const char *slash = memchr(path, '/', size);

    return slash != NULL ? (size_t)(slash - path) : size;
}

const char *safe_path_judge(const char *path, size_t size)
{
    const char *wrong = NULL;

    if (size == 0)
        return text("has no name");
    if (size > SAFE_PATH_MAX)
        return text("has a path of more than 4096 octets");
    if (path[0] == '/')
        return text("is an absolute path");
    for (size_t at = 0, depth = 1; wrong == NULL; depth++) {
        size_t length = component_size(path + at, size - at);
        wrong = depth > SAFE_PATH_DEPTH ? text("lies more than 64 folders deep")
                                        : judge_component(path + at, length);
        at += length;
        if (at == size)
            break;
        at++; /* the slash; a component must follow, be it empty */
    }
    return wrong;
}

/* A descriptor of the folder `name` in `folder`, or -1 with errno. */
static int enter(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ELOOP)
        errno = ENOTDIR; /* a link: which of the two it is differs between file systems */
    return fd;
}

int safe_path_open(int root, const char *path, size_t size)
{
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (size_t at = 0; at < size && fd >= 0;) {
        char name[SAFE_PATH_NAME + 1];
        size_t length = component_size(path + at, size - at);
        if (length == 0 || length > SAFE_PATH_NAME) { /* judged, so never */
            (void)close(fd);
            errno = EINVAL;
            return -1;
        }
        memcpy(name, path + at, length);
        name[length] = '\0';
        int next = enter(fd, name);
        int error = errno;
        (void)close(fd);
        errno = error;
        fd = next;
        at += length + 1;
    }
    return fd;
}

int safe_path_open_parent(int root, const char *path, size_t size, char name[SAFE_PATH_NAME + 1])
{
    const char *slash = memrchr(path, '/', size);
    size_t parent = slash != NULL ? (size_t)(slash - path) : 0;
    size_t from = slash != NULL ? parent + 1 : 0;

    if (size - from == 0 || size - from > SAFE_PATH_NAME) { /* judged, so never */
        errno = EINVAL;
        return -1;
    }
    memcpy(name, path + from, size - from);
    name[size - from] = '\0';
    return safe_path_open(root, path, parent);
}
