#include "cli/judge_peers.h"

#include "net/link.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PEERS_WAITING = 16, /* different keys that wait for an answer */
    SHOWN_MAX = 4096,   /* keys that are not shown twice */
    WORDS_MAX = 3,      /* answers that are neither yes nor no */
    QUESTION_MAX = 640
};

/* A link that waits for an answer about its peer's key. */
struct waiting {
    struct waiting *next;
    struct link *link;
    uint8_t key[USI_FINGERPRINT];
};

struct judge_peers {
    struct judge judge;
    struct judge_peers_options options;
    struct peers_list *accepted; /* by the user, in this run */
    struct peers_list *knowing;  /* that answered the password question rightly, in this run */
    struct peers_list *shown;
    size_t shown_count;
    struct waiting *first; /* in the order in which they came */
    bool asking;
    uint8_t asked[USI_FINGERPRINT]; /* about whom */
    bool asked_kept;
    unsigned words;  /* answers so far that are none */
    bool deciding;   /* links are answered from a loop over the list */
    bool any;        /* somebody was accepted */
    bool closed;     /* the program ends */
    bool just_shown; /* the fingerprint of the link that is being asked about, on stderr */
};

/* ---- what is shown ---- */

static const char *kind_of(const struct usi_peer *peer)
{
    return peer->kind == USI_IDENTITY_RSA ? "RSA" : "Ed25519";
}

/* Where several peers come and go, each is shown once. */
static bool shown_before(struct judge_peers *j, const struct usi_peer *peer)
{
    bool before = peers_list_has(j->shown, peer->key);

    if (!before && j->shown_count < SHOWN_MAX && peers_list_add(j->shown, peer->key) == 0)
        j->shown_count++;
    return before;
}

static void show(struct judge_peers *j, struct link *link, const struct usi_peer *peer)
{
    char hex[PEERS_HEX + 1], words[USI_WORDS_TEXT];

    j->just_shown = !shown_before(j, peer) && j->options.level >= SAY_NORMAL;
    if (!j->just_shown)
        return;
    peers_hex(peer->fingerprint, hex);
    usi_words(peer->fingerprint, words);
    say(j->options.level, "fingerprint: %s", hex);
    say(j->options.level, "in words: %s", words);
    peers_hex(peer->key, hex);
    say_more(j->options.level,
             peer->kept ? TEXT("%s: identity fingerprint: sha256:%s (%s of %u bits, kept)")
                        : TEXT("%s: identity fingerprint: sha256:%s (%s of %u bits, fresh)"),
             link_peer(link), hex, kind_of(peer), peer->bits);
}

/* ---- answers ---- */

static void ask_next(struct judge_peers *j);

static void take_in(struct judge_peers *j, struct link *link)
{
    j->any = true;
    link_accept(link);
    if (j->options.accepted != NULL)
        j->options.accepted(j->options.owner);
    if (j->options.one_use && j->asking) { /* what is typed now is data */
        terminal_cancel(j->options.terminal, text("the terminal carries data from here on"));
        j->asking = false;
        ask_next(j);
    }
}

static void refuse(struct link *link, const char *why)
{
    say_error("%s is refused: %s", link_peer(link), why);
    link_refuse(link, LINK_UNWANTED);
}

static void refuse_stranger(const struct judge_peers *j, struct link *link,
                            const struct usi_peer *peer, const char *why)
{
    char hex[PEERS_HEX + 1];

    peers_hex(peer->key, hex);
    say_error("%s is not known, and %s", link_peer(link), why);
    if (peer->kept)
        say_error("if it is the one you want: --fingerprint %s, or that line in a file for --trust",
                  hex);
    else
        say_error(j->options.place.address != NULL
                      ? TEXT("its key (sha256:%s) is made for this run: only a user at a terminal "
                             "can compare it")
                      : TEXT("its key (sha256:%s) is made for this run: only a user at a terminal "
                             "can compare it; --anyone takes everybody"),
                  hex);
    link_refuse(link, LINK_UNWANTED);
}

