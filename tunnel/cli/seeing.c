#include "cli/seeing.h"

#include "cli/status.h"
#include "net/link.h"

#include <stdlib.h>
#include <string.h>

static void see(void *owner, void *subject, const struct usi_seen *seen)
{
    struct seeing *s = owner;

    if (s->keylog != NULL)
        keylog_see(s->keylog, seen);
    if (s->dev.on)
        dev_see(&s->dev, link_peer(subject), seen);
}

static int open_dev(struct seeing *s, const struct options *o, enum say_level level)
{
    if (!o->has_dev)
        return 0;
    s->dev.on = true;
    s->dev.secrets = strcmp(o->dev, "secrets") == 0;
    if (!s->dev.secrets && strcmp(o->dev, "steps") != 0) {
        say_error("--dev=%.80s: give --dev, or --dev=secrets to show secrets too", o->dev);
        return STATUS_USAGE;
    }
    if (s->dev.secrets)
        say(level, "warning: --dev=secrets: who sees these lines can read the channels");
    return 0;
}

static int open_keylog(struct seeing *s, enum say_level level)
{
    const char *path = secure_getenv("USI_KEYLOG");
    char why[256];

    if (path == NULL || *path == '\0')
        return 0;
    s->keylog = keylog_open(path, why, sizeof why);
    if (s->keylog == NULL) {
        int status = status_refused();
        say_error("USI_KEYLOG: %s: %s", path, why);
        return status;
    }
    say(level, "warning: USI_KEYLOG: keys are written to %s: who reads it can read the channels",
        path);
    return 0;
}

int seeing_open(struct seeing *s, const struct options *o, enum say_level level,
                OSSL_LIB_CTX *libctx)
{
    *s = (struct seeing){.dev = {.libctx = libctx}, .witness = {.see = see, .owner = s}};
    int status = open_dev(s, o, level);

    return status != 0 ? status : open_keylog(s, level);
}

const struct usi_witness *seeing_witness(const struct seeing *s)
{
    return s->dev.on || s->keylog != NULL ? &s->witness : NULL;
}

void seeing_close(struct seeing *s)
{
    keylog_free(s->keylog);
    s->keylog = NULL;
}
