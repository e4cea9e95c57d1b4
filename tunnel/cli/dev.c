#include "cli/dev.h"

#include "cli/say.h"
#include "text/hex.h"
#include "text/text.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum {
    WHOLE = 16,         /* public values of so many octets are shown whole, of longer ones */
    SHORTENED = 8,      /* the first ones */
    WHOLE_SECRETS = 80, /* the same with =secrets, so that every value can be computed again */
    VALUE_TEXT = 2 * WHOLE_SECRETS + 40,
    DIGEST = 32,
    DIGEST_SHOWN = 4,
    HASHED_MAX = 64
};

/* ---- values ---- */

static void put_public(const struct dev *dev, char value[VALUE_TEXT], const struct usi_seen *seen)
{
    bool whole = seen->size <= (dev->secrets ? WHOLE_SECRETS : WHOLE);
    size_t at = hex_put(value, seen->octets, whole ? seen->size : SHORTENED);

    if (!whole)
        snprintf(value + at, VALUE_TEXT - at, text(".. (%zu octets)"), seen->size);
}

static void put_secret(const struct dev *dev, char value[VALUE_TEXT], const struct usi_seen *seen)
{
    static const char label[] = {'U', 'S', 'I', ' ', 'd', 'e', 'v'};
    uint8_t hashed[sizeof label + HASHED_MAX], digest[DIGEST];
    size_t at, size = 0;

    if (dev->secrets && seen->size <= WHOLE_SECRETS) {
        hex_put(value, seen->octets, seen->size);
        return;
    }
    snprintf(value, VALUE_TEXT, "%s", text("(secret)"));
    if (seen->size > HASHED_MAX)
        return;
    memcpy(hashed, label, sizeof label);
    memcpy(hashed + sizeof label, seen->octets, seen->size);
    if (EVP_Q_digest(dev->libctx, "SHA256", NULL, hashed, sizeof label + seen->size, digest,
                     &size) == 1) {
        at = (size_t)snprintf(value, VALUE_TEXT, "secret #");
        hex_put(value + at, digest, DIGEST_SHOWN);
    }
    OPENSSL_cleanse(hashed, sizeof hashed);
    OPENSSL_cleanse(digest, sizeof digest);
}

/* ---- lines ---- */

static const char *phase_of(const char *phase, const struct usi_seen *seen)
{
    return seen->occasion == USI_OCCASION_REKEY      ? "KEY"
           : seen->occasion == USI_OCCASION_QUESTION ? "AUTHENTICATION"
                                                     : phase;
}

/* `what` may hold a value already; `why` may be NULL. */
static void line(const char *phase, const char *peer, const char *who, const char *what,
                 const char *why)
{
    say(SAY_NORMAL, "%-14s  %s  %-4s  %s%s%s", phase, peer, text(who), what,
        why != NULL ? ": " : "", why != NULL ? text(why) : "");
}

static const char *who_of(const struct usi_seen *seen)
{
    return seen->ours ? TEXT("us") : TEXT("peer");
}

/* What a step is called, and why it is there; the value follows the name. */
struct row {
    const char *phase, *what, *why;
    bool both;
};

