/* example key KI NAME CONNECTOR LISTENER
 * example identity CONNECTOR'S-SEED LISTENER'S-SEED PASSWORD SALT NAME CONNECTOR LISTENER
 * example password PASSWORD SALT NAME CONNECTOR LISTENER
 *
 * The worked examples of PROTOCOL.md by libusi, for worked-example to compare: two channels in one
 * process, whose random octets are CONNECTOR and LISTENER (all in hex). Each message and each
 * record is a line of output. OPENSSL_MODULES says where usi.so is. */
#include "channel/bytes.h"
#include "channel/crypto.h"
#include "channel/spake2.h"
#include "usi/channel.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct octets {
    uint8_t *at;
    size_t size;
};

struct side {
    const char *title;
    struct octets drawn; /* what it will draw, and `left` of it */
    size_t left;
    struct usi_crypto *crypto;
    struct usi_keyring *ring;
    struct usi_identity *identity;
    struct usi_channel *channel;
    struct octets password;
    unsigned messages; /* of the handshake that it has yet to send; records follow */
    uint8_t data[USI_RECORD_ROOM];
};

static void need(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "example: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void stop_unless_0(int result)
{
    need(result == 0, usi_error_text(result));
}

static struct octets from_hex(const char *text)
{
    long size = 0;
    struct octets octets = {OPENSSL_hexstr2buf(text, &size), 0};

    need(octets.at != NULL && size > 0, "an argument that is not hex");
    octets.size = (size_t)size;
    return octets;
}

/* Challenges and private keys have 32 octets; a scalar is drawn as 40, for it is taken mod the
 * order: those before its 32 are 0. Whatever else is drawn does not show on the wire. */
static int draw(const struct usi_crypto *crypto, uint8_t *out, size_t size)
{
    struct side *side = crypto->random_state;
    const size_t drawn = 32;

    memset(out, 0, size);
    if (size != drawn && size != USI_SPAKE2_RANDOM)
        return 0;
    if (side->left < drawn)
        return -1;
    memcpy(out + size - drawn, side->drawn.at + side->drawn.size - side->left, drawn);
    side->left -= drawn;
    return 0;
}

static void side_init(struct side *side, OSSL_LIB_CTX *libctx, struct octets name)
{
    const char *what = "";

    side->left = side->drawn.size;
    side->messages = 1;
    need(usi_crypto_new(&side->crypto, libctx, NULL, &what) == 0 && side->crypto != NULL, what);
    side->crypto->ml_kem = false; /* the examples have none */
    side->ring = usi_keyring_new(side->crypto);
    need(side->ring != NULL, "memory");
    stop_unless_0(usi_keyring_set_name(side->ring, (const char *)name.at, name.size));
}

static void side_begin(struct side *side, enum usi_mode mode, bool connector)
{
    struct usi_settings settings = {.mode = mode};

    side->crypto->random_state = side;
    side->crypto->random = draw;
    stop_unless_0((connector ? usi_channel_connect : usi_channel_listen)(
        &side->channel, side->crypto, side->ring, &settings, 0));
}

static void set_identity(struct side *side, OSSL_LIB_CTX *libctx, struct octets seed)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(libctx, "ED25519", NULL, seed.at, seed.size);

    need(key != NULL, "seed");
    stop_unless_0(usi_identity_from_key(&side->identity, side->crypto, key));
    usi_keyring_set_identity(side->ring, side->identity, false);
    EVP_PKEY_free(key);
}

static void set_password(struct side *side, struct octets salt)
{
    struct usi_tries tries = {.burst = 3};
    uint8_t stretched[USI_STRETCHED];

    need(salt.size == USI_SALT, "salt");
    stop_unless_0(usi_password_stretch(side->crypto, (const char *)side->password.at,
                                       side->password.size, salt.at, stretched));
    stop_unless_0(usi_keyring_set_password(side->ring, salt.at, stretched, &tries));
}

