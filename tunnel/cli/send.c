#include "cli/send.h"

#include "cli/status.h"
#include "cli/transfer.h"

static struct outbox *open_outbox(struct program *p)
{
    const struct options *o = &p->options;
    EVP_MD *sha256 = program_sha256(p);
    char why[640];

    p->status = STATUS_USAGE;
    if (sha256 == NULL)
        return NULL;
    struct outbox *outbox = outbox_new(o->files, o->file_count, sha256, why, sizeof why);
    if (outbox == NULL) {
        say_error("%s", why);
        p->status = STATUS_LOCAL;
    }
    return outbox;
}

int send_run(int argc, char **argv)
{
    struct transfer t;
    struct outbox *outbox;
    int status = transfer_begin(&t, OPTIONS_SEND, argc, argv);

    if (status >= 0)
        return status;
    outbox = open_outbox(&t.program);
    if (outbox != NULL) {
        const struct exchange_options options = {
            .outbox = outbox,
            .most = EXCHANGE_MOST,
            .until = t.program.options.once ? EXCHANGE_WHOLE : EXCHANGE_STOPPED};
        transfer_run(&t, &options);
    }
    status = transfer_end(&t);
    outbox_free(outbox); /* nobody reads any more */
    return status;
}
