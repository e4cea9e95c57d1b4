/*
 * AES-OCB, each path of the provider beside libcrypto's own: the input says key, nonce, tag,
 * associated data and message, the pieces in which they are passed, whether in place, whether in a
 * context that was used before or is copied in the middle. Both give the same, and what was changed
 * is refused.
 *
 * An input is: the path and key size, a seed, what else happens, the sizes of nonce and tag, the
 * sizes (two octets) of associated data and message, then pieces.
 */
#include "algorithms/ocb.h"
#include "fuzz.h"
#include "provider.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern OSSL_provider_init_fn OSSL_provider_init;

enum { PATHS = 8, SIZE = 5000, AAD = 700, TAG = 16, NONCE = 15 };
enum { IN_PLACE = 1, COPY = 2, WARM = 4, SPOIL = 8, WHOLE = 16 };

struct message {
    uint8_t key[32], nonce[NONCE], aad[AAD], in[SIZE], sealed[SIZE], tag[TAG];
    size_t key_size, nonce_size, aad_size, size, tag_size;
};

/* ---- implementations: for the life of the process ---- */

static EVP_CIPHER *ciphers[PATHS][3], *theirs[3];
static size_t path_count;
static const struct ocb_path *wanted;

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                void **vprovider)
{
    if (!OSSL_provider_init(handle, in, out, vprovider))
        return 0;
    ((struct provider *)*vprovider)->ocb = wanted;
    return 1;
}

static void load(const struct ocb_path *path, EVP_CIPHER *to[3])
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    char name[16];

    wanted = path;
    REQUIRE(libctx != NULL);
    if (path != NULL)
        REQUIRE(OSSL_PROVIDER_add_builtin(libctx, "usi", init) == 1 &&
                OSSL_PROVIDER_load(libctx, "usi") != NULL);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "AES-%u-OCB", 128 + 64 * i);
        to[i] = EVP_CIPHER_fetch(libctx, name, NULL);
        REQUIRE(to[i] != NULL);
    }
}

static void load_all(void)
{
    if (path_count > 0)
        return;
    load(NULL, theirs);
    for (const struct ocb_path *const *path = ocb_paths; *path != NULL; path++)
        if ((*path)->able()) {
            REQUIRE(path_count < PATHS);
            load(*path, ciphers[path_count++]);
        }
}

/* ---- a message through a context ---- */

/* A copy goes on where the context stood. */
static void copy_context(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX *copy = EVP_CIPHER_CTX_new();

    REQUIRE(copy != NULL && EVP_CIPHER_CTX_copy(copy, *ctx) == 1);
    EVP_CIPHER_CTX_free(*ctx);
    *ctx = copy;
}

static void begin(EVP_CIPHER_CTX *ctx, EVP_CIPHER *cipher, const struct message *m, bool seals)
{
    uint8_t tag[TAG];

    REQUIRE(EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, seals, NULL) == 1);
    REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)m->nonce_size, NULL) == 1);
    REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)m->tag_size, NULL) == 1);
    REQUIRE(EVP_CipherInit_ex2(ctx, NULL, m->key, m->nonce, -1, NULL) == 1);
    memcpy(tag, m->tag, sizeof tag);
    if (!seals)
        REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)m->tag_size, tag) == 1);
}

/* Any piece, of associated data or of the message, until there is no more. */
static bool pass(EVP_CIPHER_CTX **ctx, const struct message *m, struct fuzz_input *pieces,
                 unsigned how, const uint8_t *in, uint8_t *out)
{
    size_t aad = 0, taken = 0, made = 0;
    int n = 0;

    while (aad < m->aad_size || taken < m->size) {
        unsigned octet = fuzz_take(pieces);
        size_t size = (octet & 0x3f) * (octet & 0x40 ? 16u : 1u);
        bool of_aad = aad < m->aad_size && ((octet & 0x80) != 0 || taken == m->size);
        size_t left = of_aad ? m->aad_size - aad : m->size - taken;
        if (size > left || pieces->size == 0)
            size = left;
        if (of_aad) {
            REQUIRE(EVP_CipherUpdate(*ctx, NULL, &n, m->aad + aad, (int)size) == 1);
            aad += size;
        } else {
            REQUIRE(EVP_CipherUpdate(*ctx, out + made, &n, in + taken, (int)size) == 1);
            taken += size;
            made += (size_t)n;
            REQUIRE(made <= taken && made + 16 > taken);
        }
        if (how & COPY && octet % 8 == 3)
            copy_context(ctx);
    }
    bool sound = EVP_CipherFinal_ex(*ctx, out + made, &n) == 1;
    REQUIRE(!sound || made + (size_t)n == m->size);
    return sound;
}

/* A context that had another key, nonce and message before. */
static EVP_CIPHER_CTX *context(EVP_CIPHER *cipher, const struct message *m, unsigned how)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t key[32] = {1}, nonce[12] = {2}, octets[100] = {3}, out[116];
    int n;

    REQUIRE(ctx != NULL);
    if (how & WARM)
        REQUIRE(EVP_EncryptInit_ex2(ctx, cipher, key, nonce, NULL) == 1 &&
                EVP_EncryptUpdate(ctx, out, &n, octets, (int)(1 + m->size % 99)) == 1);
    return ctx;
}