static void side_clear(struct side *side)
{
    usi_channel_free(side->channel);
    usi_keyring_free(side->ring);
    usi_identity_free(side->identity);
    usi_crypto_free(side->crypto);
    OPENSSL_free(side->drawn.at);
}

static void print_pieces(struct side *side, const uint8_t *at, size_t size)
{
    struct usi_read r = usi_read_from(at, size);

    while (r.left > 0) {
        size_t prefix = side->messages > 0 ? 2 : 4;
        size_t left = r.left;
        const uint8_t *piece = r.at;
        size_t length = (size_t)usi_read_number(&r, prefix);

        need(usi_read_bytes(&r, length) != NULL, "a piece that ends too early");
        (void)printf("%s ", side->title);
        for (size_t i = 0; i < left - r.left; i++)
            (void)printf("%02x", piece[i]);
        (void)printf("\n");
        if (side->messages > 0)
            side->messages--;
    }
}

/* The connector's password, under the salt that has come. */
static void stretch(struct side *side)
{
    uint8_t stretched[USI_STRETCHED];

    stop_unless_0(usi_password_stretch(side->crypto, (const char *)side->password.at,
                                       side->password.size, usi_channel_salt(side->channel),
                                       stretched));
    stop_unless_0(usi_channel_stretched(side->channel, stretched));
}

/* Sends what waits, and `text` if it is not NULL. */
static void pass(struct side *from, struct side *to, const char *text)
{
    uint8_t wire[USI_SEND_ROOM];
    size_t size = text != NULL ? strlen(text) : 0;
    size_t taken = 0, made = 0;
    int result = usi_channel_send(from->channel, (const uint8_t *)text, size, &taken, wire,
                                  sizeof wire, &made);

    stop_unless_0(result);
    need(taken == size, "not all was sent");
    print_pieces(from, wire, made);
    for (size_t used = 0; used < made; used += taken) {
        struct usi_buffer buffer = {to->data, sizeof to->data, 0};
        struct usi_event event;

        result =
            usi_channel_receive(to->channel, wire + used, made - used, &taken, &buffer, &event);
        stop_unless_0(result);
        if (event.type == USI_EVENT_SALT)
            stretch(to);
    }
}

/* A rekey by the connector, and a stream under the new keys. */
static void go_on(struct side *connector, struct side *listener)
{
    stop_unless_0(usi_channel_rekey(connector->channel));
    pass(connector, listener, NULL); /* rekey 1 */
    pass(listener, connector, NULL); /* rekey 2 */
    pass(connector, listener, NULL); /* switch, proof */
    pass(listener, connector, NULL); /* switch */
    stop_unless_0(usi_channel_open(connector->channel));
    pass(connector, listener, "again");
    pass(listener, connector, "ok");
}

static void play_key(struct side *connector, struct side *listener)
{
    struct usi_channel *c = connector->channel, *l = listener->channel;

    pass(connector, listener, NULL); /* message 1 */
    pass(listener, connector, NULL); /* message 2 */
    stop_unless_0(usi_channel_open(c));
    pass(connector, listener, "hello");
    stop_unless_0(usi_channel_end(c));
    pass(connector, listener, NULL);
    stop_unless_0(usi_channel_end(l));
    stop_unless_0(usi_channel_bye(l));
    pass(listener, connector, NULL);
    stop_unless_0(usi_channel_bye(c));
    pass(connector, listener, NULL);
    go_on(connector, listener);
}

