#include "cli/program.h"

#include "cli/background.h"
#include "cli/file.h"
#include "cli/keys.h"
#include "cli/library.h"
#include "cli/report.h"
#include "cli/service.h"
#include "cli/status.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROGRESS_MS = 1000 };

/* ---- beginning ---- */

static int load_libraries(struct program *p)
{
    const struct options *o = &p->options;
    const char *what = NULL;
    char why[1024];

    p->library = library_new(o->provider, o->provider_count, o->provider_path, why, sizeof why);
    if (p->library == NULL) {
        int status = status_refused();
        say_error("%s", why);
        return status;
    }
    if (o->propquery != NULL &&
        EVP_set_default_properties(library_context(p->library), o->propquery) != 1) {
        say_error("--propquery \"%.80s\" is not a property query of OpenSSL", o->propquery);
        return STATUS_USAGE;
    }
    errno = 0;
    int result = usi_crypto_new(&p->crypto, library_context(p->library), o->propquery, &what);
    if (result == USI_ERR_ALGORITHM && errno == ENOMEM)
        result = USI_ERR_INTERNAL;
    if (result == 0)
        p->ring = usi_keyring_new(p->crypto);
    if (result == USI_ERR_ALGORITHM) {
        say_error("%s: no loaded provider has it, or it does not take any length and give 16 "
                  "octets (A3) or 32 "
                  "(A8); see --provider and --propquery",
                  what);
        return STATUS_USAGE;
    }
    if (p->ring == NULL) {
        say_error("out of memory");
        return STATUS_INTERNAL;
    }
    return 0;
}

/* ---- signals ---- */

/* Reads again what says who gets in; what is wrong with it changes nothing. */
static void reload(struct program *p)
{
    char why[1024];

    service_reloading(p->service);
    bool done = credentials_reload(&p->credentials, why, sizeof why) == 0;
    if (done) {
        say(p->level, "keys were read again");
        service_reloaded(p->service, NULL);
    } else {
        say_error("keys were not read again, the old ones stay: %s", why);
        service_reloaded(p->service, why);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;

    if (number == SIGHUP && p->reloads) {
        reload(p);
        return;
    }
    if (!p->stopped)
        service_stopping(p->service);
    if (number == SIGTERM && p->stop != NULL && !p->stopped) {
        p->stopped = true;
        p->stop(p->app);
        return;
    }
    p->signal = number;
    uv_stop(&p->loop.uv);
}

/* nohup stays in force. SIGINT, which a shell without job control makes its background jobs ignore,
 * is taken all the same: who sends it to this process by its number means it. */
static bool ignored(int number)
{
    struct sigaction found;

    return number == SIGHUP && sigaction(number, NULL, &found) == 0 && found.sa_handler == SIG_IGN;
}

/* A hang-up can only come to who has a terminal: for others SIGHUP is a word from a user. */
static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return errno != ENXIO && errno != ENOENT;
    (void)close(fd);
    return true;
}

