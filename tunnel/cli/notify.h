/* Desktop notifications: org.freedesktop.Notifications.Notify on the session's bus, through
 * sd-bus, from the loop. Without a bus, a service or libsystemd nothing happens, silently. */
#ifndef USI_CLI_NOTIFY_H
#define USI_CLI_NOTIFY_H

#include "net/loop.h"

struct notify;

/* Nothing is connected before the first notify_show. NULL when out of memory or not built in. */
struct notify *notify_new(struct loop *loop);

/* Shows `title` and `body`, NUL-terminated and hostile: control, format and other invisible
 * characters and what is not UTF-8 are left out, the body's markup is escaped, both are cut to a
 * length that a bubble can show. At most one a second goes out: others are dropped. NULL is fine.
 */
void notify_show(struct notify *notify, const char *title, const char *body);

/* Frees when the loop has closed the handles. NULL is fine. */
void notify_close(struct notify *notify);

#endif
