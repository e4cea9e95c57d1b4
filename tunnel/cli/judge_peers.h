/* Who decides about a peer that has proved an identity: what the command line names, what was
 * accepted before, the user at the terminal. An implementation of net/judge.h. */
#ifndef USI_CLI_JUDGE_PEERS_H
#define USI_CLI_JUDGE_PEERS_H

#include "cli/peers.h"
#include "cli/say.h"
#include "cli/terminal.h"
#include "net/judge.h"

/* Everything must outlive the judge. */
struct judge_peers_options {
    enum say_level level;
    const struct peers_list *named; /* --fingerprint and --trust: these and no others; NULL: none
                                       was given */
    bool anyone;                    /* --anyone */
    const struct peers_known *known;
    bool remember;             /* else nothing is written */
    struct terminal *terminal; /* NULL: there is nobody to ask, */
    const char *no_terminal;   /* and why */
    uint64_t ask_ms;           /* how long a user may take; 0: no limit */
    struct peers_place place;  /* connect: what its peer is remembered under */
    bool one_use; /* the terminal is standard input too: once a peer is accepted, it is his */
    /* May be NULL. After each link that is accepted. */
    void (*accepted)(void *owner);
    void *owner;
};

struct judge_peers;

/* NULL when out of memory. */
struct judge_peers *judge_peers_new(const struct judge_peers_options *options);

/* From now on, the peers of another list count as named; those that are in stay in. */
void judge_peers_set_named(struct judge_peers *judge, const struct peers_list *named);

/* For struct net; lives as long as the judge. */
const struct judge *judge_peers_judge(const struct judge_peers *judge);

/* From now on nobody is asked, why says because of what (it must live on): a question that is open
 * is taken back, and its peers are refused. */
void judge_peers_stop_asking(struct judge_peers *judge, const char *why);

/* The program ends: forgets all links, and lets go of the terminal. NULL is fine. */
void judge_peers_close(struct judge_peers *judge);

/* Behind the last call of a link. NULL is fine. */
void judge_peers_free(struct judge_peers *judge);

#endif