static int make_loop(struct program *p)
{
    static const int numbers[PROGRAM_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

    if (sandbox_prepare(&p->options) != 0)
        return STATUS_INTERNAL;
    int result = loop_init(&p->loop);
    p->has_terminal = has_terminal(); /* before a SIGHUP is caught, and the terminal gone */
    for (int i = 0; result == 0 && i < PROGRAM_SIGNALS; i++) {
        result = uv_signal_init(&p->loop.uv, &p->signals[i]);
        p->signals[i].data = p;
        if (result == 0 && !ignored(numbers[i]))
            result = uv_signal_start(&p->signals[i], on_signal, numbers[i]);
    }
    if (result == 0)
        result = uv_timer_init(&p->loop.uv, &p->progress);
    if (result != 0) {
        say_error("the event loop cannot be made: %s", text(uv_strerror(result)));
        return STATUS_INTERNAL;
    }
    p->progress.data = p;
    return 0;
}

static void set_up_net(struct program *p)
{
    const struct options *o = &p->options;

    p->net = (struct net){
        .loop = &p->loop,
        .crypto = p->crypto,
        .ring = p->ring,
        .settings = {.rekey_ms = o->rekey_ms,
                     .rekey_bytes = o->rekey_bytes,
                     .witness = seeing_witness(&p->seeing)},
        .handshake_ms = o->handshake_timeout_ms,
        .idle_ms = o->idle_timeout_ms,
        .drain_ms = o->drain_ms,
        .reporter = {.report = program_report, .sink = p},
    };
}

/* What needs the library, and then the loop. */
static int prepare(struct program *p)
{
    int status = load_libraries(p);

    if (status == 0)
        status = seeing_open(&p->seeing, &p->options, p->level, library_context(p->library));
    if (status != 0)
        return status;
    set_up_net(p);
    status = credentials_read(&p->credentials, &p->options, p->level, library_context(p->library),
                              &p->net);
    if (status == 0)
        status = make_loop(p);
    if (status == 0)
        status = credentials_make(&p->credentials);
    if (status == 0) /* one user answers for all, and one loop asks him */
        p->net.loops = p->net.judge != NULL || p->net.stretch != NULL ? 1
                       : p->options.threads > 0                       ? p->options.threads
                                                                      : crew_cores();
    return status;
}

int program_begin(struct program *p, enum options_command command, int argc, char **argv)
{
    char why[240];
    int status = 0;

    memset(p, 0, sizeof *p);
    p->ready_fd = -1;
    switch (options_parse(&p->options, command, argc, argv)) {
    case OPTIONS_OK:
        break;
    case OPTIONS_DONE:
        options_free(&p->options);
        return STATUS_OK;
    default:
        options_free(&p->options);
        return STATUS_USAGE;
    }
    if (p->options.user != NULL &&
        drop_user_find(&p->user, p->options.user, why, sizeof why) != 0) {
        say_error("--user: %s", why);
        options_free(&p->options);
        return STATUS_USAGE;
    }
    p->level = p->options.quiet ? SAY_QUIET : p->options.verbose ? SAY_VERBOSE : SAY_NORMAL;
    status = activation_take(&p->activation, &p->options);
    p->service = service_new();
    if (status == 0 && p->options.background)
        status = background_fork(&p->ready_fd);
    if (status == 0 &&
        key_heap_open() != 0) { /* behind the fork, which locked memory does not survive */
        say_error("no memory for the secure heap");
        status = STATUS_INTERNAL;
    }
    if (status == 0)
        status = prepare(p);
    if (status == 0 && p->signal == 0)
        return -1;
    p->status = status;
    return program_end(p);
}

/* ---- giving rights up ---- */

static int give_socket(const struct program *p, const struct address *address, char *why,
                       size_t size)
{
    return address->kind == ADDRESS_UNIX ? drop_user_give(&p->user, address->path, why, size) : 0;
}

/* What comes is written, and what goes is read, by the new user: better said now than file by file.
 */
static int check_files(const struct options *o)
{
    size_t count = o->word == OPTIONS_SEND ? o->file_count : 0;

    if (o->word == OPTIONS_RECEIVE && access(o->directory, W_OK | X_OK) != 0) {
        say_error("--user: %s cannot write into %s: %s", o->user, o->directory,
                  file_error_text(errno));
        return STATUS_LOCAL;
    }
    for (size_t i = 0; i < count; i++)
        if (access(o->files[i], R_OK) != 0) {
            say_error("--user: %s cannot read %s: %s", o->user, o->files[i],
                      file_error_text(errno));
            return STATUS_LOCAL;
        }
    return 0;
}

static int drop_user(const struct program *p)
{
    const struct options *o = &p->options;
    char why[400];
    int result = 0;

    if (o->command == OPTIONS_LISTEN)
        result = give_socket(p, &o->address, why, sizeof why);
    for (size_t i = 0; result == 0 && i < o->local_count; i++)
        result = give_socket(p, &o->local[i], why, sizeof why);
    if (result == 0)
        result = drop_user_now(&p->user, why, sizeof why);
    if (result == 0)
        return check_files(o);
    say_error("--user: %s", why);
    return STATUS_INTERNAL;
}

bool program_confine(struct program *p)
{
    struct sandbox_facts facts = credentials_needs(&p->credentials);

    p->status = p->options.user != NULL ? drop_user(p) : 0;
    if (p->status == 0 && sandbox_enter(&p->options, &facts, p->level, &p->files_confined) != 0)
        p->status = STATUS_INTERNAL;
    return p->status == 0;
}

/* ---- running ---- */

static void are_alive(void *program);

void program_ready(struct program *p, bool streams)
{
    const struct options *o = &p->options;

    if (p->ready)
        return;
    p->ready = true;
    service_ready(p->service, &p->loop, o->background, are_alive, p);
    if (p->ready_fd >= 0) {
        credentials_stop_asking(&p->credentials, text("in the background nobody can be asked"));
        background_ready(&p->ready_fd, streams);
    }
    p->reloads = o->command == OPTIONS_LISTEN && (o->has_forward || o->keep_open) &&
                 (o->background || !p->has_terminal);
}

void program_report(void *program, const struct report *report)
{
    struct program *p = program;

    service_count(p->service, report);
    report_say(&p->level, report);
}

static void show_progress(struct program *p, bool last)
{
    uint64_t sent = 0, received = 0;
    uint64_t ms = uv_now(&p->loop.uv) - p->progress_begun;
    double seconds = ms > 0 ? (double)ms / 1000 : 0.001;
    char facts[160], line[192];

    p->counts(p->app, &sent, &received);
    (void)snprintf(facts, sizeof facts,
                   text("sent %.1f MiB (%.1f MiB/s), received %.1f MiB (%.1f MiB/s)"),
                   (double)sent / 1048576, (double)sent / 1048576 / seconds,
                   (double)received / 1048576, (double)received / 1048576 / seconds);
    int n =
        snprintf(line, sizeof line, "%susi-tunnel: %s%s", isatty(STDERR_FILENO) ? "\r\033[K" : "",
                 facts, last || !isatty(STDERR_FILENO) ? "\n" : "");
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* a display, nothing more */
}

static void on_progress(uv_timer_t *timer)
{
    show_progress(timer->data, false);
}

EVP_MD *program_sha256(struct program *p)
{
    if (p->sha256 == NULL)
        p->sha256 = EVP_MD_fetch(library_context(p->library), "SHA256", p->options.propquery);
    if (p->sha256 == NULL)
        say_error("SHA-256: no loaded provider has it; see --provider and --propquery");
    return p->sha256;
}

void program_run(struct program *p)
{
    bool progress = p->options.progress && p->counts != NULL;

    if (p->over)
        return;
    if (progress) {
        uv_update_time(&p->loop.uv);
        p->progress_begun = uv_now(&p->loop.uv);
        (void)uv_timer_start(&p->progress, on_progress, PROGRESS_MS, PROGRESS_MS);
    }
    (void)uv_run(&p->loop.uv, UV_RUN_DEFAULT);
    /* Before the links: a question about one that is cut now is not to be followed by the next. */
    credentials_close(&p->credentials);
}

int program_status(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_DONE:
        return STATUS_OK;
    case OUTCOME_INTERNAL:
        return STATUS_INTERNAL;
    case OUTCOME_NO_CONNECTION:
        return STATUS_NO_CONNECTION;
    case OUTCOME_NOT_AUTHENTICATED:
        return STATUS_NOT_AUTHENTICATED;
    case OUTCOME_CUT:
        return STATUS_CUT_OFF;
    case OUTCOME_LOCAL:
        return STATUS_LOCAL;
    case OUTCOME_FAR:
        return STATUS_REMOTE;
    }
    return STATUS_INTERNAL;
}

