/* usi-tunnel receive. */
#ifndef USI_CLI_RECEIVE_H
#define USI_CLI_RECEIVE_H

int receive_run(int argc, char **argv);

#endif
