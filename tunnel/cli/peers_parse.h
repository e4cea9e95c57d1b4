/* What peers.c and peers_known.c share. */
#ifndef USI_CLI_PEERS_PARSE_H
#define USI_CLI_PEERS_PARSE_H

#include "cli/peers.h"

/* Reads a fingerprint, 64 hex digits in either case, perhaps behind `sha256:`, at the beginning of
 * text[0..length-1]. Returns its length, or 0 if there is none. */
size_t peers_parse(uint8_t key[USI_FINGERPRINT], const char *text, size_t length);

#endif
