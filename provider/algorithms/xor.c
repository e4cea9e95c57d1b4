#include "xor.h"

#include <openssl/crypto.h>
#include <string.h>

static void xor_octets(unsigned char *out, const unsigned char *a, const unsigned char *b, int size)
{
    for (int i = 0; i < size; i++)
        out[i] = a[i] ^ b[i];
}

void xor_3g(const unsigned char *k, const unsigned char *rand, const unsigned char *sqn,
            const unsigned char *amf, struct aka_values *values)
{
    unsigned char xdout[16], cdout[8];

    xor_octets(xdout, k, rand, 16);
    memcpy(cdout, sqn, AKA_SQN_SIZE);
    memcpy(cdout + AKA_SQN_SIZE, amf, AKA_AMF_SIZE);
    xor_octets(values->mac_a, xdout, cdout, XOR_MAC_SIZE);
    memcpy(values->mac_s, values->mac_a, XOR_MAC_SIZE);
    memcpy(values->res, xdout, 16);
    for (int i = 0; i < 16; i++) {
        values->ck[i] = xdout[(i + 1) % 16];
        values->ik[i] = xdout[(i + 2) % 16];
    }
    memcpy(values->ak, xdout + 3, AKA_AK_SIZE);
    memcpy(values->ak_star, xdout + 3, AKA_AK_SIZE);
    OPENSSL_cleanse(xdout, sizeof(xdout));
}

void xor_2g(const unsigned char *ki, const unsigned char *rand, unsigned char *sres,
            unsigned char *kc)
{
    xor_octets(sres, ki, rand, 4);
    xor_octets(kc, ki + 4, rand + 4, 8);
}
