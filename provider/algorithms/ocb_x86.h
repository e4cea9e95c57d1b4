/* What the paths on x86-64 share: which of them the machine can, the key schedule, single blocks.
 */
#ifndef ALGORITHMS_OCB_X86_H
#define ALGORITHMS_OCB_X86_H

#include "ocb.h"

/* AES-NI with SSSE3; VAES with AVX2; VAES with AVX-512: of the processor, and kept by the system.
 */
bool ocb_x86_has_aesni(void);
bool ocb_x86_has_vaes256(void);
bool ocb_x86_has_vaes512(void);

/* As in struct ocb_path: both key schedules. Never fails. */
bool ocb_x86_key(struct ocb *ocb, EVP_CIPHER *ecb, const unsigned char *key, size_t size);
bool ocb_x86_encipher(const struct ocb *ocb, unsigned char block[OCB_BLOCK]);

#endif
