#include "channel/record.h"

#include "channel/bytes.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <string.h>

/* The context, made again if it was given back. */
static EVP_CIPHER_CTX *awake(struct usi_record_key *k, int encrypt)
{
    if (k->ctx != NULL)
        return k->ctx;
    if (k->cipher == NULL)
        return NULL;
    k->ctx = EVP_CIPHER_CTX_new();
    if (k->ctx != NULL &&
        EVP_CipherInit_ex2(k->ctx, k->cipher->evp, k->key, NULL, encrypt, NULL) == 1)
        return k->ctx;
    EVP_CIPHER_CTX_free(k->ctx);
    k->ctx = NULL;
    return NULL;
}

static int set_key(struct usi_record_key *k, const struct usi_cipher *cipher,
                   const uint8_t key[USI_KEY], int encrypt)
{
    k->cipher = cipher;
    memcpy(k->key, key, cipher->key_size);
    return awake(k, encrypt) != NULL ? 0 : USI_ERR_INTERNAL;
}

static void rest(struct usi_record_key *k)
{
    EVP_CIPHER_CTX_free(k->ctx); /* libcrypto wipes the key schedule */
    k->ctx = NULL;
}

/* Begins a record: its nonce and its associated data. */
static bool begin(EVP_CIPHER_CTX *ctx, uint64_t counter, const uint8_t header[USI_RECORD_HEADER])
{
    uint8_t nonce[USI_NONCE];
    int n = 0;

    usi_cipher_nonce(nonce, counter);
    return EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &n, header, USI_RECORD_HEADER) == 1;
}

/* ---- sealing ---- */

int usi_sealer_key(struct usi_sealer *s, const struct usi_cipher *cipher,
                   const uint8_t key[USI_KEY])
{
    *s = (struct usi_sealer){0};
    return set_key(&s->key, cipher, key, 1);
}

void usi_sealer_clear(struct usi_sealer *s)
{
    rest(&s->key);
    OPENSSL_cleanse(s, sizeof *s);
}

void usi_sealer_rest(struct usi_sealer *s)
{
    rest(&s->key);
}

/* Zero octets that pad a record, and its type octet. */
static size_t tail_size(enum usi_record_type type, size_t size)
{
    if (type == USI_RECORD_TYPE_DATA)
        return 1;
    return USI_RECORD_STEP - size % USI_RECORD_STEP;
}

size_t usi_seal_size(enum usi_record_type type, size_t size)
{
    return USI_RECORD_HEADER + size + tail_size(type, size) + USI_TAG;
}

int usi_seal(struct usi_sealer *s, enum usi_record_type type, const uint8_t *content, size_t size,
             uint8_t *out, size_t *made)
{
    uint8_t tail[USI_RECORD_STEP] = {(uint8_t)type};
    size_t tail_length = tail_size(type, size);
    size_t body = size + tail_length;
    uint8_t *at = out + USI_RECORD_HEADER;
    EVP_CIPHER_CTX *ctx = awake(&s->key, 1);
    OSSL_PARAM get_tag[2];
    int n = 0, m = 0, last = 0;

    if (s->counter == UINT64_MAX)
        return USI_ERR_KEY_LIMIT;
    usi_put_number(out, body + USI_TAG, USI_RECORD_HEADER);
    if (ctx == NULL || !begin(ctx, s->counter, out) ||
        (size > 0 && EVP_EncryptUpdate(ctx, at, &n, content, (int)size) != 1) ||
        EVP_EncryptUpdate(ctx, at + n, &m, tail, (int)tail_length) != 1 ||
        EVP_EncryptFinal_ex(ctx, at + n + m, &last) != 1 ||
        (size_t)n + (size_t)m + (size_t)last != body)
        return USI_ERR_INTERNAL;
    get_tag[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, at + body, USI_TAG);
    get_tag[1] = OSSL_PARAM_construct_end();
    if (EVP_CIPHER_CTX_get_params(ctx, get_tag) != 1)
        return USI_ERR_INTERNAL;
    s->counter++;
    *made = USI_RECORD_HEADER + body + USI_TAG;
    s->wire += *made;
    return 0;
}

/* ---- opening ---- */

int usi_opener_key(struct usi_opener *o, const struct usi_cipher *cipher,
                   const uint8_t key[USI_KEY])
{
    *o = (struct usi_opener){.length_max = USI_RECORD_LENGTH_MAX};
    return set_key(&o->key, cipher, key, 0);
}

