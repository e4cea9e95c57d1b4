#include "cli/activation.h"

#include "cli/say.h"
#include "cli/status.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST = 3, COUNT_MAX = 4096 };

/* The variable's decimal number; -1 if it is none. */
static long number_of(const char *name)
{
    const char *text = secure_getenv(name);
    long number = 0;

    if (text == NULL || *text == '\0')
        return -1;
    for (; *text >= '0' && *text <= '9' && number <= INT32_MAX / 10 - 1; text++)
        number = 10 * number + (*text - '0');
    return *text == '\0' ? number : -1;
}

static int refuse(const struct options *options)
{
    if (options->command != OPTIONS_LISTEN || options->word != OPTIONS_PIPE)
        say_error("sockets of a service manager (LISTEN_FDS) are for listen, with or without "
                  "--forward");
    else if (options->has_address)
        say_error("an address and sockets of a service manager (LISTEN_FDS) exclude each other: "
                  "leave the address out");
    else
        return 0;
    return STATUS_USAGE;
}

/* They are ours, and not for who comes after us. */
static int keep(struct activation *a)
{
    for (unsigned i = 0; i < a->count; i++) {
        if (fcntl(a->first + (int)i, F_SETFD, FD_CLOEXEC) == 0)
            continue;
        say_error("LISTEN_FDS says that there are %u sockets from descriptor %d on, and %d is "
                  "closed",
                  a->count, a->first, a->first + (int)i);
        return STATUS_USAGE;
    }
    return 0;
}

int activation_take(struct activation *a, const struct options *options)
{
    bool ours = number_of("LISTEN_PID") == (long)getpid();
    bool given = secure_getenv("LISTEN_FDS") != NULL;
    long count = number_of("LISTEN_FDS");

    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    if (!ours || !given || count == 0)
        return 0;
    if (count < 0 || count > COUNT_MAX) {
        say_error("LISTEN_FDS is not a number of sockets");
        return STATUS_USAGE;
    }
    *a = (struct activation){.first = FIRST, .count = (unsigned)count};
    int status = refuse(options);
    return status != 0 ? status : keep(a);
}

struct listener_options activation_listen(const struct activation *a, const struct options *options)
{
    return (struct listener_options){
        .family = options->family, .first = a->first, .count = a->count};
}
