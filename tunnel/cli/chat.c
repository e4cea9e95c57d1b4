#include "cli/chat.h"

#include "apps/chat_member.h"
#include "apps/chat_room.h"
#include "cli/chat_commands.h"
#include "cli/chat_face.h"
#include "cli/chat_prompt.h"
#include "cli/chat_show.h"
#include "cli/notify.h"
#include "cli/password.h"
#include "cli/program.h"
#include "cli/status.h"
#include "text/text.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PASSWD = 16384, WHY = 512 };

/* The conversation of this run. */
struct talk {
    struct program *program;
    bool hosts;
    char name[CHAT_NAME + 1]; /* that is wished for */
    uint8_t fingerprint[USI_FINGERPRINT];
    struct chat *chat;
    struct chat_face *face; /* NULL before we are in, and behind the end */
    struct chat_prompt *prompt;
    struct notify *notify;
    struct stretch *stretch; /* of /password; NULL: none was asked for */
    bool over;               /* told, but not everything is shown yet */
    bool asked;              /* the password question, and there is no answer yet */
    uv_timer_t answer;       /* is due */
    uv_timer_t drain;        /* over: what is shown should be taken by then */
    enum outcome outcome;
    char text[OUTCOME_TEXT];
    struct chat_command command;
};

/* ---- the end ---- */

static void close_face(struct talk *t)
{
    credentials_watch(&t->program->credentials, NULL, NULL);
    chat_prompt_close(t->prompt);
    t->prompt = NULL;
    chat_face_close(t->face);
    t->face = NULL;
}

/* The terminal is the user's again before anything is said about the end. */
static void tell_over(struct talk *t)
{
    close_face(t);
    program_told(t->program, t->outcome, t->text);
}

/* Who reads what is shown does not. */
static void on_undrained(uv_timer_t *timer)
{
    struct talk *t = timer->data;

    if (t->face == NULL)
        return;
    if (t->outcome == OUTCOME_DONE) {
        t->outcome = OUTCOME_LOCAL;
        (void)snprintf(t->text, sizeof t->text, "%s",
                       text("standard output: the last lines were not taken in time (--drain)"));
    }
    tell_over(t);
}

static void over(void *owner, enum outcome outcome, const char *text)
{
    struct talk *t = owner;

    t->over = true;
    if (t->outcome == OUTCOME_DONE) { /* else what went wrong here came first */
        t->outcome = outcome;
        (void)snprintf(t->text, sizeof t->text, "%s", text);
    }
    if (t->face == NULL || !chat_face_busy(t->face))
        tell_over(t);
    else
        (void)uv_timer_start(&t->drain, on_undrained, t->program->net.drain_ms, 0);
}

/* The user wants to go, perhaps for the second time. */
static void hurry(struct talk *t)
{
    if (!t->over)
        chat_hurry(t->chat);
    else if (t->face != NULL)
        tell_over(t);
}

/* This side's input or output failed: the chat is left all the same. */
static void fail(struct talk *t, const char *what, int error)
{
    if (t->outcome == OUTCOME_DONE) {
        t->outcome = OUTCOME_LOCAL;
        (void)snprintf(t->text, sizeof t->text, "%s: %s", what, uv_strerror(error));
    }
    if (!t->over)
        chat_quit(t->chat, true);
}

/* ---- commands ---- */

static void tell_user(struct talk *t, const char *line)
{
    (void)chat_face_tell(t->face, CHAT_FACE_PROGRAM, "%s", line);
}

static const char *own_name(const struct talk *t)
{
    const struct chat_person *me = chat_find(t->chat, chat_me(t->chat));

    return me != NULL ? me->name : t->name;
}

static void say_line(struct talk *t, enum chat_kind kind, const char *line)
{
    size_t size = strlen(line);

    if (!chat_say(t->chat, kind, CHAT_NOBODY, line, size))
        chat_face_pause(t->face, true);
    (void)chat_face_show(t->face, kind == CHAT_ME ? CHAT_FACE_ME : CHAT_FACE_SAID, true,
                         own_name(t), line, size);
}

