/* example KI NAME CONNECTOR LISTENER
 *
 * The worked example of PROTOCOL.md by libusi, for worked-example to compare: two channels in one
 * process, whose random octets are the arguments (all in hex). Each message and each record is a
 * line of output. OPENSSL_MODULES says where usi.so is. */
#include "channel/bytes.h"
#include "channel/crypto.h"
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
    struct usi_channel *channel;
    bool spoken; /* its handshake message is out: records follow */
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

static struct octets from_hex(const char *text)
{
    long size = 0;
    struct octets octets = {OPENSSL_hexstr2buf(text, &size), 0};

    need(octets.at != NULL && size > 0, "an argument that is not hex");
    octets.size = (size_t)size;
    return octets;
}

/* Challenges and private keys have 32 octets. Whatever else is drawn does not show on the wire. */
static int draw(const struct usi_crypto *crypto, uint8_t *out, size_t size)
{
    struct side *side = crypto->random_state;

    memset(out, 0, size);
    if (size != 32)
        return 0;
    if (side->left < size)
        return -1;
    memcpy(out, side->drawn.at + side->drawn.size - side->left, size);
    side->left -= size;
    return 0;
}

static void side_init(struct side *side, OSSL_LIB_CTX *libctx, struct octets ki, struct octets name,
                      bool connector)
{
    const char *what = "";

    side->left = side->drawn.size;
    need(usi_crypto_new(&side->crypto, libctx, NULL, &what) == 0, what);
    side->crypto->ml_kem = false; /* the example has none */
    side->ring = usi_keyring_new(side->crypto);
    need(side->ring != NULL, "memory");
    need(usi_keyring_add(side->ring, (const char *)name.at, name.size, ki.at, ki.size) == 0, "key");
    side->crypto->random_state = side;
    side->crypto->random = draw;
    need((connector ? usi_channel_connect : usi_channel_listen)(&side->channel, side->crypto,
                                                                side->ring, NULL, 0) == 0,
         "channel");
}

static void side_clear(struct side *side)
{
    usi_channel_free(side->channel);
    usi_keyring_free(side->ring);
    usi_crypto_free(side->crypto);
    OPENSSL_free(side->drawn.at);
}

static void print_pieces(struct side *side, const uint8_t *at, size_t size)
{
    struct usi_read r = usi_read_from(at, size);

    while (r.left > 0) {
        size_t prefix = side->spoken ? 4 : 2;
        size_t left = r.left;
        const uint8_t *piece = r.at;
        size_t length = (size_t)usi_read_number(&r, prefix);

        need(usi_read_bytes(&r, length) != NULL, "a piece that ends too early");
        (void)printf("%s ", side->title);
        for (size_t i = 0; i < left - r.left; i++)
            (void)printf("%02x", piece[i]);
        (void)printf("\n");
        side->spoken = true;
    }
}

/* Sends what waits, and `text` if it is not NULL. */
static void pass(struct side *from, struct side *to, const char *text)
{
    uint8_t wire[USI_SEND_ROOM];
    size_t size = text != NULL ? strlen(text) : 0;
    size_t taken = 0, made = 0;
    int result = usi_channel_send(from->channel, (const uint8_t *)text, size, &taken, wire,
                                  sizeof wire, &made);

    need(result == 0 && taken == size, usi_error_text(result));
    print_pieces(from, wire, made);
    for (size_t used = 0; used < made; used += taken) {
        struct usi_buffer buffer = {to->data, sizeof to->data, 0};
        struct usi_event event;

        result =
            usi_channel_receive(to->channel, wire + used, made - used, &taken, &buffer, &event);
        need(result == 0, usi_error_text(result));
    }
}

static void stop_unless_0(int result)
{
    need(result == 0, usi_error_text(result));
}

static void play(struct side *connector, struct side *listener)
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
    stop_unless_0(usi_channel_rekey(c));
    pass(connector, listener, NULL); /* rekey 1 */
    pass(listener, connector, NULL); /* rekey 2 */
    pass(connector, listener, NULL); /* switch, proof */
    pass(listener, connector, NULL); /* switch */
    stop_unless_0(usi_channel_open(c));
    pass(connector, listener, "again");
    pass(listener, connector, "ok");
}

int main(int argc, char **argv)
{
    need(argc == 5, "usage: example KI NAME CONNECTOR LISTENER");
    static struct side connector = {.title = "connector"}, listener = {.title = "listener"};
    struct octets ki = from_hex(argv[1]);
    struct octets name = from_hex(argv[2]);
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *base = OSSL_PROVIDER_load(libctx, "default");
    OSSL_PROVIDER *usi = OSSL_PROVIDER_load(libctx, "usi");

    need(base != NULL && usi != NULL, "cannot load the providers");
    connector.drawn = from_hex(argv[3]);
    listener.drawn = from_hex(argv[4]);
    side_init(&connector, libctx, ki, name, true);
    side_init(&listener, libctx, ki, name, false);
    play(&connector, &listener);
    side_clear(&listener);
    side_clear(&connector);
    OSSL_PROVIDER_unload(usi);
    OSSL_PROVIDER_unload(base);
    OSSL_LIB_CTX_free(libctx);
    OPENSSL_free(name.at);
    OPENSSL_free(ki.at);
    return fflush(stdout) == 0 ? 0 : 1;
}