static void play_identity(struct side *connector, struct side *listener)
{
    const struct usi_peer *peer = NULL;

    pass(connector, listener, NULL); /* message 1 */
    pass(listener, connector, NULL); /* message 2 */
    pass(connector, listener, NULL); /* proof */
    peer = usi_channel_peer(listener->channel);
    need(peer != NULL, "the connector has shown no identity");
    (void)printf("fingerprint ");
    for (size_t i = 0; i < sizeof peer->fingerprint; i++)
        (void)printf("%02x", peer->fingerprint[i]);
    (void)printf("\n");
    stop_unless_0(usi_channel_accept(connector->channel));
    stop_unless_0(usi_channel_accept(listener->channel));
    stop_unless_0(usi_channel_question(connector->channel));
    pass(connector, listener, NULL); /* question */
    pass(listener, connector, NULL); /* challenge */
    pass(connector, listener, NULL); /* attempt */
    pass(listener, connector, NULL); /* verdict */
    go_on(connector, listener);
}

static void play_password(struct side *connector, struct side *listener)
{
    connector->messages = listener->messages = 2;
    pass(connector, listener, NULL); /* (1) */
    pass(listener, connector, NULL); /* (2) */
    pass(connector, listener, NULL); /* (3) */
    pass(listener, connector, NULL); /* (4) */
    pass(connector, listener, NULL); /* proof */
    go_on(connector, listener);
}

/* given: the arguments before NAME. */
static void run(const char *mode, struct octets *given, struct octets name, struct side *connector,
                struct side *listener, OSSL_LIB_CTX *libctx)
{
    side_init(connector, libctx, name);
    side_init(listener, libctx, name);
    if (strcmp(mode, "key") == 0) {
        for (int i = 0; i < 2; i++)
            stop_unless_0(usi_keyring_add((i == 0 ? connector : listener)->ring,
                                          (const char *)name.at, name.size, given[0].at,
                                          given[0].size));
        side_begin(connector, USI_MODE_KEY, true);
        side_begin(listener, 0, false);
        play_key(connector, listener);
    } else if (strcmp(mode, "identity") == 0) {
        set_identity(connector, libctx, given[0]);
        set_identity(listener, libctx, given[1]);
        connector->password = listener->password = given[2];
        set_password(listener, given[3]);
        side_begin(connector, USI_MODE_IDENTITY, true);
        side_begin(listener, 0, false);
        play_identity(connector, listener);
    } else {
        connector->password = listener->password = given[0];
        set_password(listener, given[1]);
        side_begin(connector, USI_MODE_PASSWORD, true);
        side_begin(listener, 0, false);
        play_password(connector, listener);
    }
}

/* How many arguments a mode has before NAME; 0: there is no such mode. */
static int given_for(const char *mode)
{
    static const struct {
        const char *mode;
        int given;
    } table[] = {{"key", 1}, {"identity", 4}, {"password", 2}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(mode, table[i].mode) == 0)
            return table[i].given;
    return 0;
}

int main(int argc, char **argv)
{
    static struct side connector = {.title = "connector"}, listener = {.title = "listener"};
    struct octets given[4] = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    int count = argc - 5; /* without the program, MODE, NAME, CONNECTOR, LISTENER */

    need(count > 0 && count == given_for(argv[1]),
         "usage: example MODE GIVEN... NAME CONNECTOR LISTENER");
    for (int i = 0; i < count; i++)
        given[i] = from_hex(argv[2 + i]);
    struct octets name = from_hex(argv[2 + count]);
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *base = OSSL_PROVIDER_load(libctx, "default");
    OSSL_PROVIDER *usi = OSSL_PROVIDER_load(libctx, "usi");

    need(base != NULL && usi != NULL, "cannot load the providers");
    connector.drawn = from_hex(argv[3 + count]);
    listener.drawn = from_hex(argv[4 + count]);
    run(argv[1], given, name, &connector, &listener, libctx);
    side_clear(&listener);
    side_clear(&connector);
    OSSL_PROVIDER_unload(usi);
    OSSL_PROVIDER_unload(base);
    OSSL_LIB_CTX_free(libctx);
    OPENSSL_free(name.at);
    for (int i = 0; i < count; i++)
        OPENSSL_free(given[i].at);
    return fflush(stdout) == 0 ? 0 : 1;
}
