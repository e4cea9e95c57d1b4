/* usi-tunnel keygen: a new random key, to a file or to standard output. */
#ifndef USI_CLI_KEYGEN_H
#define USI_CLI_KEYGEN_H

/* argv[0] is "keygen". Says on stderr what went wrong. Returns the exit status (status.h). */
int keygen_run(int argc, char **argv);

#endif
