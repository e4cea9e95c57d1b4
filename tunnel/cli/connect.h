#ifndef USI_CLI_CONNECT_H
#define USI_CLI_CONNECT_H

/* `usi-tunnel connect`. Returns the exit status. */
int connect_run(int argc, char **argv);

#endif
