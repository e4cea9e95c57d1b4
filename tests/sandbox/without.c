/* without landlock|seccomp PROGRAM [ARGUMENTS...]: runs the program as if the kernel had no
 * Landlock, or no seccomp filters. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

#define LOAD(member)              BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))
#define FAIL(error)               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW                     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int load(struct sock_filter *filter, size_t count)
{
    const struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
               ? -1
               : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int argc, char **argv)
{
    struct sock_filter landlock[] = {LOAD(nr), SKIP_UNLESS(SYS_landlock_create_ruleset, 1),
                                     FAIL(ENOSYS), ALLOW};
    struct sock_filter seccomp[] = {
        LOAD(nr),      SKIP_UNLESS(SYS_seccomp, 1),    FAIL(ENOSYS), SKIP_UNLESS(SYS_prctl, 3),
        LOAD(args[0]), SKIP_UNLESS(PR_SET_SECCOMP, 1), FAIL(EINVAL), ALLOW};
    int result = -1;

    if (argc > 2 && strcmp(argv[1], "landlock") == 0)
        result = load(landlock, sizeof landlock / sizeof landlock[0]);
    else if (argc > 2 && strcmp(argv[1], "seccomp") == 0)
        result = load(seccomp, sizeof seccomp / sizeof seccomp[0]);
    if (result == 0)
        execvp(argv[2], argv + 2);
    perror("without");
    return 99;
}
