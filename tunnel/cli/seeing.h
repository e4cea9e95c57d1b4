/* What shows the inside of channels: --dev and USI_KEYLOG, as one witness. */
#ifndef USI_CLI_SEEING_H
#define USI_CLI_SEEING_H

#include "cli/dev.h"
#include "cli/keylog.h"
#include "cli/options.h"
#include "cli/say.h"

struct seeing {
    struct dev dev;
    struct keylog *keylog; /* NULL: none */
    struct usi_witness witness;
};

/* Looks at the options and at the environment, warns of what shows secrets, and opens the key log.
 * 0, or the exit status after a line. *seeing may be all zero or is for seeing_close. */
int seeing_open(struct seeing *seeing, const struct options *options, enum say_level level,
                OSSL_LIB_CTX *libctx);

/* For the settings of channels whose subject is a struct link; NULL: nobody looks. Any thread may
 * tell it. */
const struct usi_witness *seeing_witness(const struct seeing *seeing);

/* After the last channel. */
void seeing_close(struct seeing *seeing);

#endif