/* The one of that name, who is not ourselves; NULL: the user was told. */
static const struct chat_person *find_other(struct talk *t, const char *name)
{
    const struct chat_person *person = chat_find_name(t->chat, name);

    if (person == NULL)
        (void)chat_face_tell(t->face, CHAT_FACE_PROGRAM,
                             text("nobody here is called \"%.128s\": /who lists them"), name);
    else if (person->id == chat_me(t->chat))
        tell_user(t, text("that is you"));
    else
        return person;
    return NULL;
}

static void tell_one(struct talk *t, const struct chat_command *command)
{
    const struct chat_person *person = find_other(t, command->name);
    size_t size = strlen(command->text);

    if (person == NULL)
        return;
    (void)chat_face_show(t->face, CHAT_FACE_TOLD, true, person->name, command->text, size);
    if (!chat_say(t->chat, CHAT_PRIVATE, person->id, command->text, size))
        chat_face_pause(t->face, true);
}

static void send_files(struct talk *t, const struct chat_command *command)
{
    const struct chat_person *person = NULL;
    char why[WHY];

    if (command->name != NULL && (person = find_other(t, command->name)) == NULL)
        return;
    if (chat_send(t->chat, person != NULL ? person->id : CHAT_NOBODY, command->path, why,
                  sizeof why) == 0)
        tell_user(t, why);
}

/* The host may take its time, or say nothing for ever: the question stays open. */
static void on_no_answer(uv_timer_t *timer)
{
    struct talk *t = timer->data;

    if (t->face != NULL)
        tell_user(t, text("the host does not answer: that proves nothing"));
}

static void wait_for_answer(struct talk *t)
{
    uint64_t ms = t->program->net.handshake_ms;

    t->asked = true;
    if (ms > 0)
        (void)uv_timer_start(&t->answer, on_no_answer, ms, 0);
}

static void on_password(void *owner, const char *answer)
{
    struct talk *t = owner;
    struct program *p = t->program;
    struct password *password;
    char why[WHY];
    int result = USI_ERR_INTERNAL;

    if (answer == NULL || t->face == NULL || t->asked)
        return;
    password = password_of_text(answer, why, sizeof why);
    if (password == NULL) {
        tell_user(t, why);
        return;
    }
    if (p->net.stretch != NULL)
        result = stretch_replace(p->net.stretch, password->text, password->size);
    else if ((t->stretch = stretch_new(&p->loop, p->crypto, password->text, password->size)) !=
             NULL)
        result = 0;
    if (p->net.stretch == NULL)
        p->net.stretch = t->stretch;
    password_free(password);
    if (result != 0 || !chat_question(t->chat))
        tell_user(t, text("the host cannot be asked (any more)"));
    else
        wait_for_answer(t);
}

static void ask_password(struct talk *t)
{
    if (t->hosts)
        tell_user(t, text("/password asks the host, and that is you"));
    else if (!t->program->options.has_identity)
        tell_user(t, text("/password is for chats with --identity: here the host has proved what "
                          "it knows"));
    else if (t->asked)
        tell_user(t, text("the host has not answered the last question yet"));
    else if (!chat_face_ask(t->face, text("Password that the host is to know: "), true, on_password,
                            t))
        tell_user(t, text("another question is open"));
}

static void help(struct talk *t)
{
    const char *line;

    for (size_t i = 0; (line = chat_command_help(i)) != NULL; i++)
        (void)chat_face_tell(t->face, CHAT_FACE_PROGRAM, "%s", text(line));
    tell_user(t, text("French words, and ! for /, do too: !quitter !fichier !utilisateurs "
                      "!motdepasse !cls !aide"));
    tell_user(t, text("the host sees everything, private messages and files too"));
}