static void refuse_changed(const struct judge_peers *j, struct link *link,
                           const struct usi_peer *peer, size_t line)
{
    const char *file = peers_known_file(j->options.known);
    char hex[PEERS_HEX + 1];

    peers_hex(peer->key, hex);
    say_error("THE KEY OF %s HAS CHANGED: somebody may be in the middle", link_peer(link));
    say_error(peer->kept
                  ? TEXT("it shows the kept key sha256:%s; the one it had is in line %zu of %s")
                  : TEXT("it shows the fresh key sha256:%s; the one it had is in line %zu of %s"),
              hex, line, file);
    say_error("if its user confirms the new key, remove that line; else do not go on");
    link_refuse(link, LINK_UNWANTED);
}

static void refuse_unkept(struct link *link, const char *why)
{
    say_error("%s is refused: %s; --no-remember writes nothing", link_peer(link), why);
    link_refuse(link, LINK_UNKEPT);
}

/* ---- the password question ---- */

/* Before a peer is accepted, or its user asked, but never for one that is refused anyway: each
 * question gives it a guess. True: the judge is asked again when it is answered. */
static bool question_first(const struct judge_peers *j, struct link *link,
                           const struct usi_peer *peer)
{
    if (!link_should_question(link) || peers_list_has(j->knowing, peer->key))
        return false;
    link_question(link);
    return true;
}

/* ---- what needs no user ---- */

/* Refuses or accepts where the password question or the options settle it: true. */
static bool settled(struct judge_peers *j, struct link *link, const struct usi_peer *peer)
{
    char hex[PEERS_HEX + 1], why[240];
    int answer = link_answer(link);

    if (answer > 0) {
        refuse(link, answer == 1
                         ? text("IT DOES NOT KNOW THE PASSWORD: somebody may be in the middle")
                         : text("it has no password, or allows no more tries: it proves nothing"));
        return true;
    }
    if (answer == 0 && !peers_list_has(j->knowing, peer->key)) {
        say(j->options.level, "%s: knows the password", link_peer(link));
        (void)peers_list_add(j->knowing, peer->key); /* else it is asked once more */
    }
    if (j->options.named != NULL && !peers_list_has(j->options.named, peer->key)) {
        peers_hex(peer->key, hex);
        (void)snprintf(why, sizeof why,
                       text("its key is sha256:%s, which neither --fingerprint nor --trust names"),
                       hex);
        refuse(link, why);
        return true;
    }
    if (j->options.named != NULL || j->options.anyone || peers_list_has(j->accepted, peer->key)) {
        if (!question_first(j, link, peer))
            take_in(j, link);
        return true;
    }
    return false;
}

/* The same by what was remembered. */
static bool remembered(struct judge_peers *j, struct link *link, const struct usi_peer *peer)
{
    enum peers_verdict verdict;
    char why[640];
    size_t line;

    if (peers_known_look(j->options.known, j->options.place, peer->key, &verdict, &line, why,
                         sizeof why) < 0) {
        say_error("%s is refused: %s", link_peer(link), why);
        link_refuse(link, LINK_UNKEPT);
        return true;
    }
    if (verdict == PEERS_SAME && peer->kept) {
        if (!question_first(j, link, peer))
            take_in(j, link);
        return true;
    }
    if (verdict == PEERS_CHANGED) {
        refuse_changed(j, link, peer, line);
        return true;
    }
    if (peer->kept && j->options.remember && j->options.terminal != NULL &&
        peers_known_prepare(j->options.known, j->options.place, why, sizeof why) < 0) {
        refuse_unkept(link, why);
        return true;
    }
    return false;
}

/* ---- the user ---- */

static const char *nobody_to_ask(const struct judge_peers *j)
{
    if (j->options.terminal == NULL)
        return j->options.no_terminal;
    if (j->options.one_use && j->any)
        return text("the terminal carries the data of another peer");
    if (terminal_busy(j->options.terminal) && !j->asking)
        return text("the terminal is busy with another question");
    return NULL;
}

static struct waiting *take_waiting(struct judge_peers *j, const uint8_t key[USI_FINGERPRINT])
{
    for (struct waiting **at = &j->first, *found; (found = *at) != NULL; at = &found->next) {
        if (memcmp(found->key, key, sizeof found->key) != 0)
            continue;
        *at = found->next;
        return found;
    }
    return NULL;
}

static void on_answer(void *owner, enum terminal_result result, const char *line);

