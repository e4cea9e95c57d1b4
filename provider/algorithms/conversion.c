#include "conversion.h"

#include <string.h>

void conversion_c2(const unsigned char *res, size_t res_size, unsigned char *sres)
{
    memset(sres, 0, CONVERSION_SRES_SIZE);
    for (size_t i = 0; i < res_size; i++)
        sres[i % CONVERSION_SRES_SIZE] ^= res[i];
}

void conversion_c3(const unsigned char *ck, const unsigned char *ik, unsigned char *kc)
{
    for (size_t i = 0; i < CONVERSION_KC_SIZE; i++)
        kc[i] = ck[i] ^ ck[i + 8] ^ ik[i] ^ ik[i + 8];
}

void conversion_c4(const unsigned char *kc, unsigned char *ck)
{
    memcpy(ck, kc, CONVERSION_KC_SIZE);
    memcpy(ck + CONVERSION_KC_SIZE, kc, CONVERSION_KC_SIZE);
}

void conversion_c5(const unsigned char *kc, unsigned char *ik)
{
    for (size_t i = 0; i < 4; i++)
        ik[i] = ik[i + 12] = kc[i] ^ kc[i + 4];
    memcpy(ik + 4, kc, CONVERSION_KC_SIZE);
}
