#ifndef USI_CLI_LISTEN_H
#define USI_CLI_LISTEN_H

/* `usi-tunnel listen`. Returns the exit status. */
int listen_run(int argc, char **argv);

#endif
