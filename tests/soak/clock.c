/* For LD_PRELOAD: a wall clock that is wrong by as many seconds as the file named by USI_CLOCK
 * says, which its test changes meanwhile. The other clocks are as they are. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { DIGITS = 32 };

static long long offset(void)
{
    const char *path = getenv("USI_CLOCK");
    char text[DIGITS + 1] = "";
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, DIGITS);
    (void)close(fd);
    return size > 0 ? strtoll(text, NULL, 10) : 0;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (syscall(SYS_clock_gettime, clock, now) != 0)
        return -1;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI)
        now->tv_sec += (time_t)offset();
    return 0;
}

EXPORT int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec wall;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &wall) != 0)
        return -1;
    *now = (struct timeval){.tv_sec = wall.tv_sec, .tv_usec = wall.tv_nsec / 1000};
    return 0;
}

EXPORT time_t time(time_t *now)
{
    struct timespec wall = {0};

    (void)clock_gettime(CLOCK_REALTIME, &wall);
    if (now != NULL)
        *now = wall.tv_sec;
    return wall.tv_sec;
}
