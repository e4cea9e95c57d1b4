/* usi-tunnel chat listen, chat connect. */
#ifndef USI_CLI_CHAT_H
#define USI_CLI_CHAT_H

int chat_run(int argc, char **argv);

#endif
