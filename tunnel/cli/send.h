/* usi-tunnel send. */
#ifndef USI_CLI_SEND_H
#define USI_CLI_SEND_H

int send_run(int argc, char **argv);

#endif
