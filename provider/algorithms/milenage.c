#include "milenage.h"

#include <openssl/crypto.h>
#include <string.h>

/* Padding is left on: it would come with EVP_EncryptFinal_ex(), which is never called. */
bool milenage_key(EVP_CIPHER_CTX *aes, const EVP_CIPHER *aes_128_ecb, const unsigned char *k)
{
    /* naming the cipher again would cost a context of its own */
    const EVP_CIPHER *cipher = EVP_CIPHER_CTX_get0_cipher(aes) == NULL ? aes_128_ecb : NULL;

    return EVP_EncryptInit_ex2(aes, cipher, k, NULL, NULL);
}

static bool ecb(EVP_CIPHER_CTX *aes, unsigned char *out, const unsigned char *in, int size)
{
    int got = 0;

    return EVP_EncryptUpdate(aes, out, &got, in, size) && got == size;
}

static void xor_16(unsigned char *out, const unsigned char *a, const unsigned char *b)
{
    for (int i = 0; i < 16; i++)
        out[i] = a[i] ^ b[i];
}

bool milenage_opc(EVP_CIPHER_CTX *aes, const unsigned char *op, unsigned char *opc)
{
    unsigned char encrypted[16];

    if (!ecb(aes, encrypted, op, 16))
        return false;
    xor_16(opc, op, encrypted);
    return true;
}

bool milenage_run(EVP_CIPHER_CTX *aes, const unsigned char *opc, const unsigned char *rand,
                  const unsigned char *sqn, const unsigned char *amf, struct aka_values *values)
{
    static const unsigned char r[5] = {8, 0, 4, 8, 12}; /* octets */
    static const unsigned char c[5] = {0, 1, 2, 4, 8};  /* the last octet */
    unsigned char temp[16], in[5][16], out[5][16], mixed[16];
    bool ok;

    xor_16(mixed, rand, opc);
    ok = ecb(aes, temp, mixed, 16);
    for (size_t n = 0; n < 2; n++) {
        memcpy(in[0] + 8 * n, sqn, AKA_SQN_SIZE);
        memcpy(in[0] + 8 * n + AKA_SQN_SIZE, amf, AKA_AMF_SIZE);
    }
    xor_16(mixed, in[0], opc);
    for (int i = 0; i < 16; i++)
        in[0][i] = temp[i] ^ mixed[(i + r[0]) % 16];
    xor_16(mixed, temp, opc);
    for (int n = 1; n < 5; n++)
        for (int i = 0; i < 16; i++)
            in[n][i] = mixed[(i + r[n]) % 16];
    for (int n = 0; n < 5; n++)
        in[n][15] ^= c[n];
    /* all five at once: the blocks are independent, and the processor works on them in parallel */
    ok = ok && ecb(aes, out[0], in[0], sizeof(in));
    for (int n = 0; n < 5; n++)
        xor_16(out[n], out[n], opc);
    if (ok) {
        memcpy(values->mac_a, out[0], 8);
        memcpy(values->mac_s, out[0] + 8, 8);
        memcpy(values->res, out[1] + 8, 8);
        memcpy(values->ak, out[1], 6);
        memcpy(values->ck, out[2], 16);
        memcpy(values->ik, out[3], 16);
        memcpy(values->ak_star, out[4], 6);
    }
    OPENSSL_cleanse(temp, sizeof(temp));
    OPENSSL_cleanse(mixed, sizeof(mixed));
    OPENSSL_cleanse(in, sizeof(in));
    OPENSSL_cleanse(out, sizeof(out));
    return ok;
}