void usi_opener_clear(struct usi_opener *o)
{
    rest(&o->key);
    OPENSSL_cleanse(o, sizeof *o);
}

void usi_opener_rest(struct usi_opener *o)
{
    if (o->taken == 0)
        rest(&o->key);
}

size_t usi_open_want(const struct usi_opener *o)
{
    if (o->taken < USI_RECORD_HEADER)
        return USI_RECORD_HEADER + USI_RECORD_LENGTH_MIN - o->taken;
    return USI_RECORD_HEADER + o->body + USI_TAG - o->taken;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Copies what is there of the part of a record that begins at `start` and is `length`
 * octets long. */
static size_t take_part(struct usi_opener *o, size_t start, size_t length, uint8_t *part,
                        const uint8_t *in, size_t size)
{
    size_t had = o->taken - start;
    size_t n = least(length - had, size);

    memcpy(part + had, in, n);
    o->taken += n;
    return n;
}

static int open_header(struct usi_opener *o)
{
    struct usi_read r = usi_read_from(o->header, USI_RECORD_HEADER);
    size_t length = (size_t)usi_read_number(&r, USI_RECORD_HEADER);

    if (length < USI_RECORD_LENGTH_MIN || length > o->length_max)
        return USI_ERR_FORMAT;
    o->body = length - USI_TAG;
    o->plain = 0;
    EVP_CIPHER_CTX *ctx = awake(&o->key, 0);
    return ctx != NULL && begin(ctx, o->counter, o->header) ? 0 : USI_ERR_INTERNAL;
}

/* The tag is in: is the record authentic, and what does it say? */
static int open_tail(struct usi_opener *o, uint8_t *plain, size_t *content, uint8_t *type)
{
    const OSSL_PARAM set_tag[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, o->tag, USI_TAG),
        OSSL_PARAM_construct_end()};
    int last = 0;

    if (EVP_CIPHER_CTX_set_params(o->key.ctx, set_tag) != 1)
        return USI_ERR_INTERNAL;
    if (EVP_DecryptFinal_ex(o->key.ctx, plain + o->plain, &last) != 1) {
        OPENSSL_cleanse(plain, o->body);
        return USI_ERR_TAMPERED;
    }
    size_t end = o->body;
    size_t stop = end > USI_RECORD_PADDING_MAX ? end - USI_RECORD_PADDING_MAX : 1;
    while (end > stop && plain[end - 1] == 0)
        end--;
    *type = plain[end - 1];
    *content = end - 1;
    if (*type == 0 || *content > USI_RECORD_DATA) {
        OPENSSL_cleanse(plain, o->body);
        return USI_ERR_PROTOCOL;
    }
    o->counter++;
    o->wire += o->taken;
    o->taken = 0;
    o->body = 0;
    return USI_OPEN_RECORD;
}

int usi_open(struct usi_opener *o, const uint8_t *in, size_t size, size_t *taken, uint8_t *plain,
             size_t room, size_t *content, uint8_t *type)
{
    size_t used = 0;
    int result;

    *taken = 0;
    if (o->taken < USI_RECORD_HEADER) {
        used = take_part(o, 0, USI_RECORD_HEADER, o->header, in, size);
        *taken = used;
        if (o->taken < USI_RECORD_HEADER)
            return USI_OPEN_MORE;
        if ((result = open_header(o)) != 0)
            return result;
    }
    if (o->body > room)
        return USI_OPEN_ROOM;
    if (o->taken < USI_RECORD_HEADER + o->body && used < size) {
        size_t n = least(USI_RECORD_HEADER + o->body - o->taken, size - used);
        int made = 0;
        if (EVP_DecryptUpdate(o->key.ctx, plain + o->plain, &made, in + used, (int)n) != 1)
            return USI_ERR_INTERNAL;
        o->plain += (size_t)made;
        o->taken += n;
        used += n;
    }
    if (o->taken >= USI_RECORD_HEADER + o->body)
        used += take_part(o, USI_RECORD_HEADER + o->body, USI_TAG, o->tag, in + used, size - used);
    *taken = used;
    if (o->taken < USI_RECORD_HEADER + o->body + USI_TAG)
        return USI_OPEN_MORE;
    return open_tail(o, plain, content, type);
}
