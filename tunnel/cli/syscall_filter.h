/* Which system calls this process may still make: a seccomp filter, by libseccomp. */
#ifndef USI_CLI_SYSCALL_FILTER_H
#define USI_CLI_SYSCALL_FILTER_H

#include <stdbool.h>

/* The version of libseccomp; NULL: this build has none. */
const char *syscall_filter_library(char version[16]);

/* Does the kernel filter system calls? */
bool syscall_filter_available(void);

/* From here on there are no io_urings, which carry system calls past a filter, and work with the
 * rights that there were when they were made. For later threads, too. 0, or a negative errno. */
int syscall_filter_without_rings(void);

/* From here on every thread of this process makes the calls that the program, libcrypto, libuv, the
 * C library's resolver and its modules need. Others fail as if the kernel did not know them; those
 * that only somebody who has taken the process over would try (to run a program, trace another
 * process, mount, load a module) end it by SIGSYS. There is no way back. 0 or a negative errno. */
int syscall_filter_enter(void);

#endif