static void obey(struct talk *t, const struct chat_command *command)
{
    char why[WHY];

    switch (command->type) {
    case CHAT_COMMAND_SAY:
        say_line(t, CHAT_SAY, command->text);
        break;
    case CHAT_COMMAND_ME:
        say_line(t, CHAT_ME, command->text);
        break;
    case CHAT_COMMAND_MSG:
        tell_one(t, command);
        break;
    case CHAT_COMMAND_WHO:
        chat_show_who(t->face, t->chat);
        break;
    case CHAT_COMMAND_SEND:
        send_files(t, command);
        break;
    case CHAT_COMMAND_ACCEPT:
        if (t->program->files_confined && command->path != NULL &&
            !sandbox_lets_write(command->path))
            tell_user(t, text("the sandbox lets files be written only below the folder where the "
                              "chat was started: --no-sandbox goes without"));
        else if (!chat_accept(t->chat, command->number, command->path, why, sizeof why))
            tell_user(t, why);
        break;
    case CHAT_COMMAND_REFUSE:
        if (!chat_refuse(t->chat, command->number, why, sizeof why))
            tell_user(t, why);
        break;
    case CHAT_COMMAND_PASSWORD:
        ask_password(t);
        break;
    case CHAT_COMMAND_CLEAR:
        chat_face_clear(t->face);
        break;
    case CHAT_COMMAND_QUIT:
        chat_face_pause(t->face, true);
        hurry(t);
        break;
    case CHAT_COMMAND_HELP:
        help(t);
        break;
    case CHAT_COMMAND_UNKNOWN:
        (void)chat_face_tell(t->face, CHAT_FACE_PROGRAM,
                             text("\"%.80s\" is no command: /help lists them, and a line that "
                                  "begins with // or !! is said with one"),
                             command->name);
        break;
    case CHAT_COMMAND_MALFORMED:
        tell_user(t, text(command->text));
        break;
    }
}

/* ---- the face ---- */

static void on_line(void *owner, const char *line, size_t size)
{
    struct talk *t = owner;

    if (t->over)
        return;
    chat_command_read(&t->command, line, size);
    obey(t, &t->command);
}

static void on_ended(void *owner, int error)
{
    struct talk *t = owner;

    if (t->over)
        return;
    if (error != 0)
        fail(t, text("standard input"), error);
    else if (!t->hosts || chat_face_is_screen(t->face))
        chat_quit(t->chat, t->hosts);
}

static void on_interrupted(void *owner)
{
    hurry(owner);
}

static void on_drained(void *owner, int error)
{
    struct talk *t = owner;

    if (error != 0)
        fail(t, text("standard output"), error);
    if (t->over)
        tell_over(t);
    else
        chat_pause(t->chat, false);
}

static const struct chat_face_handler face_handler = {
    .line = on_line, .ended = on_ended, .interrupted = on_interrupted, .drained = on_drained};

static void on_asked(void *owner, bool open)
{
    struct talk *t = owner;

    chat_face_lend(t->face, open);
}

/* From here on the user sees what happens, and may speak. */
static bool open_face(struct talk *t, const char *name)
{
    char why[WHY];

    t->face = chat_face_new(&t->program->loop, &face_handler, t, why, sizeof why);
    if (t->face == NULL) {
        t->outcome = OUTCOME_LOCAL;
        (void)snprintf(t->text, sizeof t->text, "%s", why);
        return false;
    }
    t->prompt = chat_prompt_new(&t->program->loop, t->face, name);
    if (t->prompt == NULL) {
        t->outcome = OUTCOME_INTERNAL;
        (void)snprintf(t->text, sizeof t->text, "%s", text("out of memory"));
        close_face(t);
        return false;
    }
    credentials_watch(&t->program->credentials, on_asked, t);
    return true;
}

/* ---- what happens ---- */

static void notify(struct talk *t, const struct chat_event *event)
{
    char body[CHAT_TEXT + 1];

    if (t->notify == NULL)
        return;
    (void)snprintf(body, sizeof body, "%.*s", (int)event->size, event->text);
    notify_show(t->notify, event->person->name, body);
}

static void on_event(void *owner, const struct chat_event *event)
{
    struct talk *t = owner;

    if (t->chat == NULL) /* the host's own welcome, told while the chat is made */
        return;
    if (event->type == CHAT_EVENT_WELCOME && t->face == NULL &&
        !open_face(t, event->person->name)) {
        chat_quit(t->chat, true);
        return;
    }
    if (t->face == NULL)
        return;
    if (event->type == CHAT_EVENT_READY)
        chat_face_pause(t->face, false);
    if (event->type == CHAT_EVENT_ANSWER) {
        t->asked = false;
        (void)uv_timer_stop(&t->answer);
    }
    if (event->type == CHAT_EVENT_SAID)
        notify(t, event);
    if (event->type == CHAT_EVENT_FILES)
        chat_prompt_files(t->prompt, event);
    if (!chat_show_event(t->face, t->chat, event))
        chat_pause(t->chat, true);
}

/* ---- beginning ---- */

