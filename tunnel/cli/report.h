/* Messages as a sink of the stream of events. */
#ifndef USI_CLI_REPORT_H
#define USI_CLI_REPORT_H

#include "net/net.h"

/* For struct reporter; the sink is a const enum say_level *. */
void report_say(void *sink, const struct report *report);

#endif
