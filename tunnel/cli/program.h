/* What listen and connect have in common: options, libraries, keys, loop, messages, signals and the
 * way out. */
#ifndef USI_CLI_PROGRAM_H
#define USI_CLI_PROGRAM_H

#include "apps/crew.h"
#include "cli/activation.h"
#include "cli/credentials.h"
#include "cli/drop_user.h"
#include "cli/options.h"
#include "cli/say.h"
#include "cli/seeing.h"
#include "net/net.h"

#include <openssl/types.h>

struct library;
struct service;

enum { PROGRAM_SIGNALS = 3 };

struct program {
    struct options options;
    enum say_level level;
    struct service *service; /* NULL: there is no service manager */
    struct activation activation;
    struct library *library;
    struct drop_user user; /* --user */
    bool files_confined;   /* by program_confine */
    struct usi_crypto *crypto;
    struct usi_keyring *ring;
    EVP_MD *sha256; /* NULL: nobody asked for it */
    struct credentials credentials;
    struct seeing seeing;
    struct loop loop;
    struct net net;
    struct crew *crew; /* NULL: one loop */
    int ready_fd;      /* -f: where the parent waits; -1 else */

    uv_signal_t signals[PROGRAM_SIGNALS];
    int signal;   /* that ends us; 0: none */
    bool stopped; /* the first SIGTERM came */
    bool ready;
    bool has_terminal;
    bool reloads; /* SIGHUP reads the keys again, and does not end it */
    /* First SIGTERM of a program that drains; NULL: it ends at once. */
    void (*stop)(void *app);
    /* For --progress; NULL: none. */
    void (*counts)(void *app, uint64_t *sent, uint64_t *received);
    void *app;
    uv_timer_t progress;
    uint64_t progress_begun;

    bool over;
    int status;
};

/* Parses, forks for -f, loads, makes the loop, and reads or asks for keys and passwords. -1: go on;
 * else the exit status (everything was said). After -1, program_end. */
int program_begin(struct program *p, enum options_command command, int argc, char **argv);

/* Gives up what is not needed any more: root's rights for --user, and then everything outside the
 * sandbox. Once the sockets are bound, before anything else is opened or connected, and before
 * there are other threads. False: it could not be, everything was said, and the status is set. */
bool program_confine(struct program *p);

/* Everything that others may wait for is there: a service manager is told, for -f the parent may
 * go, and SIGHUP has its meaning for listeners. `streams`: the program works on sockets only, and
 * lets go of stdin and stdout. Later calls do nothing. */
void program_ready(struct program *p, bool streams);

/* A reporter's sink for all that happens: says it, and counts channels for a service manager. */
void program_report(void *program, const struct report *report);

/* SHA-256 for files, fetched once; it lives until everything that works in the thread pool is over.
 * NULL when everything was said. */
EVP_MD *program_sha256(struct program *p);

/* Runs the loop until an outcome is told or a signal ends it. */
void program_run(struct program *p);

/* The exit status for an outcome. */
int program_status(enum outcome outcome);

/* An outcome_told for apps, whose owner is the program: says what it was and stops the loop. */
void program_told(void *program, enum outcome outcome, const char *text);

/* The same for an app that a crew may share (program_crew): told once all loops are over. */
void program_app_told(void *program, enum outcome outcome, const char *text);

/* Takes app, and runs more loops beside the program's if --threads says so. Before app is freed,
 * crew_free(p->crew). 0, or -1 when everything was said. */
int program_crew(struct program *p, const struct crew_work *work, void *app);

/* Frees all. Returns the exit status, or does not return: ended by the signal that ended it. The
 * app must have been freed before. */
int program_end(struct program *p);

#endif
