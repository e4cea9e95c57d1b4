/* A pseudo-terminal: each test's program part runs as a process that leads a session on it, and the
 * test is its user. */
#include "cli/terminal.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { SEEN_MAX = 16384, WAIT_MS = 60000 };

static int master = -1;
static char slave_name[64], seen[SEEN_MAX];
static size_t seen_size;
static pid_t child;

/* ---- the user's side ---- */

static void open_master(void)
{
    master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    ck_assert_int_eq(ptsname_r(master, slave_name, sizeof slave_name), 0);
}

static void kill_child(void)
{
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    child = 0;
    if (master >= 0)
        close(master);
    master = -1;
}

/* Waits until the screen shows text `count` times. */
static void expect(const char *text, int count)
{
    for (;;) {
        int found = 0;
        seen[seen_size] = '\0';
        for (const char *at = seen; (at = strstr(at, text)) != NULL; at++)
            found++;
        if (found >= count)
            return;
        struct pollfd ready = {.fd = master, .events = POLLIN};
        ck_assert_msg(poll(&ready, 1, WAIT_MS) > 0, "no \"%s\" in: %s", text, seen);
        ssize_t n = read(master, seen + seen_size, sizeof seen - 1 - seen_size);
        ck_assert_msg(n > 0, "no \"%s\" in: %s", text, seen);
        seen_size += (size_t)n;
    }
}

static void type(const char *text)
{
    ck_assert_int_eq(write(master, text, strlen(text)), (ssize_t)strlen(text));
}

static bool echoes(void)
{
    struct termios modes;

    ck_assert_int_eq(tcgetattr(master, &modes), 0);
    return (modes.c_lflag & ECHO) != 0;
}

static int wait_child(void)
{
    int status;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    child = 0;
    return status;
}

/* ---- the program's side ---- */

static struct loop loop;
static struct terminal *terminal;

static void start(void (*program)(void))
{
    open_master();
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child > 0)
        return;
    char why[128];
    if (setsid() < 0)
        _exit(90);
    int fd = open(slave_name, O_RDWR); /* stays: the user must never find it closed by all */
    if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0)
        _exit(91);
    close(master);
    if (loop_init(&loop) != 0 || (terminal = terminal_open(&loop, why, sizeof why)) == NULL)
        _exit(92);
    program();
    terminal_close(terminal);
    if (!loop_close(&loop))
        _exit(93);
    _exit(0);
}

static void check(bool condition, int status)
{
    if (!condition)
        _exit(status);
}

/* ---- tests ---- */

static void ask_name(void)
{
    char line[64];

    check(terminal_wait(terminal, "Name\x1b[2J: ", true, 0, line, sizeof line) == TERMINAL_ANSWER,
          1);
    check(strcmp(line, "Alice B.") == 0, 2);
    terminal_show(terminal, "thanks\n");
}

