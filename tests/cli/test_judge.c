/* The judge, with links that are only names: what it answers to which, and when. The user sits at a
 * pseudo-terminal, whose other side the test's own loop reads and writes. */
#include "cli/judge_peers.h"
#include "net/link.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINKS = 64, SCREEN = 65536, FIRST = 1 };

/* A link of the test: what it is asked about, and what became of it. */
enum fate { NOTHING, ACCEPTED, UNWANTED, UNKEPT };

struct link {
    struct usi_peer peer;
    bool question; /* wanted */
    bool asked;    /* the password question was put */
    int answer;    /* to it */
    enum fate fate;
};

static struct link links[LINKS];
static struct judge_peers *judge;
static void (*while_accepting)(struct link *link);

void link_accept(struct link *link)
{
    if (link->fate != NOTHING)
        _exit(70); /* one answer for each */
    link->fate = ACCEPTED;
    if (while_accepting != NULL)
        while_accepting(link);
}

void link_refuse(struct link *link, enum link_cause cause)
{
    if (link->fate != NOTHING)
        _exit(71);
    link->fate = cause == LINK_UNKEPT ? UNKEPT : UNWANTED;
}

bool link_should_question(const struct link *link)
{
    return link->question && link->answer < 0;
}

void link_question(struct link *link)
{
    if (link->fate != NOTHING || link->asked)
        _exit(72);
    link->asked = true;
}

int link_answer(const struct link *link)
{
    return link->answer;
}

const char *link_peer(const struct link *link)
{
    static const char peer[] = "peer";

    (void)link;
    return peer;
}

/* Nothing looks into it but the next one. */
struct usi_channel *link_channel(struct link *link)
{
    return (struct usi_channel *)(void *)link;
}

const struct usi_peer *usi_channel_peer(const struct usi_channel *channel)
{
    return &((const struct link *)(const void *)channel)->peer;
}

/* ---- the user ---- */

static struct loop loop;
static struct terminal *terminal;
static struct peers_known *known;
static struct judge_peers_options options;
static int master = -1;
static char screen[SCREEN], folder[64];
static size_t shown;

static void check(bool condition, int line)
{
    if (!condition) {
        (void)dprintf(STDOUT_FILENO, "line %d; the terminal: %s\n", line, screen);
        _exit(1);
    }
}

#define CHECK(condition) check(condition, __LINE__)

static void read_screen(void)
{
    ssize_t n = read(master, screen + shown, sizeof screen - 1 - shown);

    shown += n > 0 ? (size_t)n : 0;
}

static int count(const char *text)
{
    int found = 0;

    for (const char *at = screen; (at = strstr(at, text)) != NULL; at++)
        found++;
    return found;
}

/* Runs the loop until the terminal has shown text so often. */
static void until_shown(const char *text, int times)
{
    for (int i = 0; i < 60000 && count(text) < times; i++) {
        (void)uv_run(&loop.uv, UV_RUN_NOWAIT);
        read_screen();
        (void)usleep(1000);
    }
    CHECK(count(text) >= times);
}

static void until_fate(const struct link *link, enum fate fate)
{
    for (int i = 0; i < 60000 && link->fate == NOTHING; i++) {
        (void)uv_run(&loop.uv, UV_RUN_NOWAIT);
        read_screen();
        (void)usleep(1000);
    }
    CHECK(link->fate == fate);
}

static void type(const char *text)
{
    CHECK(write(master, text, strlen(text)) == (ssize_t)strlen(text));
}

/* ---- the judge ---- */

/* A link of the peer with this key. */
static struct link *link_of(uint8_t key, bool kept)
{
    static int used;
    struct link *link = &links[used++];

    CHECK(used < LINKS);
    link->peer.kept = kept;
    link->peer.kind = USI_IDENTITY_ED25519;
    link->answer = -1;
    memset(link->peer.key, key, USI_FINGERPRINT);
    memset(link->peer.fingerprint, key ^ 0xff, USI_FINGERPRINT);
    return link;
}

static struct link *ask_about(uint8_t key, bool kept)
{
    struct link *link = link_of(key, kept);
    const struct judge *j = judge_peers_judge(judge);

