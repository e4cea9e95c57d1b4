/* The local end of a stream: a socket, or standard input and output. */
#ifndef USI_NET_LOCAL_H
#define USI_NET_LOCAL_H

#include "net/net.h"
#include "net/reader.h"
#include "net/sock.h"
#include "net/writer.h"

struct local;

/* The end that has no socket yet: what is written to it waits. NULL when out of memory. */
struct local *local_new(const struct net *net);

/* Gives it its connected socket, which becomes its own. */
void local_attach(struct local *local, struct sock *sock);

/* Standard input and output, whatever they are: files, pipes, terminals, sockets. They are taken
 * over: descriptors 0 and 1 are /dev/null afterwards, so that closing the local end is an end of
 * file for those who read it. Flags that other processes see are put back when it is closed. NULL
 * with a line in why. */
struct local *local_stdio(const struct net *net, char *why, size_t size);

/* Is its input a terminal? */
bool local_is_terminal(const struct local *local);

/* What messages call its input and its output. */
const char *local_input_name(const struct local *local);
const char *local_output_name(const struct local *local);

struct reader *local_reader(struct local *local);
struct writer *local_writer(struct local *local);

/* Whom the writer's `changed` calls. */
void local_set_writer_owner(struct local *local, void (*changed)(void *owner), void *owner);

/* Nobody's for now: stops reading, and tells nobody of writing. */
void local_disown(struct local *local);

/* Everything was written: ends the output (shutdown of a socket, close of a file or pipe), unless
 * `keep`. 0, or a negative libuv error that the end itself brought up (a disk that is full only at
 * close). */
int local_end_output(struct local *local, bool keep);

/* Closes and frees: at once, if it never had a socket, else when libuv lets it; reset: a socket's
 * far side gets a reset. NULL is fine. */
void local_close(struct local *local, bool reset);

#endif
