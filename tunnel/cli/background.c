#include "cli/background.h"

#include "cli/file.h"
#include "cli/say.h"
#include "cli/status.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waits for the child's word, and ends as it says. */
static _Noreturn void wait_for_child(pid_t child, int fd)
{
    char word;
    ssize_t n;
    int status = 0;

    do
        n = read(fd, &word, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        _exit(STATUS_OK);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            _exit(STATUS_INTERNAL);
    if (WIFSIGNALED(status)) {
        (void)signal(WTERMSIG(status), SIG_DFL);
        (void)raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_INTERNAL);
}

int background_fork(int *ready_fd)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0) {
        say_error("cannot go to the background: %s", file_error_text(errno));
        return STATUS_INTERNAL;
    }
    child = fork();
    if (child > 0) {
        (void)close(ends[1]);
        wait_for_child(child, ends[0]);
    }
    (void)close(ends[0]);
    if (child < 0) {
        say_error("cannot go to the background: %s", file_error_text(errno));
        (void)close(ends[1]);
        return STATUS_INTERNAL;
    }
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    *ready_fd = ends[1];
    return 0;
}

void background_ready(int *ready_fd, bool all)
{
    int null;

    if (*ready_fd < 0)
        return;
    (void)setsid(); /* fails only for a leader, which a child is not */
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = all ? STDIN_FILENO : STDERR_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        (void)dup2(null, fd);
    if (null >= 0)
        (void)close(null);
    while (write(*ready_fd, "r", 1) < 0 && errno == EINTR)
        continue; /* any other error: the parent has gone, and nobody waits */
    (void)close(*ready_fd);
    *ready_fd = -1;
}