START_TEST(answer)
{
    start(ask_name);
    expect("Name\\x1b[2J: ", 1); /* control characters are shown inert */
    ck_assert(echoes());
    type("Alice B.\n");
    expect("Alice B.", 1);
    expect("thanks", 1);
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

static void ask_secret(void)
{
    char line[64];

    check(terminal_wait(terminal, "Secret: ", false, 0, line, sizeof line) == TERMINAL_ANSWER, 1);
    check(strcmp(line, "hidden") == 0, 2);
    terminal_show(terminal, "right\n");
    check(terminal_wait(terminal, "Again: ", false, 0, line, 4) == TERMINAL_ANSWER, 3);
    check(strcmp(line, "hid") == 0, 4); /* cut to the caller's size */
}

START_TEST(secret_is_not_shown)
{
    start(ask_secret);
    expect("Secret: ", 1);
    ck_assert(!echoes());
    type("hidden\n");
    expect("right", 1);
    expect("Again: ", 1);
    type("hidden\n");
    ck_assert_int_eq(wait_child(), 0);
    ck_assert_ptr_null(strstr(seen, "hid"));
    ck_assert(echoes());
}
END_TEST

static void ask_after_typing(void)
{
    char line[64];

    terminal_show(terminal, "working\n");
    /* The line that is typed now is there when the question comes. */
    struct pollfd ready = {.fd = open("/dev/tty", O_RDWR | O_NOCTTY), .events = POLLIN};
    check(poll(&ready, 1, WAIT_MS) == 1, 1);
    check(terminal_wait(terminal, "Sure? ", true, 0, line, sizeof line) == TERMINAL_ANSWER, 2);
    check(strcmp(line, "no") == 0, 3);
}

START_TEST(what_was_typed_before_is_no_answer)
{
    start(ask_after_typing);
    expect("working", 1);
    type("yes\n");
    expect("Sure? ", 1);
    type("no\n");
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

static void ask_long(void)
{
    static char line[2 * TERMINAL_LINE];

    check(terminal_wait(terminal, "Long: ", false, 0, line, sizeof line) == TERMINAL_ANSWER, 1);
    check(strlen(line) == TERMINAL_LINE, 2);
    check(terminal_wait(terminal, "Short: ", false, 0, line, sizeof line) == TERMINAL_ANSWER, 3);
    check(strcmp(line, "x") == 0, 4);
}

START_TEST(long_lines_are_cut)
{
    char text[TERMINAL_LINE + 501];

    memset(text, 'a', sizeof text);
    text[sizeof text - 2] = '\n';
    text[sizeof text - 1] = '\0';
    start(ask_long);
    expect("Long: ", 1);
    type(text);
    expect("Short: ", 1);
    type("x\n");
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

static void ask_in_vain(void)
{
    char line[64];

    check(terminal_wait(terminal, "Quick: ", false, 1, line, sizeof line) == TERMINAL_TIMEOUT, 1);
    terminal_show(terminal, "too late\n");
}

START_TEST(timeout)
{
    start(ask_in_vain);
    expect("too late", 1);
    ck_assert_int_eq(wait_child(), 0);
    ck_assert(echoes());
}
END_TEST

static void ask_until_end(void)
{
    char line[64];

    check(terminal_wait(terminal, "Then? ", true, 0, line, sizeof line) == TERMINAL_GONE, 1);
    check(terminal_wait(terminal, "Still? ", true, 0, line, sizeof line) == TERMINAL_ANSWER, 2);
}

START_TEST(end_of_input)
{
    start(ask_until_end);
    expect("Then? ", 1);
    type("\x04");
    expect("Still? ", 1);
    type("yes\n");
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

static void ask_and_lose(void)
{
    char line[64];

    (void)signal(SIGHUP, SIG_IGN);
    check(terminal_wait(terminal, "There? ", false, 0, line, sizeof line) == TERMINAL_GONE, 1);
}

START_TEST(terminal_that_goes_away)
{
    start(ask_and_lose);
    expect("There? ", 1);
    close(master);
    master = -1;
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

static uv_signal_t interrupt;

static void on_interrupt(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static void ask_and_be_interrupted(void)
{
    char line[64];

    check(uv_signal_init(&loop.uv, &interrupt) == 0, 1);
    check(uv_signal_start(&interrupt, on_interrupt, SIGINT) == 0, 2);
    check(terminal_wait(terminal, "Well? ", false, 0, line, sizeof line) == TERMINAL_INTERRUPTED,
          3);
    check(!terminal_busy(terminal), 4);
    uv_close((uv_handle_t *)&interrupt, NULL);
}

START_TEST(interrupted)
{
    start(ask_and_be_interrupted);
    expect("Well? ", 1);
    ck_assert(!echoes());
    type("half\x03"); /* the terminal makes it SIGINT */
    ck_assert_int_eq(wait_child(), 0);
    ck_assert(echoes());
}
END_TEST

static void ask_and_quit(void)
{
    char line[64];

    (void)terminal_wait(terminal, "Well? ", false, 0, line, sizeof line);
}

START_TEST(quit_restores_the_modes)
{
    start(ask_and_quit);
    expect("Well? ", 1);
    ck_assert(!echoes());
    type("\x1c");
    int status = wait_child();
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
    ck_assert(echoes());
}
END_TEST

/* Two questions, one from the other's answer; the third is taken back. */
static int answers;
static uv_timer_t later;

static void never(void *owner, enum terminal_result result, const char *line)
{
    (void)owner, (void)result, (void)line;
    _exit(5);
}

static void on_later(uv_timer_t *timer)
{
    check(terminal_busy(terminal), 6);
    terminal_cancel(terminal, "the peer has gone");
    check(!terminal_busy(terminal), 7);
    uv_close((uv_handle_t *)timer, NULL);
}

static void on_line(void *owner, enum terminal_result result, const char *line)
{
    check(owner == &answers && result == TERMINAL_ANSWER, 3);
    check(strcmp(line, answers == 0 ? "one" : "two") == 0, 4);
    if (++answers == 1) {
        terminal_ask(terminal, "Second? ", true, 0, on_line, &answers);
        return;
    }
    terminal_ask(terminal, "Third? ", true, 0, never, NULL);
    check(uv_timer_init(&loop.uv, &later) == 0 && uv_timer_start(&later, on_later, 50, 0) == 0, 8);
}

static void ask_in_a_row(void)
{
    terminal_ask(terminal, "First? ", true, 0, on_line, &answers);
    check(terminal_busy(terminal), 1);
    (void)uv_run(&loop.uv, UV_RUN_DEFAULT);
    check(answers == 2, 2);
}

START_TEST(questions_in_a_row)
{
    start(ask_in_a_row);
    expect("First? ", 1);
    type("one\n");
    expect("Second? ", 1);
    type("two\n");
    expect("the peer has gone", 1);
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

static void ask_and_stop(void)
{
    char line[64];

    check(terminal_wait(terminal, "Secret: ", false, 0, line, sizeof line) == TERMINAL_ANSWER, 1);
    check(strcmp(line, "hidden") == 0, 2);
}

START_TEST(stopped_and_continued)
{
    int status;

    start(ask_and_stop);
    expect("Secret: ", 1);
    ck_assert(!echoes());
    type("half");
    ck_assert_int_eq(kill(child, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
    ck_assert_int_eq(kill(child, SIGCONT), 0);
    expect("Secret: ", 2); /* asked again, from its beginning */
    ck_assert(!echoes());
    type("hidden\n");
    ck_assert_int_eq(wait_child(), 0);
    ck_assert(echoes());
}
END_TEST

/* A process in the background must not stop, and asks when it comes to the front. */
static void ask_from_the_background(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY), status;
    char line[64], go;
    int ends[2];

    check(pipe(ends) == 0, 10);
    pid_t job = fork();
    if (job == 0) { /* the shell's job: a process group of its own, not the terminal's */
        check(setpgid(0, 0) == 0, 11);
        check(write(ends[1], "x", 1) == 1, 12);
        struct loop own;
        char why[64];
        check(loop_init(&own) == 0, 13);
        struct terminal *t = terminal_open(&own, why, sizeof why);
        check(t != NULL, 14);
        check(terminal_wait(t, "Front? ", true, 0, line, sizeof line) == TERMINAL_ANSWER, 15);
        check(strcmp(line, "yes") == 0, 16);
        terminal_close(t);
        check(loop_close(&own), 17);
        _exit(0);
    }
    check(read(ends[0], &go, 1) == 1, 18);
    /* Still running after it had the time to read: a stopped job would be told here. */
    check(usleep(500000) == 0 && waitpid(job, &status, WUNTRACED | WNOHANG) == 0, 19);
    terminal_show(terminal, "fg\n");
    (void)signal(SIGTTOU, SIG_IGN);
    check(tcsetpgrp(fd, job) == 0, 20);
    check(waitpid(job, &status, WUNTRACED) == job && status == 0, 21);
    check(tcsetpgrp(fd, getpgrp()) == 0, 22);
}

START_TEST(from_the_background)
{
    start(ask_from_the_background);
    expect("Front? ", 1);
    const char *moved = strstr(seen, "fg");
    ck_assert(moved != NULL && moved < strstr(seen, "Front? "));
    type("yes\n");
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

START_TEST(no_terminal)
{
    char why[128] = "";

    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        check(setsid() >= 0, 1);
        check(loop_init(&loop) == 0, 2);
        check(terminal_open(&loop, why, sizeof why) == NULL, 3);
        check(strstr(why, "no terminal") != NULL, 4);
        check(loop_close(&loop), 5);
        terminal_close(NULL);
        _exit(0);
    }
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("terminal");
    TCase *tests = tcase_create("terminal");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, NULL, kill_child);
    tcase_add_test(tests, answer);
    tcase_add_test(tests, secret_is_not_shown);
    tcase_add_test(tests, what_was_typed_before_is_no_answer);
    tcase_add_test(tests, long_lines_are_cut);
    tcase_add_test(tests, timeout);
    tcase_add_test(tests, end_of_input);
    tcase_add_test(tests, terminal_that_goes_away);
    tcase_add_test(tests, interrupted);
    tcase_add_test(tests, quit_restores_the_modes);
    tcase_add_test(tests, questions_in_a_row);
    tcase_add_test(tests, stopped_and_continued);
    tcase_add_test(tests, from_the_background);
    tcase_add_test(tests, no_terminal);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
