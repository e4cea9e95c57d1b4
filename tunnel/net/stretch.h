/* A connector's password, stretched in the thread pool so that the loop goes on: one at a time, and
 * kept for the salt that it was stretched under. Counts what fails: after three failures its user
 * is asked again, or nobody is shown anything more, and so many proofs are not open at once that
 * more could fail; a password that was never right is shown to one peer at a time. Who stands in
 * the middle and lets some through so has three guesses; they are forgotten after an hour without
 * any. */
#ifndef USI_NET_STRETCH_H
#define USI_NET_STRETCH_H

#include "net/loop.h"
#include "usi/channel.h"

struct stretch;

enum { STRETCH_FAILURES = 3, STRETCH_FORGET_MS = 3600 * 1000 };

/* Embedded in who waits. */
struct stretch_wait {
    struct stretch_wait *next;
    enum { STRETCH_NOT, STRETCH_WAITING, STRETCH_SHOWN } state;
    unsigned generation; /* of the password that was shown */
    uint8_t salt[USI_SALT];
    /* NULL: there is no password any more or, with an error (USI_ERR_*), it could not be stretched
     * this time. May be called from within stretch_start. */
    void (*done)(void *owner, const uint8_t *stretched, int error);
    void *owner;
};

/* password[0..size-1] is copied to the secure heap. NULL when out of memory. */
struct stretch *stretch_new(struct loop *loop, const struct usi_crypto *crypto,
                            const char *password, size_t size);

/* Wipes and frees, at once or when the thread pool lets go. Nobody may wait any more. NULL is
 * fine. */
void stretch_free(struct stretch *stretch);

/* After three failures ask(owner) is called, to be answered, at once or later, by
 * stretch_replace or stretch_give_up. Without it the password is given up. */
void stretch_set_ask(struct stretch *stretch, void (*ask)(void *owner), void *owner);
int stretch_replace(struct stretch *stretch, const char *password, size_t size);
void stretch_give_up(struct stretch *stretch);

/* wait->done is called with the password stretched under salt. */
void stretch_start(struct stretch *stretch, struct stretch_wait *wait,
                   const uint8_t salt[USI_SALT]);

/* What became of it, or that it does not matter any more; to be told once for each stretch_start.
 * Twice is fine. */
enum stretch_result { STRETCH_RIGHT, STRETCH_WRONG, STRETCH_NEITHER };
void stretch_over(struct stretch *stretch, struct stretch_wait *wait, enum stretch_result result);

#endif
