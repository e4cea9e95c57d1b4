/* What the functions f1 to f5* of an AKA algorithm set give (TS 33.105 section 5.1). */
#ifndef ALGORITHMS_AKA_VALUES_H
#define ALGORITHMS_AKA_VALUES_H

enum { AKA_RAND_SIZE = 16, AKA_SQN_SIZE = 6, AKA_AMF_SIZE = 2, AKA_AK_SIZE = 6 };

/* Which of the functions are wanted; a set may compute more of them. */
enum { AKA_F1 = 1, AKA_F1_STAR = 2, AKA_F2345 = 4, AKA_F5_STAR = 8 };

/* Room for the longest of each; how much of it counts, the sizes say that went in. */
struct aka_values {
    unsigned char mac_a[32];  /* f1 */
    unsigned char mac_s[32];  /* f1* */
    unsigned char res[32];    /* f2 */
    unsigned char ck[32];     /* f3 */
    unsigned char ik[32];     /* f4 */
    unsigned char ak[6];      /* f5 */
    unsigned char ak_star[6]; /* f5* */
};

#endif
