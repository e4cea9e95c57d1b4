/* From a 3G security context to a 2G one and back: 3GPP TS 33.102 sections 6.8.1.2 and 6.8.2.3. */
#ifndef ALGORITHMS_CONVERSION_H
#define ALGORITHMS_CONVERSION_H

#include <stddef.h>

enum {
    CONVERSION_RES_MIN = 4,
    CONVERSION_RES_MAX = 16,
    CONVERSION_SRES_SIZE = 4,
    CONVERSION_KC_SIZE = 8,
    CONVERSION_KEY_SIZE = 16 /* CK and IK */
};

void conversion_c2(const unsigned char *res, size_t res_size,
                   unsigned char *sres); /* RES: 4 to 16 */
void conversion_c3(const unsigned char *ck, const unsigned char *ik, unsigned char *kc);
void conversion_c4(const unsigned char *kc, unsigned char *ck);
void conversion_c5(const unsigned char *kc, unsigned char *ik);

#endif
