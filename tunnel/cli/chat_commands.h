/* What a line that is typed in a chat means: something to say, or a command, in English or French.
 */
#ifndef USI_CLI_CHAT_COMMANDS_H
#define USI_CLI_CHAT_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

enum { CHAT_COMMANDS_LINE = 4096 }; /* the longest line, in octets */

enum chat_command_type {
    CHAT_COMMAND_SAY, /* text */
    CHAT_COMMAND_ME,  /* text */
    CHAT_COMMAND_MSG, /* name, text */
    CHAT_COMMAND_WHO,
    CHAT_COMMAND_SEND,   /* path; name, or NULL: everybody */
    CHAT_COMMAND_ACCEPT, /* number, or 0; path, or NULL */
    CHAT_COMMAND_REFUSE, /* number, or 0 */
    CHAT_COMMAND_PASSWORD,
    CHAT_COMMAND_CLEAR,
    CHAT_COMMAND_QUIT,
    CHAT_COMMAND_HELP,
    CHAT_COMMAND_UNKNOWN,  /* name: the word */
    CHAT_COMMAND_MALFORMED /* text: how it is written */
};

/* Texts are NUL-terminated and lie in `line`. */
struct chat_command {
    enum chat_command_type type;
    const char *name, *path, *text;
    unsigned number;
    char line[CHAT_COMMANDS_LINE + 1];
};

/* Reads a line (UTF-8, no newline, no NUL, at most CHAT_COMMANDS_LINE octets). A line is a command
 * if
 * it begins with / or !; two of them say one. A path may stand in quotes, "..." or '...', or have a
 * \ before its blanks. */
void chat_command_read(struct chat_command *out, const char *line, size_t size);

/* The lines of /help, in English; NULL behind the last. */
const char *chat_command_help(size_t index);

#endif