static void seal_theirs(struct message *m)
{
    struct fuzz_input none = {NULL, 0};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    REQUIRE(ctx != NULL);
    begin(ctx, theirs[m->key_size / 8 - 2], m, true);
    REQUIRE(pass(&ctx, m, &none, 0, m->in, m->sealed));
    REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)m->tag_size, m->tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

/* By EVP_Cipher, in one call each. */
static bool whole(EVP_CIPHER_CTX *ctx, const struct message *m, const uint8_t *in, uint8_t *out)
{
    if (m->aad_size > 0)
        REQUIRE(EVP_Cipher(ctx, NULL, m->aad, (unsigned)m->aad_size) >= 0);
    return EVP_Cipher(ctx, out, in, (unsigned)m->size) == (int)m->size;
}

/* Seals or opens by the path; memory of just the size, for the sanitizers. */
static void run(EVP_CIPHER *cipher, struct message *m, struct fuzz_input pieces, unsigned how,
                bool seals)
{
    const uint8_t *from = seals ? m->in : m->sealed, *to = seals ? m->sealed : m->in;
    uint8_t *in = malloc(m->size + 1), *out = how & IN_PLACE ? in : malloc(m->size + 1);
    EVP_CIPHER_CTX *ctx = context(cipher, m, how);
    uint8_t tag[TAG] = {0};

    REQUIRE(in != NULL && out != NULL);
    memcpy(in, from, m->size);
    begin(ctx, cipher, m, seals);
    bool in_one = how & WHOLE && m->size > 0;
    bool sound = in_one ? whole(ctx, m, in, out) : pass(&ctx, m, &pieces, how, in, out);
    REQUIRE(sound && memcmp(out, to, m->size) == 0);
    if (seals)
        REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)m->tag_size, tag) == 1 &&
                memcmp(tag, m->tag, m->tag_size) == 0);
    EVP_CIPHER_CTX_free(ctx);
    if (out != in)
        free(out);
    free(in);
}

/* One bit of what was sealed is another: it does not open. */
static void spoil(EVP_CIPHER *cipher, struct message *m, struct fuzz_input pieces, unsigned bit)
{
    struct message *bad = malloc(sizeof *bad);
    uint8_t *out = malloc(m->size + 1);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    size_t octets = m->size + m->tag_size + m->aad_size, at = bit / 8 % octets;

    REQUIRE(bad != NULL && out != NULL && ctx != NULL);
    *bad = *m;
    *(at < m->size                 ? &bad->sealed[at]
      : at < m->size + m->tag_size ? &bad->tag[at - m->size]
                                   : &bad->aad[at - m->size - m->tag_size]) ^=
        (uint8_t)(1u << bit % 8);
    begin(ctx, cipher, bad, false);
    REQUIRE(!pass(&ctx, bad, &pieces, 0, bad->sealed, out));
    ERR_clear_error();
    EVP_CIPHER_CTX_free(ctx);
    free(out);
    free(bad);
}

static void fill(uint64_t *dice, uint8_t *octets, size_t size)
{
    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t)fuzz_dice(dice, 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message message;
    struct message *m = &message;
    struct fuzz_input input = {data, size};
    unsigned which = fuzz_take(&input), how;
    uint64_t dice = fuzz_take(&input);

    load_all();
    how = fuzz_take(&input);
    m->key_size = 16 + 8 * (size_t)(which / 16 % 3);
    m->nonce_size = 1 + fuzz_take(&input) % NONCE;
    m->tag_size = 1 + fuzz_take(&input) % TAG;
    m->aad_size = fuzz_take_pair(&input) % (AAD + 1);
    m->size = fuzz_take_pair(&input) % (SIZE + 1);
    fill(&dice, m->key, sizeof m->key);
    fill(&dice, m->nonce, sizeof m->nonce);
    fill(&dice, m->aad, m->aad_size);
    fill(&dice, m->in, m->size);
    seal_theirs(m);
    EVP_CIPHER *cipher = ciphers[which % 16 % path_count][m->key_size / 8 - 2];
    run(cipher, m, input, how, true);
    run(cipher, m, input, how, false);
    if (how & SPOIL && m->tag_size == TAG) /* a shorter one is guessed at times */
        spoil(cipher, m, input, (unsigned)fuzz_dice(&dice, 1 << 20));
    return 0;
}

/* ---- seeds ---- */

static size_t generate(uint64_t *dice, uint8_t *out, size_t room)
{
    size_t size = 9 + fuzz_dice(dice, 40);

    (void)room;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)fuzz_dice(dice, 256);
    if (fuzz_dice(dice, 2) == 0)
        out[5] = out[7] = 0;
    return size;
}

/* Sizes around those at which the paths change their ways. */
static void seeds(fuzz_keep *keep)
{
    static const uint16_t sizes[] = {0, 1, 15, 16, 17, 127, 128, 255, 256, 513, 1024, 4097};
    char name[40];

    for (uint8_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t input[] = {(uint8_t)(i % 4 | i % 3 << 4),
                           i,
                           (uint8_t)(i * 5),
                           11,
                           TAG - 1,
                           0,
                           (uint8_t)(4 * i),
                           (uint8_t)(sizes[i] >> 8),
                           (uint8_t)sizes[i],
                           0x85,
                           0x0b,
                           0x43,
                           0x01,
                           0x91,
                           0x7f};
        (void)snprintf(name, sizeof name, "size-%u", sizes[i]);
        keep(name, input, i % 3 == 0 ? 9 : sizeof input);
    }
}

const struct fuzz_target fuzz_target = {.generate = generate, .seeds = seeds};
