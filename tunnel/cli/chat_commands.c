#include "cli/chat_commands.h"

#include "text/text.h"

#include <string.h>

/* How a command is written. */
struct row {
    const char *english, *french;
    enum chat_command_type type;
    const char *usage;
};

static const struct row rows[] = {
    {"who", "utilisateurs", CHAT_COMMAND_WHO, TEXT("/who: who is there, and by what")},
    {"me", "moi", CHAT_COMMAND_ME, TEXT("/me TEXT: what you do: \"* anna waves\"")},
    {"msg", "msg", CHAT_COMMAND_MSG, TEXT("/msg NAME TEXT: to NAME alone; the host sees it too")},
    {"send", "fichier", CHAT_COMMAND_SEND,
     TEXT("/send FILE [NAME]: offers a file or folder to NAME, or to everybody")},
    {"accept", "accepter", CHAT_COMMAND_ACCEPT,
     TEXT("/accept [NUMBER] [FOLDER]: takes what is offered")},
    {"refuse", "refuser", CHAT_COMMAND_REFUSE,
     TEXT("/refuse [NUMBER]: does not; or gives up a file under way")},
    {"password", "motdepasse", CHAT_COMMAND_PASSWORD,
     TEXT("/password: does the host know a password that you know?")},
    {"clear", "cls", CHAT_COMMAND_CLEAR, TEXT("/clear: empties the screen")},
    {"quit", "quitter", CHAT_COMMAND_QUIT, TEXT("/quit: leaves; at the host it closes the chat")},
    {"help", "aide", CHAT_COMMAND_HELP, TEXT("/help: this; // says one slash")},
};

enum { ROWS = sizeof rows / sizeof rows[0], NUMBER_MAX = 6 };

const char *chat_command_help(size_t index)
{
    return index < ROWS ? rows[index].usage : NULL;
}

static const struct row *find_row(const char *word)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(word, rows[i].english) == 0 || strcmp(word, rows[i].french) == 0)
            return &rows[i];
    return strcmp(word, "aled") == 0 ? &rows[ROWS - 1] : NULL; /* who knows the first tool */
}

/* Cuts the first word off, in place; what is behind it and its blanks follows. */
static char *cut_word(char **rest)
{
    char *word = *rest;

    *rest = word + strcspn(word, " \t");
    if (**rest != '\0')
        *(*rest)++ = '\0';
    *rest += strspn(*rest, " \t");
    return word;
}

/* The same for a path, which may be quoted. NULL: a quote is not closed. */
static char *cut_path(char **rest)
{
    char *path = *rest, *to = path, *from = path;
    char quote = '\0';

    if (*from == '"' || *from == '\'')
        quote = *from++;
    while (*from != '\0' && (quote != '\0' ? *from != quote : *from != ' ' && *from != '\t')) {
        if (quote != '\'' && *from == '\\' && from[1] != '\0')
            from++;
        *to++ = *from++;
    }
    if (quote != '\0' && *from != quote)
        return NULL;
    from += *from != '\0';
    *rest = from + strspn(from, " \t");
    *to = '\0';
    return path;
}

static bool is_number(const char *word)
{
    size_t digits = strspn(word, "0123456789");

    return digits > 0 && digits <= NUMBER_MAX && word[digits] == '\0';
}

/* The number that the rest begins with, cut off; 0: there is none. */
static unsigned cut_number(char **rest)
{
    char *word = *rest;
    size_t size = strcspn(word, " \t");
    char behind = word[size];
    unsigned number = 0;

    word[size] = '\0';
    if (!is_number(word)) {
        word[size] = behind;
        return 0;
    }
    for (; *word != '\0'; word++)
        number = 10 * number + (unsigned)(*word - '0');
    *rest = word + (behind != '\0');
    *rest += strspn(*rest, " \t");
    return number;
}

/* Takes what stands behind the command; false: it is not what the command needs. */
static bool read_rest(struct chat_command *out, char *rest)
{
    switch (out->type) {
    case CHAT_COMMAND_ME:
        out->text = rest;
        return *rest != '\0';
    case CHAT_COMMAND_MSG:
        out->name = cut_word(&rest);
        out->text = rest;
        return *rest != '\0';
    case CHAT_COMMAND_SEND:
        out->path = cut_path(&rest);
        if (out->path == NULL || *out->path == '\0')
            return false;
        out->name = *rest != '\0' ? cut_word(&rest) : NULL;
        return *rest == '\0';
    case CHAT_COMMAND_ACCEPT:
        out->number = cut_number(&rest);
        if (*rest != '\0' && ((out->path = cut_path(&rest)) == NULL || *out->path == '\0'))
            return false;
        return *rest == '\0';
    case CHAT_COMMAND_REFUSE:
        out->number = cut_number(&rest);
        return *rest == '\0';
    default:
        return *rest == '\0';
    }
}

void chat_command_read(struct chat_command *out, const char *line, size_t size)
{
    char *rest = out->line;
    const struct row *row;

    *out = (struct chat_command){.type = CHAT_COMMAND_SAY};
    if (size > CHAT_COMMANDS_LINE)
        size = CHAT_COMMANDS_LINE;
    memcpy(rest, line, size);
    rest[size] = '\0';
    out->text = rest;
    if (*rest != '/' && *rest != '!')
        return;
    rest++;
    if (*rest == out->line[0]) {
        out->text = rest;
        return;
    }
    /* Trailing blanks are no argument. */
    for (char *end = rest + strlen(rest); end > rest && (end[-1] == ' ' || end[-1] == '\t');)
        *--end = '\0';
    out->name = cut_word(&rest);
    row = find_row(out->name);
    out->type = row != NULL ? row->type : CHAT_COMMAND_UNKNOWN;
    if (row == NULL || read_rest(out, rest))
        return;
    out->type = CHAT_COMMAND_MALFORMED;
    out->text = row->usage;
}
