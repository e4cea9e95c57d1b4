/* Paths from a peer: which are taken, and how they are opened below a folder without ever leaving
 * it. */
#ifndef USI_APPS_SAFE_PATH_H
#define USI_APPS_SAFE_PATH_H

#include <stddef.h>

enum {
    SAFE_PATH_MAX = 4096, /* octets of a path */
    SAFE_PATH_NAME = 255, /* octets of a component */
    SAFE_PATH_DEPTH = 64  /* components */
};

/* How the name of an unfinished file ends, which begins with a dot: such names are never sent. */
#define SAFE_PATH_PART ".usi-part"

/* NULL if path[0..size-1] may be taken; or what is wrong, as "is an absolute path". Taken are 1 to
 * SAFE_PATH_DEPTH components with one '/' between them, each of 1 to SAFE_PATH_NAME octets of valid
 * UTF-8 without control characters (C0, DEL, C1), neither "." nor ".." nor the name of a part. */
const char *safe_path_judge(const char *path, size_t size);

/* Opens the folder path[0..size-1] (judged; size 0: root itself) below the folder `root`. Every
 * component must be a folder, none a link.
 * Returns a descriptor to close, or -1 with errno (ENOTDIR: something else is in the way). */
int safe_path_open(int root, const char *path, size_t size);

/* safe_path_open of the folder that holds path, whose last component is copied to name. */
int safe_path_open_parent(int root, const char *path, size_t size, char name[SAFE_PATH_NAME + 1]);

#endif
