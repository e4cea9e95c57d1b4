/* usi-tunnel: what every subcommand needs from the process, and the table of subcommands. */
#include "cli/chat.h"
#include "cli/connect.h"
#include "cli/file.h"
#include "cli/keygen.h"
#include "cli/listen.h"
#include "cli/options.h"
#include "cli/receive.h"
#include "cli/say.h"
#include "cli/send.h"
#include "cli/status.h"
#include "cli/wiped.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Takes argv from the subcommand's name on; returns the exit status. NULL: not built yet. */
struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct subcommand subcommands[] = {
    {"listen", listen_run}, {"connect", connect_run}, {"keygen", keygen_run},
    {"chat", chat_run},     {"send", send_run},       {"receive", receive_run},
    {"subscriber", NULL},   {"status", NULL},         {"reload", NULL},
};

/* Opens the standard descriptors that are closed, so that no socket or file takes their place:
 * reading then meets the end of file, and writing data fails as it does on a closed descriptor. */
static int open_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        if (errno != EBADF || open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return -1;
    }
    return 0;
}

/* Keeps keys out of core files and the sight of a debugger, and allows as many connections as
 * the hard limit does. */
static int prepare_process(void)
{
    const struct rlimit no_core = {0, 0};
    struct rlimit files;

    if (wiped_begin() != 0) {
        say_error("libcrypto was in use before the program began: is something preloaded?");
        return -1;
    }
    if (open_standard_descriptors() < 0) {
        say_error("the standard descriptors are closed and /dev/null cannot take their place: %s",
                  file_error_text(errno));
        return -1;
    }
    /* A peer that has gone and a limit on file sizes are errors of a write, not the end. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0) {
        say_error("the process cannot be protected: %s", file_error_text(errno));
        return -1;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
            say_error("warning: the limit of open files stays as it is: %s",
                      file_error_text(errno));
    }
    return 0;
}

static int refuse_word(const char *word)
{
    if (word[0] == '-')
        say_error("%.80s is not an option here: usi-tunnel SUBCOMMAND [options], and usi-tunnel "
                  "--help",
                  word);
    else
        say_error("\"%.80s\" is not a subcommand: usi-tunnel --help lists them", word);
    return STATUS_USAGE;
}

static int run(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    if (word == NULL) {
        options_print_overview(stderr);
        return STATUS_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        options_print_overview(stdout);
        return STATUS_OK;
    }
    if (strcmp(word, "--version") == 0) {
        options_print_version(stdout);
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (strcmp(word, subcommands[i].name) != 0)
            continue;
        if (subcommands[i].run != NULL)
            return subcommands[i].run(argc - 1, argv + 1);
        say_error("%s: not yet in this version; usi-tunnel --help lists what there is", word);
        return STATUS_USAGE;
    }
    return refuse_word(word);
}

int main(int argc, char **argv)
{
    int status;

    text_begin();
    if (prepare_process() < 0)
        return STATUS_INTERNAL;
    status = run(argc, argv);
    /* What --help and --version print goes through stdio. */
    if (fflush(stdout) != 0 && status == STATUS_OK) {
        say_error("standard output: %s", file_error_text(errno));
        status = STATUS_LOCAL;
    }
    return status;
}