static const struct row rows[] = {
    [USI_SEEN_RAND_MS] =
        {.phase = "AUTHENTICATION",
         .what = "RANDms",
         .why = TEXT("the connector's challenge, random; makes Kc new for it too, which GSM "
                     "lacks")},
    [USI_SEEN_RAND_NW] =
        {.phase = "AUTHENTICATION",
         .what = "RANDnw",
         .why = TEXT("the listener's challenge, random: the RAND that a GSM network sends")},
    [USI_SEEN_E] = {.phase = "CONNECTION",
                    .what = "e",
                    .why = TEXT("a new X25519 public key, for this handshake only")},
    [USI_SEEN_KEM_KEY] = {.phase = "CONNECTION",
                          .what = "ML-KEM-768 key",
                          .why = TEXT("so that a quantum computer does not read this one day")},
    [USI_SEEN_KEM_CIPHERTEXT] =
        {.phase = "CONNECTION",
         .what = "ML-KEM-768 ciphertext",
         .why = TEXT("a secret for the holder of the ML-KEM key, mixed into all keys")},
    [USI_SEEN_KNOCK] = {.phase = "AUTHENTICATION",
                        .what = "knock",
                        .why = TEXT("A3(Ki, all so far): who does not know Ki gets no answer")},
    [USI_SEEN_SALT] = {.phase = "AUTHENTICATION",
                       .what = "salt",
                       .why = TEXT("bcrypt stretches the password under it")},
    [USI_SEEN_IDENTITY] = {.phase = "AUTHENTICATION",
                           .what = "identity",
                           .why = TEXT(
                               "SHA-256 of a public key, which has signed all so far; it crosses "
                               "sealed")},
    [USI_SEEN_FINGERPRINT] = {.phase = "AUTHENTICATION",
                              .what = "fingerprint",
                              .why = TEXT("SHA-256 of both public keys: what the users compare"),
                              .both = true},
    [USI_SEEN_H] = {.phase = "KEY",
                    .what = "h",
                    .why =
                        TEXT("SHA-256 over all messages: a change to one octet of them changes it"),
                    .both = true},
    [USI_SEEN_SRES] = {.phase = "AUTHENTICATION",
                       .what = "SRES",
                       .why = TEXT("A3(Ki, h): the response that proves the connector")},
};

static void tell_value(const struct dev *dev, const char *peer, const struct usi_seen *seen)
{
    const struct row *row = &rows[seen->type];
    char value[VALUE_TEXT], what[VALUE_TEXT + 64];

    put_public(dev, value, seen);
    snprintf(what, sizeof what, "%s = %s", row->what, value);
    line(phase_of(row->phase, seen), peer, row->both ? TEXT("both") : who_of(seen), what, row->why);
}

static const char *mode_text(enum usi_mode mode)
{
    return mode == USI_MODE_IDENTITY ? TEXT("identity mode: signature keys, and users who compare")
           : mode == USI_MODE_PASSWORD
               ? TEXT("password mode: SPAKE2 from what both users know")
               : TEXT("key mode: both sides have Ki, as a SIM and its network do");
}

static void tell_handshake(const char *peer, const struct usi_seen *seen)
{
    if (seen->occasion == USI_OCCASION_REKEY)
        line("KEY", peer, who_of(seen), text("rekey"),
             TEXT("a new handshake in the records of the old keys, which have grown old"));
    else if (seen->occasion == USI_OCCASION_QUESTION)
        line("AUTHENTICATION", peer, who_of(seen), text("password question"),
             TEXT("does the listener know the password too?"));
    else
        line("INIT", peer, who_of(seen), text("a handshake begins"), mode_text(seen->mode));
}

static void tell_name(const char *peer, const struct usi_seen *seen)
{
    char what[8 + SAY_ESCAPED * USI_NAME_MAX + 1];
    size_t at = (size_t)snprintf(what, sizeof what, "name \"");

    at += say_escape(what + at, (const char *)seen->octets, seen->size);
    snprintf(what + at, sizeof what - at, "\"");
    line(phase_of("INIT", seen), peer, who_of(seen), what,
         seen->occasion == USI_OCCASION_FIRST ? TEXT("whom the connector wants; crosses in clear")
                                              : TEXT("as in the first handshake"));
}

static void tell_cipher(const char *peer, const struct usi_seen *seen)
{
    char what[40];

    snprintf(what, sizeof what, "AES-%" PRIu64 "-OCB", seen->number);
    line(phase_of("INIT", seen), peer, who_of(seen), what,
         seen->mode == USI_MODE_KEY ? TEXT("chosen by the size of Ki")
                                    : TEXT("chosen by the connector"));
}