/* Answers all links of the peer that was asked about; each answer may make others come and go. */
static void answer_all(struct judge_peers *j, bool yes, enum link_cause cause)
{
    uint8_t key[USI_FINGERPRINT];

    memcpy(key, j->asked, sizeof key);
    j->asking = false;
    j->deciding = true;
    for (struct waiting *w; (w = take_waiting(j, key)) != NULL;) {
        struct link *link = w->link;
        free(w);
        if (yes)
            take_in(j, link);
        else
            link_refuse(link, cause);
    }
    j->deciding = false;
    ask_next(j);
}

static void ask_again(struct judge_peers *j, const char *prompt)
{
    terminal_ask(j->options.terminal, prompt, true, j->options.ask_ms, on_answer, j);
}

static void take_yes(struct judge_peers *j)
{
    char why[640];

    if (j->asked_kept && j->options.remember &&
        peers_known_add(j->options.known, j->options.place, j->asked, why, sizeof why) < 0) {
        say_error("the peer is refused: %s; --no-remember writes nothing", why);
        answer_all(j, false, LINK_UNKEPT);
        return;
    }
    if (peers_list_add(j->accepted, j->asked) < 0) {
        say_error("the peer is refused: out of memory");
        answer_all(j, false, LINK_UNKEPT);
        return;
    }
    answer_all(j, true, LINK_UNWANTED);
}

/* Blanks around a word do not matter. */
static bool is_word(const char *line, const char *word)
{
    size_t length = strlen(word);

    line += strspn(line, " \t");
    return strncmp(line, word, length) == 0 &&
           line[length + strspn(line + length, " \t\r")] == '\0';
}

static void on_answer(void *owner, enum terminal_result result, const char *line)
{
    struct judge_peers *j = owner;

    if (result == TERMINAL_ANSWER && (is_word(line, "yes") || is_word(line, "oui"))) {
        take_yes(j);
    } else if (result == TERMINAL_ANSWER && !is_word(line, "no") && !is_word(line, "non") &&
               ++j->words < WORDS_MAX) {
        ask_again(j, text("Please type yes or no: "));
    } else {
        say_error("the peer is refused: %s",
                  result == TERMINAL_TIMEOUT ? text("no answer in time (--ask-timeout)")
                  : result == TERMINAL_ANSWER
                      ? text("its fingerprint was not accepted")
                      : text("the terminal is gone, or its input has ended"));
        answer_all(j, false, LINK_UNWANTED);
    }
}

static void ask(struct judge_peers *j, struct link *link, const struct usi_peer *peer)
{
    char prompt[QUESTION_MAX], hex[PEERS_HEX + 1], words[USI_WORDS_TEXT];
    bool seen = j->just_shown && isatty(STDERR_FILENO);
    int n = 0;

    memcpy(j->asked, peer->key, sizeof j->asked);
    j->asked_kept = peer->kept;
    j->asking = true;
    j->words = 0;
    j->just_shown = false;
    if (!seen) {
        peers_hex(peer->fingerprint, hex);
        usi_words(peer->fingerprint, words);
        n = snprintf(prompt, sizeof prompt, text("fingerprint: %s\nin words: %s\n"), hex, words);
    }
    if (n >= 0 && (size_t)n < sizeof prompt)
        (void)snprintf(prompt + n, sizeof prompt - (size_t)n,
                       text("%s: Is this the fingerprint that the other side shows? (yes/no) "),
                       link_peer(link));
    ask_again(j, prompt);
}

/* Asks about the first that waits. Those that an earlier answer has settled are told first. */
static void ask_next(struct judge_peers *j)
{
    if (j->deciding || j->asking)
        return;
    j->deciding = true;
    while (j->first != NULL && !j->asking) {
        struct waiting *w = j->first;
        struct link *link = w->link;
        const struct usi_peer *peer = usi_channel_peer(link_channel(link));
        const char *nobody = nobody_to_ask(j);
        if (nobody == NULL && !peers_list_has(j->accepted, w->key)) {
            ask(j, link, peer);
            break;
        }
        j->first = w->next;
        free(w);
        if (peers_list_has(j->accepted, peer->key))
            take_in(j, link);
        else
            refuse_stranger(j, link, peer, nobody);
    }
    j->deciding = false;
}

/* ---- the queue ---- */

