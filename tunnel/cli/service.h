/* What a service manager is told, by the protocol of sd_notify(3): that the program is ready, how
 * many channels it has, that it reads its keys again or ends, and that it is alive. Needs no
 * library. */
#ifndef USI_CLI_SERVICE_H
#define USI_CLI_SERVICE_H

#include "net/net.h"

struct service;

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment: before any fork,
 * whose child is meant too, and any thread. NULL without a manager, or with a warning when it
 * cannot be reached; NULL is fine for every function here, and does nothing. */
struct service *service_new(void);

/* Everything that others wait for is there. From now on the manager sees how many channels there
 * are, at most once a second, and, if it wants to know, that the program is alive: twice in the
 * time it allows, are_alive(owner) is called, which is to call service_alive, from the loop, once
 * every thread has given an answer; it is not called again before that. moved: this process is not
 * the one that was started (-f). Later calls do nothing. */
void service_ready(struct service *service, struct loop *loop, bool moved,
                   void (*are_alive)(void *owner), void *owner);
void service_alive(struct service *service);

/* Counts the channels that a report is about. Any thread may call. */
void service_count(struct service *service, const struct report *report);

/* Keys are read again; and it is done: why is what kept it from being done, or NULL. The manager
 * shows that until the next time. */
void service_reloading(struct service *service);
void service_reloaded(struct service *service, const char *why);

/* The program is about to end. */
void service_stopping(struct service *service);

/* Closes what it has on the loop; and frees, when the loop has been closed. */
void service_close(struct service *service);
void service_free(struct service *service);

#endif