    j->ask(j->owner, link);
    return link;
}

static void forget(struct link *link)
{
    const struct judge *j = judge_peers_judge(judge);

    j->forget(j->owner, link);
}

static void make_judge(void)
{
    judge = judge_peers_new(&options);
    CHECK(judge != NULL);
}

static void end(void)
{
    char path[128];

    judge_peers_close(judge);
    terminal_close(terminal);
    CHECK(loop_close(&loop));
    judge_peers_free(judge);
    peers_known_free(known);
    (void)snprintf(path, sizeof path, "%s/usi/known", folder);
    (void)remove(path);
    (void)snprintf(path, sizeof path, "%s/usi", folder);
    (void)remove(path);
    (void)remove(folder);
    _exit(0);
}

/* In a session of its own on a pseudo-terminal, whose user side it keeps. */
static void begin(void)
{
    char name[64], why[128];

    CHECK(setsid() >= 0);
    master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    CHECK(ptsname_r(master, name, sizeof name) == 0);
    int slave = open(name, O_RDWR);
    CHECK(slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
    CHECK(fcntl(master, F_SETFL, O_NONBLOCK) == 0);
    (void)snprintf(folder, sizeof folder, "/tmp/usi-judge-XXXXXX");
    CHECK(mkdtemp(folder) != NULL && setenv("XDG_STATE_HOME", folder, 1) == 0);
    known = peers_known_new();
    CHECK(known != NULL && loop_init(&loop) == 0);
    terminal = terminal_open(&loop, why, sizeof why);
    CHECK(terminal != NULL);
    options = (struct judge_peers_options){.level = SAY_QUIET,
                                           .known = known,
                                           .remember = true,
                                           .terminal = terminal,
                                           .no_terminal = "there is none"};
    /* cppcheck-suppress resourceLeak ; the controlling terminal stays open until the end */
}

/* Each test's body runs in a process that may lead a session. */
static void run(void (*body)(void))
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        begin();
        body();
        end();
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

#define QUESTION "(yes/no)"

/* ---- tests ---- */

static void answers_go_to_all_of_a_peer(void)
{
    make_judge();
    struct link *one = ask_about(1, true), *two = ask_about(2, false), *again = ask_about(1, true);

    until_shown(QUESTION, 1);
    CHECK(one->fate == NOTHING && two->fate == NOTHING && again->fate == NOTHING);
    type("yes\n");
    until_fate(one, ACCEPTED);
    CHECK(again->fate == ACCEPTED && two->fate == NOTHING);
    until_shown(QUESTION, 2);
    type("no\n");
    until_fate(two, UNWANTED);
    /* Known from now on, also to another run; the other one is asked about again. */
    CHECK(ask_about(1, true)->fate == ACCEPTED);
    struct link *later = ask_about(2, false);
    until_shown(QUESTION, 3);
    CHECK(later->fate == NOTHING);
}

START_TEST(all_of_a_peer)
{
    run(answers_go_to_all_of_a_peer);
}
END_TEST

static void order_of_what_counts(void)
{
    struct peers_list *named = peers_list_new();
    struct link *link;
    uint8_t key[USI_FINGERPRINT];

    CHECK(named != NULL);
    memset(key, 1, sizeof key);
    CHECK(peers_list_add(named, key) == 0);
    options.named = named;
    make_judge();
    CHECK(ask_about(1, false)->fate == ACCEPTED);
    CHECK(ask_about(2, true)->fate == UNWANTED);
    /* The password question comes before all. */
    const struct judge *j = judge_peers_judge(judge);
    for (int answer = 0; answer <= 2; answer++) {
        link = link_of(1, false);
        link->answer = answer;
        j->ask(j->owner, link);
        CHECK(link->fate == (answer == 0 ? ACCEPTED : UNWANTED));
    }
    judge_peers_free(judge);
    options.named = NULL;
    options.anyone = true;
    make_judge();
    CHECK(ask_about(3, false)->fate == ACCEPTED);
    read_screen();
    CHECK(count(QUESTION) == 0);
    peers_list_free(named);
}

START_TEST(what_counts)
{
    run(order_of_what_counts);
}
END_TEST

/* A link of the peer whose listener shall prove a password. */
static struct link *question_about(uint8_t key, bool kept)
{
    struct link *link = link_of(key, kept);
    const struct judge *j = judge_peers_judge(judge);

    link->question = true;
    j->ask(j->owner, link);
    return link;
}

static void answer_question(struct link *link, int answer)
{
    const struct judge *j = judge_peers_judge(judge);

    CHECK(link->asked && link->fate == NOTHING);
    link->answer = answer;
    j->ask(j->owner, link);
}

static void questions(void)
{
    struct peers_list *named = peers_list_new();
    uint8_t key[USI_FINGERPRINT];

    CHECK(named != NULL);
    memset(key, 1, sizeof key);
    CHECK(peers_list_add(named, key) == 0);
    options.named = named;
    make_judge();
    /* Who is refused anyway gets no guess; who is accepted proves the password first, once. */
    struct link *link = question_about(2, true);
    CHECK(link->fate == UNWANTED && !link->asked);
    link = question_about(1, true);
    answer_question(link, 1);
    CHECK(link->fate == UNWANTED);
    link = question_about(1, true);
    answer_question(link, 0);
    CHECK(link->fate == ACCEPTED);
    link = question_about(1, true);
    CHECK(link->fate == ACCEPTED && !link->asked);
    /* The user is asked behind it. */
    judge_peers_free(judge);
    options.named = NULL;
    make_judge();
    link = question_about(3, false);
    read_screen();
    CHECK(count(QUESTION) == 0);
    answer_question(link, 0);
    until_shown(QUESTION, 1);
    type("yes\n");
    until_fate(link, ACCEPTED);
    peers_list_free(named);
}

START_TEST(password_questions)
{
    run(questions);
}
END_TEST

static void links_come_and_go(void)
{
    make_judge();
    struct link *one = ask_about(1, false), *two = ask_about(2, false),
                *again = ask_about(1, false);

    until_shown(QUESTION, 1);
    forget(one);
    until_shown(QUESTION, 1);
    CHECK(count("has gone") == 0); /* one of two */
    forget(again);
    until_shown("the peer has gone", 1);
    until_shown(QUESTION, 2);
    forget(two);
    until_shown("the peer has gone", 2);
    CHECK(!terminal_busy(terminal));
    struct link *three = ask_about(3, false);
    until_shown(QUESTION, 3);
    type("yes\n");
    until_fate(three, ACCEPTED);
    CHECK(one->fate == NOTHING && two->fate == NOTHING && again->fate == NOTHING);
}

START_TEST(come_and_go)
{
    run(links_come_and_go);
}
END_TEST

/* Accepting one ends the others of that peer, and brings a new one. */
static struct link *rest[2], *brought;

static void end_the_rest(struct link *link)
{
    (void)link;
    while_accepting = NULL;
    forget(rest[0]);
    forget(rest[1]);
    brought = ask_about(1, false);
}

static void accepting_changes_the_list(void)
{
    make_judge();
    struct link *one = ask_about(1, false);
    rest[0] = ask_about(1, false);
    rest[1] = ask_about(2, false);
    struct link *other = ask_about(3, false);

    while_accepting = end_the_rest;
    until_shown(QUESTION, 1);
    type("yes\n");
    until_fate(one, ACCEPTED);
    CHECK(rest[0]->fate == NOTHING && rest[1]->fate == NOTHING);
    CHECK(brought->fate == ACCEPTED && other->fate == NOTHING);
    until_shown(QUESTION, 2);
    type("no\n");
    until_fate(other, UNWANTED);
}

START_TEST(list_that_changes)
{
    run(accepting_changes_the_list);
}
END_TEST

static void sixteen_wait(void)
{
    make_judge();
    for (uint8_t i = 0; i < 16; i++)
        CHECK(ask_about(FIRST + i, false)->fate == NOTHING);
    CHECK(ask_about(FIRST + 16, false)->fate == UNWANTED);
    CHECK(ask_about(FIRST + 3, false)->fate == NOTHING); /* one of those that wait */
    until_shown(QUESTION, 1);
    type("no\n");
    until_fate(&links[0], UNWANTED);
    CHECK(ask_about(FIRST + 17, false)->fate == NOTHING);
    /* In the background nobody is asked any more. */
    judge_peers_stop_asking(judge, "it is over");
    for (int i = 0; i < 16; i++)
        CHECK(links[i].fate == UNWANTED);
    CHECK(ask_about(FIRST, false)->fate == UNWANTED);
    CHECK(!terminal_busy(terminal));
}

START_TEST(bounded)
{
    run(sixteen_wait);
}
END_TEST

static void one_use(void)
{
    options.one_use = true;
    make_judge();
    struct link *one = ask_about(1, true), *two = ask_about(2, true);

    until_shown(QUESTION, 1);
    type("yes\n");
    until_fate(one, ACCEPTED);
    CHECK(two->fate == UNWANTED); /* what is typed now is data */
    CHECK(ask_about(3, true)->fate == UNWANTED);
    CHECK(ask_about(1, true)->fate == ACCEPTED);
    /* A question that is open when a known peer comes is taken back. */
    judge_peers_free(judge);
    make_judge();
    struct link *three = ask_about(3, true);
    until_shown(QUESTION, 2);
    CHECK(ask_about(1, true)->fate == ACCEPTED);
    CHECK(three->fate == UNWANTED && !terminal_busy(terminal));
}

START_TEST(terminal_with_one_use)
{
    run(one_use);
}
END_TEST

static void remembers(void)
{
    options.place.address = "host:1";
    make_judge();
    struct link *one = ask_about(1, true);
    until_shown(QUESTION, 1);
    type(" oui\t\n");
    until_fate(one, ACCEPTED);
    CHECK(ask_about(2, true)->fate == UNWANTED);  /* changed */
    CHECK(ask_about(3, false)->fate == UNWANTED); /* a fresh one for a kept one */
    judge_peers_free(judge);
    options.terminal = NULL;
    make_judge();
    CHECK(ask_about(1, true)->fate == ACCEPTED);
    CHECK(ask_about(2, true)->fate == UNWANTED);
    judge_peers_free(judge);
    options.place.address = "other:1";
    options.terminal = terminal;
    options.remember = false;
    make_judge();
    struct link *four = ask_about(4, true);
    until_shown(QUESTION, 2);
    type("yes\n");
    until_fate(four, ACCEPTED);
    judge_peers_free(judge);
    make_judge();
    (void)ask_about(4, true);
    until_shown(QUESTION, 3);
}

START_TEST(memory)
{
    run(remembers);
}
END_TEST

static void cannot_remember(void)
{
    CHECK(setenv("XDG_STATE_HOME", "/dev/null", 1) == 0);
    peers_known_free(known);
    known = peers_known_new();
    options.known = known;
    make_judge();
    CHECK(ask_about(1, true)->fate == UNKEPT);
    read_screen();
    CHECK(count(QUESTION) == 0);
}

START_TEST(no_memory)
{
    run(cannot_remember);
}
END_TEST

static void ends_with_open_questions(void)
{
    make_judge();
    struct link *one = ask_about(1, false), *two = ask_about(2, false);

    until_shown(QUESTION, 1);
    judge_peers_close(judge);
    CHECK(!terminal_busy(terminal));
    CHECK(one->fate == NOTHING && two->fate == NOTHING);
    forget(one);
    CHECK(ask_about(3, false)->fate == UNWANTED);
}

START_TEST(end_of_the_program)
{
    run(ends_with_open_questions);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge");
    TCase *tests = tcase_create("judge");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, all_of_a_peer);
    tcase_add_test(tests, what_counts);
    tcase_add_test(tests, password_questions);
    tcase_add_test(tests, come_and_go);
    tcase_add_test(tests, list_that_changes);
    tcase_add_test(tests, bounded);
    tcase_add_test(tests, terminal_with_one_use);
    tcase_add_test(tests, memory);
    tcase_add_test(tests, no_memory);
    tcase_add_test(tests, end_of_the_program);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
