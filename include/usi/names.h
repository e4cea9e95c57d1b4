/* The names a program uses with the OpenSSL provider `usi`: algorithms, parameters and their
 * values. */
#ifndef USI_NAMES_H
#define USI_NAMES_H

#define USI_PROVIDER "usi"

/* EVP_MAC_fetch() and EVP_KDF_fetch() */
#define USI_MAC_A3        "A3"
#define USI_KDF_A8        "A8"
#define USI_KDF_AKA       "AKA"
#define USI_KDF_3GPP_KDF  "3GPP-KDF"
#define USI_KDF_3GPP_CONV "3GPP-CONV"

/* Parameters. Octet strings unless noted; sizes are in octets. */
#define USI_PARAM_ALGORITHM     "algorithm"     /* UTF-8 string */
#define USI_PARAM_KEY           "key"           /* Ki, K */
#define USI_PARAM_RAND          "rand"          /* the challenge */
#define USI_PARAM_OP            "op"            /* MILENAGE, 16 octets, before encryption */
#define USI_PARAM_OPC           "opc"           /* MILENAGE, 16 octets, instead of op */
#define USI_PARAM_TOP           "top"           /* TUAK, 32 octets */
#define USI_PARAM_TOPC          "topc"          /* TUAK, 32 octets, instead of top */
#define USI_PARAM_SRES_FUNCTION "sres-function" /* integer, TS 55.205: 1 or 2 */
#define USI_PARAM_SIZE          "size"          /* integer */
#define USI_PARAM_SQN           "sqn"           /* 6 octets */
#define USI_PARAM_AMF           "amf"           /* 2 octets */
#define USI_PARAM_AUTN          "autn"          /* SQN xor AK || AMF || MAC-A */
#define USI_PARAM_AUTS          "auts"          /* SQN-MS xor AK* || MAC-S */
#define USI_PARAM_OUTPUT        "output"        /* UTF-8 string */
#define USI_PARAM_RES_SIZE      "res-size"      /* integer */
#define USI_PARAM_CK_SIZE       "ck-size"       /* integer */
#define USI_PARAM_IK_SIZE       "ik-size"       /* integer */
#define USI_PARAM_MAC_SIZE      "mac-size"      /* integer */
#define USI_PARAM_ITERATIONS    "iterations"    /* integer */
#define USI_PARAM_FC            "fc"            /* 1 octet */
#define USI_PARAM_P0            "p0"            /* .. "p9", 0 to 65535 octets each */
#define USI_PARAM_FUNCTION      "function"      /* UTF-8 string */
#define USI_PARAM_RES           "res"
#define USI_PARAM_CK            "ck"
#define USI_PARAM_IK            "ik"
#define USI_PARAM_KC            "kc"

/* Values of "algorithm" of A3 and A8; the first is the default. */
#define USI_A38_USI          "USI"
#define USI_A38_COMP128_1    "COMP128-1"
#define USI_A38_COMP128_2    "COMP128-2"
#define USI_A38_COMP128_3    "COMP128-3"
#define USI_A38_GSM_MILENAGE "GSM-MILENAGE"
#define USI_A38_XOR_2G       "XOR-2G"

/* Values of "algorithm" of AKA. */
#define USI_AKA_MILENAGE "MILENAGE"
#define USI_AKA_TUAK     "TUAK"
#define USI_AKA_XOR_3G   "XOR-3G"

#endif