/* False: too many wait already. */
static bool has_room(const struct judge_peers *j, const uint8_t key[USI_FINGERPRINT])
{
    unsigned others = 0;

    for (const struct waiting *w = j->first; w != NULL; w = w->next) {
        if (memcmp(w->key, key, sizeof w->key) == 0)
            return true;
        bool counted = false;
        for (const struct waiting *v = j->first; v != w && !counted; v = v->next)
            counted = memcmp(v->key, w->key, sizeof w->key) == 0;
        others += !counted;
    }
    return others < PEERS_WAITING;
}

static void queue(struct judge_peers *j, struct link *link, const struct usi_peer *peer)
{
    bool room = has_room(j, peer->key);
    struct waiting *w = room ? calloc(1, sizeof *w) : NULL, **last = &j->first;

    if (w == NULL) {
        refuse(link,
               room ? text("out of memory") : text("too many peers wait for an answer already"));
        return;
    }
    w->link = link;
    memcpy(w->key, peer->key, sizeof w->key);
    while (*last != NULL)
        last = &(*last)->next;
    *last = w;
    ask_next(j);
    j->just_shown = false;
}

static void on_ask(void *owner, struct link *link)
{
    struct judge_peers *j = owner;
    const struct usi_peer *peer = usi_channel_peer(link_channel(link));
    const char *nobody;

    if (j->closed) {
        link_refuse(link, LINK_UNWANTED);
        return;
    }
    show(j, link, peer);
    if (settled(j, link, peer) || remembered(j, link, peer))
        return;
    nobody = nobody_to_ask(j);
    if (nobody != NULL)
        refuse_stranger(j, link, peer, nobody);
    else if (!question_first(j, link, peer))
        queue(j, link, peer);
}

static void on_forget(void *owner, struct link *link)
{
    struct judge_peers *j = owner;
    uint8_t key[USI_FINGERPRINT];
    bool found = false, others = false;

    for (struct waiting **at = &j->first, *w; (w = *at) != NULL;) {
        if (w->link == link) {
            memcpy(key, w->key, sizeof key);
            found = true;
            *at = w->next;
            free(w);
        } else {
            at = &w->next;
        }
    }
    if (!found || !j->asking || memcmp(key, j->asked, sizeof key) != 0)
        return;
    for (const struct waiting *w = j->first; w != NULL; w = w->next)
        others = others || memcmp(w->key, key, sizeof key) == 0;
    if (others)
        return;
    terminal_cancel(j->options.terminal, text("the peer has gone"));
    j->asking = false;
    ask_next(j);
}

/* ---- life ---- */

struct judge_peers *judge_peers_new(const struct judge_peers_options *options)
{
    struct judge_peers *j = calloc(1, sizeof *j);

    if (j == NULL)
        return NULL;
    j->options = *options;
    j->judge = (struct judge){.ask = on_ask, .forget = on_forget, .owner = j};
    j->accepted = peers_list_new();
    j->shown = peers_list_new();
    j->knowing = peers_list_new();
    if (j->accepted == NULL || j->shown == NULL || j->knowing == NULL) {
        judge_peers_free(j);
        return NULL;
    }
    return j;
}

void judge_peers_set_named(struct judge_peers *j, const struct peers_list *named)
{
    j->options.named = named;
}

const struct judge *judge_peers_judge(const struct judge_peers *j)
{
    return &j->judge;
}

void judge_peers_stop_asking(struct judge_peers *j, const char *why)
{
    if (j->asking)
        terminal_cancel(j->options.terminal, why);
    j->asking = false;
    j->options.terminal = NULL;
    j->options.no_terminal = why;
    ask_next(j);
}

void judge_peers_close(struct judge_peers *j)
{
    if (j == NULL)
        return;
    if (j->asking)
        terminal_cancel(j->options.terminal, NULL);
    j->closed = true;
    j->asking = false;
    j->options.terminal = NULL;
    for (struct waiting *next; j->first != NULL; j->first = next) {
        next = j->first->next;
        free(j->first);
    }
}

void judge_peers_free(struct judge_peers *j)
{
    if (j == NULL)
        return;
    judge_peers_close(j);
    peers_list_free(j->accepted);
    peers_list_free(j->shown);
    peers_list_free(j->knowing);
    free(j);
}