/* -m, or the login name. */
static void choose_name(struct talk *t)
{
    const char *nickname = t->program->options.nickname;
    struct passwd entry, *found = NULL;
    char buffer[PASSWD];

    if (nickname == NULL && t->program->options.user != NULL)
        nickname = t->program->user.name;
    if (nickname == NULL && getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) == 0 &&
        found != NULL)
        nickname = found->pw_name;
    if (nickname == NULL)
        nickname = "user";
    chat_name_make(t->name, nickname, strlen(nickname));
}

static void stop(void *app)
{
    hurry(app);
}

static int host(struct talk *t, const struct chat_options *options)
{
    struct program *p = t->program;
    const struct listener_options listen = {.family = p->options.family};
    char why[WHY];
    struct chat *chat =
        chat_room_new(&p->net, &p->options.address, &listen, options, why, sizeof why);

    if (chat == NULL) {
        say_error("%s", why);
        return STATUS_NO_CONNECTION;
    }
    t->chat = chat;
    if (!program_confine(p))
        return p->status;
    if (!open_face(t, t->name)) {
        say_error("%s", t->text);
        return STATUS_LOCAL;
    }
    p->app = t;
    p->stop = stop;
    (void)chat_show_event(
        t->face, chat,
        &(struct chat_event){.type = CHAT_EVENT_WELCOME, .person = chat_find(chat, CHAT_HOST)});
    return 0;
}

static int join(struct talk *t, const struct dialer_options *dial,
                const struct chat_options *options)
{
    struct program *p = t->program;

    if (!program_confine(p))
        return p->status;
    t->chat = chat_member_new(&p->net, &p->options.address, dial, options);
    if (t->chat != NULL)
        return 0;
    say_error("out of memory");
    return STATUS_INTERNAL;
}

static void run(struct talk *t)
{
    struct program *p = t->program;
    const struct options *o = &p->options;
    const struct dialer_options dial = {.family =
                                            o->has_source ? address_family(o->source) : o->family,
                                        .source = o->has_source ? o->source : NULL,
                                        .timeout_ms = o->timeout_ms,
                                        .retry_ms = o->retry_ms};
    struct chat_options options = {.name = t->name,
                                   .sha256 = program_sha256(p),
                                   .ask_ms = o->ask_ms,
                                   .told = on_event,
                                   .over = over,
                                   .owner = t};

    if (options.sha256 == NULL) {
        p->status = STATUS_USAGE;
        return;
    }
    if (p->credentials.identity != NULL) {
        usi_identity_fingerprint(p->credentials.identity, t->fingerprint);
        options.fingerprint = t->fingerprint;
    }
    /* Neither fails: there is a loop. */
    (void)uv_timer_init(&p->loop.uv, &t->answer);
    (void)uv_timer_init(&p->loop.uv, &t->drain);
    t->answer.data = t->drain.data = t;
    if (o->notifications)
        t->notify = notify_new(&p->loop);
    p->status = t->hosts ? host(t, &options) : join(t, &dial, &options);
    if (p->status == 0) {
        program_ready(p, false);
        program_run(p);
    }
    close_face(t);
    chat_free(t->chat);
    stretch_free(t->stretch);
    notify_close(t->notify);
    uv_close((uv_handle_t *)&t->answer, NULL); /* the loop's end, before t is freed */
    uv_close((uv_handle_t *)&t->drain, NULL);
}

int chat_run(int argc, char **argv)
{
    struct program p;
    struct talk *t;
    const char *word = argc > 1 ? argv[1] : "";
    bool hosts = strcmp(word, "listen") == 0;
    bool help_only = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    int status;

    if (!hosts && !help_only && strcmp(word, "connect") != 0) {
        say_error("chat: say which: chat listen (the host), or chat connect (usi-tunnel chat "
                  "--help)");
        return STATUS_USAGE;
    }
    status = program_begin(&p, OPTIONS_CHAT | (hosts ? OPTIONS_LISTEN : OPTIONS_CONNECT),
                           help_only ? argc : argc - 1, help_only ? argv : argv + 1);
    if (status >= 0)
        return status;
    t = calloc(1, sizeof *t);
    if (t == NULL) {
        say_error("out of memory");
        p.status = STATUS_INTERNAL;
        return program_end(&p);
    }
    t->program = &p;
    t->hosts = hosts;
    choose_name(t);
    run(t);
    status = program_end(&p);
    free(t);
    return status;
}