static void tell_share(const struct dev *dev, const char *peer, const struct usi_seen *seen)
{
    char value[VALUE_TEXT], what[VALUE_TEXT + 8];

    put_public(dev, value, seen);
    snprintf(what, sizeof what, "%s = %s", seen->ours == seen->connector ? "pA" : "pB", value);
    line(phase_of("AUTHENTICATION", seen), peer, who_of(seen), what,
         TEXT("a point that hides the password: looks the same whatever it is"));
}

static void tell_message(const char *peer, const struct usi_seen *seen)
{
    char what[96];

    snprintf(what, sizeof what, text("message %" PRIu64 " is whole, %zu octets"), seen->number,
             seen->size);
    line(phase_of("CONNECTION", seen), peer, who_of(seen), what, NULL);
}

static void tell_kc(const struct dev *dev, const char *peer, const struct usi_seen *seen)
{
    bool key = seen->mode == USI_MODE_KEY;
    char value[VALUE_TEXT], what[VALUE_TEXT + 8];

    put_secret(dev, value, seen);
    snprintf(what, sizeof what, "%s = %s", key ? "Kc" : "psk", value);
    line(phase_of("KEY", seen), peer, "both", what,
         key ? TEXT("A8(Ki, RANDnw || RANDms); never crosses")
         : seen->occasion == USI_OCCASION_REKEY
             ? TEXT("what the handshake before left for this one; never crosses")
             : TEXT("what SPAKE2 agrees on if both passwords are the same; never crosses"));
    OPENSSL_cleanse(value, sizeof value);
    OPENSSL_cleanse(what, sizeof what);
}

static void tell_key(const struct dev *dev, const char *peer, const struct usi_seen *seen)
{
    char value[VALUE_TEXT], what[VALUE_TEXT + 120];

    put_secret(dev, value, seen);
    snprintf(what, sizeof what,
             seen->ours == seen->connector ? text("key %" PRIu64 " of the connector's records = %s")
                                           : text("key %" PRIu64 " of the listener's records = %s"),
             seen->number, value);
    line("KEY", peer, "both", what, TEXT("of all secrets that were mixed, and of h"));
    OPENSSL_cleanse(value, sizeof value);
    OPENSSL_cleanse(what, sizeof what);
}

/* ---- who is it, and who knows what ---- */

static const char *proved_text(const struct usi_seen *seen)
{
    switch (seen->mode) {
    case USI_MODE_IDENTITY:
        return TEXT(
            "its signature holds: it has the private key; whether it is the one that is meant, "
            "its key alone does not say");
    case USI_MODE_PASSWORD:
        return seen->occasion == USI_OCCASION_REKEY
                   ? TEXT("it has the secret that the handshake before left")
                   : TEXT("it knows the password");
    default:
        return seen->connector ? TEXT("the tag of its message holds, so it has Kc, so it knows Ki: "
                                      "GSM lets a false "
                                      "network pass here")
                               : TEXT("its SRES is what we compute: it knows Ki");
    }
}

static void tell_agreed(const char *peer, const struct usi_seen *seen)
{
    static const struct {
        const char *we, *both, *wire;
    } known[] = {
        [USI_MODE_KEY] =
            {TEXT("the private half of our e, which is wiped now"),
             TEXT("Ki, Kc, h, the keys of the records"),
             TEXT("mode, cipher, name, RANDms, RANDnw, both e, the knock; SRES was sealed")},
        [USI_MODE_IDENTITY] =
            {TEXT("our private key; the private half of our e, which is wiped now"),
             TEXT("both public keys, their fingerprint, the keys of the records"),
             TEXT("mode, cipher, name, RANDms, both e; the identities were sealed")},
        [USI_MODE_PASSWORD] =
            {TEXT("the secrets behind our e and our share, which are wiped now"),
             TEXT("the password, the psk, h, the keys of the records"),
             TEXT("mode, cipher, name, RANDms, salt, pA, pB, both e: nothing to try "
                  "passwords on")},
    };

    if (seen->occasion == USI_OCCASION_REKEY) {
        line("KEY", peer, "both", text("the rekey is over"),
             TEXT("the old keys open nothing from here on, the new ones nothing from before"));
        return;
    }
    if (seen->mode < USI_MODE_KEY || seen->mode > USI_MODE_PASSWORD)
        return;
    line("KEY", peer, "us", text("only we know"), known[seen->mode].we);
    line("KEY", peer, "both", text("we and the peer know"), known[seen->mode].both);
    line("KEY", peer, TEXT("wire"), text("who listens on the wire saw"), known[seen->mode].wire);
}

