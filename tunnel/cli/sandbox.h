/* What the process may still do once it has started: so that whoever takes it over by a fault in
 * it, or in a library, finds little to do. The rules stand in usi-tunnel(1), under Sandbox. */
#ifndef USI_CLI_SANDBOX_H
#define USI_CLI_SANDBOX_H

#include "cli/options.h"
#include "cli/say.h"

#include <stdbool.h>
#include <stdio.h>

struct peers_known;

/* What the options do not say. */
struct sandbox_facts {
    const struct peers_known *known; /* remembered peers; NULL: nobody looks for any, */
    bool remembers;                  /* and more may be written down */
    bool token;                      /* a provider has the private key, and means of its own */
};

/* Before the first loop is made: no io_urings from then on, which the sandbox could not watch over.
 * 0, or -1 when everything was said. */
int sandbox_prepare(const struct options *options);

/* Enters it: for good, for all threads. Behind everything that opens files, listens or needs root,
 * and before the first other thread, which Landlock would pass over. What the kernel or this build
 * lacks is left out, and said at SAY_VERBOSE. *files says whether files are watched over. 0, or -1
 * when everything was said: it could have been entered and was not. */
int sandbox_enter(const struct options *options, const struct sandbox_facts *facts,
                  enum say_level level, bool *files);

/* For a chat in it: does folder, which is there, lie where files can be written? */
bool sandbox_lets_write(const char *folder);

/* A line on what this build has of it. */
void sandbox_print(FILE *stream);

#endif
