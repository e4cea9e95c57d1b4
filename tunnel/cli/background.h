/* -f: in the background, once ready. */
#ifndef USI_CLI_BACKGROUND_H
#define USI_CLI_BACKGROUND_H

#include <stdbool.h>

/* Forks. In the child: 0, with *ready_fd for background_ready. In the parent it does not return: it
 * exits with 0 when the child is ready, or as the child did when it ends before. An exit status
 * when it cannot fork. Before any thread, loop or key. */
int background_fork(int *ready_fd);

/* Leaves the terminal, puts /dev/null on stderr, and with `all` on stdin and stdout too, and lets
 * the parent go. No-op when *ready_fd is -1. */
void background_ready(int *ready_fd, bool all);

#endif
