/* Several loops for one forward: the program's, and others in a thread each. All accept from the
 * same sockets; a connection stays with the loop that took it, and loops share nothing but what
 * never changes (and the keyring's list against replays). */
#ifndef USI_APPS_CREW_H
#define USI_APPS_CREW_H

#include "apps/outcome.h"
#include "net/net.h"

struct crew;

/* What each loop runs. share makes one for another loop beside `first`, whose told is told of it;
 * stop (NULL: there is none) lets it end in order; free ends it. */
struct crew_work {
    void *(*share)(void *first, const struct net *net, outcome_told *told, void *owner);
    void (*stop)(void *app);
    void (*free)(void *app);
};

/* The greatest number of loops. */
enum { CREW_MAX = 64 };

/* As many loops as this machine has cores for this process, at most CREW_MAX. */
unsigned crew_cores(void);

/* Starts count - 1 threads beside the loop of net, which runs `first`; both must outlive the crew.
 * told is called from net's loop once crew_stop has ended everything. NULL with a line in why on
 * failure. */
struct crew *crew_new(const struct net *net, unsigned count, const struct crew_work *work,
                      void *first, outcome_told *told, void *owner, char *why, size_t size);

/* What `first` was told: the crew tells its owner when the others are done too. A void * is a
 * struct crew *. */
void crew_told(void *owner, enum outcome outcome, const char *text);

/* Asks the other loops for a sign of life: alive(owner) is called from net's loop when all have
 * given one, which may be never. One call at a time. */
void crew_call(struct crew *crew, void (*alive)(void *owner), void *owner);

/* Stops every loop's work, `first` too. */
void crew_stop(struct crew *crew);

/* Ends the threads and frees; `first` stays the caller's. NULL is fine. */
void crew_free(struct crew *crew);

#endif