/* Each line of the text is a line of its own. */
static void say_lines(const char *line)
{
    while (*line != '\0') {
        size_t n = strcspn(line, "\n");
        say_error("%.*s", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

void program_told(void *program, enum outcome outcome, const char *text)
{
    struct program *p = program;

    if (p->options.progress && p->counts != NULL)
        show_progress(p, true);
    if (p->signal == 0)
        say_lines(text);
    p->status = program_status(outcome);
    p->over = true;
    uv_stop(&p->loop.uv);
}

/* ---- several loops ---- */

void program_app_told(void *program, enum outcome outcome, const char *text)
{
    struct program *p = program;

    if (p->crew != NULL)
        crew_told(p->crew, outcome, text);
    else
        program_told(p, outcome, text);
}

static void stop_crew(void *crew)
{
    crew_stop(crew);
}

static void alive(void *program)
{
    const struct program *p = program;

    service_alive(p->service);
}

static void are_alive(void *program)
{
    struct program *p = program;

    if (p->crew != NULL)
        crew_call(p->crew, alive, p);
    else
        alive(p);
}

int program_crew(struct program *p, const struct crew_work *work, void *app)
{
    char why[256];

    p->app = app;
    p->stop = work->stop;
    if (p->net.loops < 2)
        return 0;
    p->crew = crew_new(&p->net, p->net.loops, work, app, program_told, p, why, sizeof why);
    if (p->crew == NULL) {
        say_error("%s", why);
        p->status = STATUS_INTERNAL;
        return -1;
    }
    if (work->stop != NULL) {
        p->app = p->crew;
        p->stop = stop_crew;
    }
    return 0;
}

/* ---- the end ---- */

static void close_handle(uv_handle_t *handle)
{
    if (handle->loop != NULL && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

int program_end(struct program *p)
{
    credentials_close(&p->credentials); /* first: an open question has changed the terminal */
    for (int i = 0; i < PROGRAM_SIGNALS; i++) {
        int number = p->signals[i].signum; /* 0: it was never caught */
        close_handle((uv_handle_t *)&p->signals[i]);
        if (number != 0)
            (void)signal(number, SIG_IGN); /* too late: how the run has ended is decided */
    }
    close_handle((uv_handle_t *)&p->progress);
    service_close(p->service);
    bool all_closed = loop_close(&p->loop);
    EVP_MD_free(p->sha256);
    usi_keyring_free(p->ring);
    credentials_free(&p->credentials);
    seeing_close(&p->seeing);
    service_free(p->service);
    usi_crypto_free(p->crypto);
    library_free(p->library);
    options_free(&p->options);
    if (p->signal != 0 && signal(p->signal, SIG_DFL) != SIG_ERR)
        (void)raise(p->signal); /* the shell sees what ended us */
    if (!all_closed)
        _exit(p->status);
    return p->status;
}
