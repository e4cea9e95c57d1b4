#include "tuak.h"

#include <openssl/crypto.h>
#include <string.h>

enum { RATE = 136, INPUT_SIZE = 96, OUTPUT_SIZE = 102 };

/* INSTANCE: its first two bits name the function, the others the sizes. */
enum {
    INSTANCE_F1 = 0x00,
    INSTANCE_F1_STAR = 0x80,
    INSTANCE_F2345 = 0x40,
    INSTANCE_F5_STAR = 0xc0
};

static unsigned instance_size(size_t size)
{
    return (unsigned char)(size >= 8 ? size
                                     : 0); /* 64, 128, 256 bits are bits 4, 3, 2; 32 bits none */
}

/* TUAK numbers bits and octets from the other end than Keccak does. */
static void put(unsigned char *out, const unsigned char *in, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = in[size - 1 - i];
}

/* The first OUTPUT_SIZE octets of the state after the last iteration. NULL in input is zeros. */
static bool keccak(const EVP_MD *shake256, const struct tuak_sizes *sizes, unsigned instance,
                   const struct tuak_input *input, unsigned char out[OUTPUT_SIZE])
{
    unsigned char in[INPUT_SIZE] = {0};
    unsigned char short_stream[RATE + OUTPUT_SIZE], *stream = short_stream;
    const size_t skip = RATE * (sizes->iterations - 1); /* each squeezing is one more iteration */
    EVP_MD_CTX *shake = EVP_MD_CTX_new();
    bool ok;

    if (skip + OUTPUT_SIZE > sizeof(short_stream))
        stream = OPENSSL_malloc(skip + OUTPUT_SIZE);
    put(in, input->topc, 32);
    in[32] = (unsigned char)(instance | (sizes->key == 32 ? 1U : 0U));
    put(in + 33, (const unsigned char *)"TUAK1.0", 7);
    if (input->rand != NULL)
        put(in + 40, input->rand, AKA_RAND_SIZE);
    if (input->amf != NULL)
        put(in + 56, input->amf, AKA_AMF_SIZE);
    if (input->sqn != NULL)
        put(in + 58, input->sqn, AKA_SQN_SIZE);
    put(in + 64, input->k, sizes->key);
    ok = shake != NULL && stream != NULL && EVP_DigestInit_ex2(shake, shake256, NULL) &&
         EVP_DigestUpdate(shake, in, sizeof(in)) &&
         EVP_DigestFinalXOF(shake, stream, skip + OUTPUT_SIZE);
    if (ok)
        memcpy(out, stream + skip, OUTPUT_SIZE);
    OPENSSL_cleanse(in, sizeof(in));
    if (stream == short_stream)
        OPENSSL_cleanse(short_stream, sizeof(short_stream));
    else
        OPENSSL_clear_free(stream, skip + OUTPUT_SIZE);
    EVP_MD_CTX_free(shake);
    return ok;
}

bool tuak_topc(const EVP_MD *shake256, const struct tuak_sizes *sizes, const unsigned char *k,
               const unsigned char *top, unsigned char *topc)
{
    const struct tuak_input input = {.k = k, .topc = top};
    unsigned char out[OUTPUT_SIZE];
    bool ok = keccak(shake256, sizes, 0, &input, out);

    if (ok)
        put(topc, out, TUAK_TOPC_SIZE);
    OPENSSL_cleanse(out, sizeof(out));
    return ok;
}

bool tuak_run(const EVP_MD *shake256, const struct tuak_sizes *sizes,
              const struct tuak_input *input, unsigned wanted, struct aka_values *values)
{
    const struct tuak_input without = {.k = input->k, .topc = input->topc, .rand = input->rand};
    const unsigned mac = instance_size(sizes->mac);
    const unsigned keys = (sizes->ck == 32 ? 4U : 0U) | (sizes->ik == 32 ? 2U : 0U);
    const struct {
        unsigned function, instance;
        const struct tuak_input *input;
        struct part {
            unsigned char *to;
            size_t from, size; /* in the output */
        } parts[4];
    } all[] = {
        {AKA_F1, INSTANCE_F1 | mac, input, {{values->mac_a, 0, sizes->mac}}},
        {AKA_F1_STAR, INSTANCE_F1_STAR | mac, input, {{values->mac_s, 0, sizes->mac}}},
        {AKA_F2345,
         INSTANCE_F2345 | instance_size(sizes->res) | keys,
         &without,
         {{values->res, 0, sizes->res},
          {values->ck, 32, sizes->ck},
          {values->ik, 64, sizes->ik},
          {values->ak, 96, AKA_AK_SIZE}}},
        {AKA_F5_STAR, INSTANCE_F5_STAR, &without, {{values->ak_star, 96, AKA_AK_SIZE}}},
    };
    unsigned char out[OUTPUT_SIZE];
    bool ok = true;

    for (size_t n = 0; ok && n < sizeof(all) / sizeof(all[0]); n++) {
        if ((wanted & all[n].function) == 0)
            continue;
        ok = keccak(shake256, sizes, all[n].instance, all[n].input, out);
        for (size_t i = 0; ok && i < 4 && all[n].parts[i].to != NULL; i++)
            put(all[n].parts[i].to, out + all[n].parts[i].from, all[n].parts[i].size);
    }
    OPENSSL_cleanse(out, sizeof(out));
    return ok;
}
