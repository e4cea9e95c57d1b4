/* -f: in the background, once ready. */
#ifndef USI_CLI_BACKGROUND_H
#define USI_CLI_BACKGROUND_H

/* Forks. In the child: 0, with *ready_fd for background_ready. In the parent it does not return: it
 * exits with 0 when the child is ready, or as the child did when it ends before. An exit status
 * when it cannot fork. Before any thread, loop or key. */
int background_fork(int *ready_fd);

/* Lets the parent go, and stderr too. No-op when *ready_fd is -1. */
void background_ready(int *ready_fd);

#endif
