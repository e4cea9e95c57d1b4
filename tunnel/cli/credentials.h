/* What a run authenticates with: its keys, its identity, its password; and who decides about
 * peers. */
#ifndef USI_CLI_CREDENTIALS_H
#define USI_CLI_CREDENTIALS_H

#include "cli/options.h"
#include "cli/sandbox.h"
#include "cli/say.h"
#include "net/net.h"

struct judge_peers;
struct password;
struct peers_known;
struct peers_list;
struct stretch;
struct terminal;
struct usi_identity;

/* Begins all zero. */
struct credentials {
    /* May be set until the loop runs: called after each identity that is accepted. */
    void (*accepted)(void *owner);
    void *owner;

    /* The rest is private. */
    struct options *options;
    enum say_level level;
    OSSL_LIB_CTX *libctx;
    struct net *net;
    struct password *password;
    struct usi_identity *identity;
    struct terminal *terminal;
    char no_terminal[160]; /* why there is none */
    char unanswered[160];  /* why a secret was not given */
    bool interrupted;      /* a signal has stopped a question: no word about it */
    struct peers_list *named;
    struct peers_known *known;
    struct judge_peers *judge;
    struct stretch *stretch;
};

/* Both return 0; or an exit status, everything said. Call credentials_free in any case.
 *
 * The first reads the files and descriptors that hold keys and passwords, which may block, and
 * fills net->ring with keys: before the loop takes signals. net->crypto and net->ring must be
 * there.
 *
 * The second does what may ask on the terminal, which runs the loop, and sets what net says of
 * modes. When a signal stops the loop meanwhile, it says nothing, and the status has no meaning. */
int credentials_read(struct credentials *c, struct options *options, enum say_level level,
                     OSSL_LIB_CTX *libctx, struct net *net);
int credentials_make(struct credentials *c);

/* Reads the files of keys and of --trust once more; handshakes to come meet what is in them, and
 * what runs goes on. -1 with a line in why[size]: nothing has changed. */
int credentials_reload(struct credentials *c, char *why, size_t size);

/* What credentials still need, of what a sandbox takes away. */
struct sandbox_facts credentials_needs(const struct credentials *c);

/* From now on nobody is asked, because of `why`, which must live on. */
void credentials_stop_asking(struct credentials *c, const char *why);

/* The terminal, for questions about what comes after the authentication; it may be busy. NULL:
 * there is none, or none that this run asks on. */
struct terminal *credentials_terminal(const struct credentials *c);

/* Tells before and after each question on the terminal: see terminal_watch. */
void credentials_watch(struct credentials *c, void (*asked)(void *owner, bool open), void *owner);

/* Lets go of the terminal, before the loop is closed; twice is fine. Frees, behind that and before
 * the crypto and the library context. */
void credentials_close(struct credentials *c);
void credentials_free(struct credentials *c);

#endif