/* ---- records ---- */

static const struct record {
    const char *phase, *name, *why;
} records[] = {
    [2] = {"MSG", "end", TEXT("no more data this way, and how much it was")},
    [3] = {"QUIT", "bye", TEXT("all was written where it belongs")},
    [4] = {"MSG", "open", TEXT("a stream begins")},
    [7] = {"QUIT", "abort", TEXT("the stream is given up")},
    [9] = {"MSG", "ping", TEXT("is the peer there?")},
    [10] = {"MSG", "pong", TEXT("the answer to a ping")},
    [11] = {"AUTHENTICATION", "proof", TEXT("the connector proves itself")},
    [13] = {"KEY", "ask", TEXT("the listener wants a rekey")},
    [14] = {"KEY", "rekey 1", TEXT("message 1 of a rekey")},
    [15] = {"KEY", "rekey 2", TEXT("message 2 of a rekey")},
    [16] = {"KEY", "switch", TEXT("the last under the old key of this direction")},
    [17] = {"AUTHENTICATION", "question", TEXT("message 1 of the password question")},
    [18] = {"AUTHENTICATION", "challenge", TEXT("its message 2")},
    [19] = {"AUTHENTICATION", "attempt", TEXT("its message 3")},
    [20] = {"AUTHENTICATION", "verdict", TEXT("its message 4")},
};

static void tell_record(const char *peer, const struct usi_seen *seen)
{
    struct record r = {"MSG", TEXT("of no known type"), NULL};
    char what[160];

    if (seen->record >= 32 && seen->record <= 63)
        r.name = TEXT("of a chat");
    else if (seen->record >= 64 && seen->record <= 95)
        r.name = TEXT("of files");
    else if (seen->record < sizeof records / sizeof records[0] &&
             records[seen->record].name != NULL)
        r = records[seen->record];
    snprintf(what, sizeof what, text("record %" PRIu64 " under its key: type %u, %s, %zu octets"),
             seen->number, seen->record, text(r.name), seen->size);
    line(r.phase, peer, who_of(seen), what, r.why);
}

void dev_see(const struct dev *dev, const char *peer, const struct usi_seen *seen)
{
    switch (seen->type) {
    case USI_SEEN_HANDSHAKE:
        tell_handshake(peer, seen);
        break;
    case USI_SEEN_CIPHER:
        tell_cipher(peer, seen);
        break;
    case USI_SEEN_NAME:
        tell_name(peer, seen);
        break;
    case USI_SEEN_SHARE:
        tell_share(dev, peer, seen);
        break;
    case USI_SEEN_MESSAGE:
        tell_message(peer, seen);
        break;
    case USI_SEEN_KC:
        tell_kc(dev, peer, seen);
        break;
    case USI_SEEN_PROVED:
        line(phase_of("AUTHENTICATION", seen), peer, "peer", text("is authentic"),
             proved_text(seen));
        break;
    case USI_SEEN_KEY:
        tell_key(dev, peer, seen);
        break;
    case USI_SEEN_AGREED:
        tell_agreed(peer, seen);
        break;
    case USI_SEEN_RECORD:
        tell_record(peer, seen);
        break;
    case USI_SEEN_FAILED:
        line("QUIT", peer, "us", text("failed"), usi_error_text(-(int)seen->number));
        break;
    case USI_SEEN_OVER:
        line("QUIT", peer, "us", text("the channel is over, its keys are wiped"), NULL);
        break;
    default:
        if (!seen->secret && seen->type < sizeof rows / sizeof rows[0] &&
            rows[seen->type].what != NULL)
            tell_value(dev, peer, seen);
        break;
    }
}
