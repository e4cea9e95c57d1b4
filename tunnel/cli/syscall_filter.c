#include "cli/syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#ifdef USI_HAVE_SECCOMP

#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two tiers are refused. What is not named fails with ENOSYS: libraries then do without, or do it
 * in an older way, and nothing is lost when one of a later year tries a call that nobody here knows
 * of. What is named in `fatal` no library needs here: it ends the process.
 *
 * By name, as libseccomp resolves them at run time: those that it or the machine does not have are
 * passed over (an architecture has one of open and openat, poll and ppoll, time of 32 and 64 bits).
 * Calls without a condition cost next to nothing where the kernel (5.11) remembers which these are:
 * all of the data path is such. */
static const char *const allowed[] = {
    /* data, and waiting for it */
    "read", "write", "readv", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "recv", "send",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "epoll_create", "epoll_create1",
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
    "recvmmsg", "recvmmsg_time64", "sendmmsg", "pipe", "pipe2", "eventfd2", "close", "close_range",
    "dup", "dup2", "dup3",
    /* connections; `socket` stands below */
    "connect", "accept", "accept4", "bind", "listen", "shutdown", "getsockname", "getpeername",
    "getsockopt", "setsockopt",
    /* threads and memory; `clone`, `mmap` and `mprotect` stand below */
    "futex", "futex_time64", "sched_yield", "sched_getaffinity", "set_robust_list",
    "get_robust_list", "rseq", "membarrier", "gettid", "exit", "exit_group", "munmap", "mremap",
    "madvise", "brk", "mlock", "mlock2", "munlock", "getcpu",
    /* signals, time, chance, who and where we are */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "restart_syscall",
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "clock_nanosleep",
    "clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "getrandom", "getpid", "getppid",
    "getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32",
    "getresuid", "getresuid32", "getresgid", "getresgid32", "getpgrp", "getpgid", "getsid",
    "setsid", "uname", "sysinfo", "getrlimit", "ugetrlimit", "getrusage", "getcwd",
    /* files: which ones is Landlock's affair */
    "open", "openat", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat",
    "fstatat64", "statx", "statfs", "statfs64", "fstatfs", "fstatfs64", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "lseek", "_llseek", "pread64", "pwrite64", "preadv",
    "pwritev", "getdents", "getdents64", "fsync", "fdatasync", "ftruncate", "ftruncate64",
    "fallocate", "fadvise64", "fadvise64_64", "flock", "fchmod", "utimensat", "utimensat_time64",
    "umask", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "linkat"};

static const char *const fatal[] = {"execve",
                                    "execveat",
                                    "ptrace",
                                    "process_vm_readv",
                                    "process_vm_writev",
                                    "process_madvise",
                                    "pidfd_getfd",
                                    "kcmp",
                                    "mount",
                                    "umount",
                                    "umount2",
                                    "mount_setattr",
                                    "move_mount",
                                    "open_tree",
                                    "fsopen",
                                    "fsmount",
                                    "fsconfig",
                                    "fspick",
                                    "pivot_root",
                                    "chroot",
                                    "setns",
                                    "unshare",
                                    "init_module",
                                    "finit_module",
                                    "delete_module",
                                    "bpf",
                                    "perf_event_open",
                                    "kexec_load",
                                    "kexec_file_load",
                                    "userfaultfd",
                                    "open_by_handle_at",
                                    "reboot",
                                    "swapon",
                                    "swapoff",
                                    "iopl",
                                    "ioperm"};

/* Terminals, and what libuv and the resolver ask of sockets. Not among them is TIOCSTI, which types
 * commands into a terminal for the shell to run. */
static const unsigned long controls[] = {
    FIONBIO, FIOCLEX, FIONCLEX, FIONREAD, TCGETS, TCSETS, TCSETSW, TCSETSF, TCFLSH, TCSBRK, TCXONC,
    TIOCGWINSZ, TIOCSWINSZ, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCOUTQ, TIOCGPTN, TIOCSPTLCK,
    TIOCGPTPEER, SIOCGIFINDEX, SIOCGIFNAME, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR,
    /* TCGETS2, TCSETS2, TCSETSW2, TCSETSF2, which glibc 2.42 calls; their structure has no header
     * that goes with termios.h. */
    _IOC(_IOC_READ, 'T', 0x2A, 44), _IOC(_IOC_WRITE, 'T', 0x2B, 44),
    _IOC(_IOC_WRITE, 'T', 0x2C, 44), _IOC(_IOC_WRITE, 'T', 0x2D, 44)};

/* Not F_SETOWN, by which the kernel would send others signals for us. */
static const unsigned descriptor_controls[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL,
                                               F_SETFL, F_GETLK,         F_SETLK, F_SETLKW};

/* AF_NETLINK is where the C library looks addresses and interfaces up. */
static const struct {
    int family, type, protocol;
} sockets[] = {{AF_UNIX, SOCK_STREAM, 0},  {AF_UNIX, SOCK_DGRAM, 0},
               {AF_INET, SOCK_STREAM, 0},  {AF_INET, SOCK_STREAM, IPPROTO_TCP},
               {AF_INET6, SOCK_STREAM, 0}, {AF_INET6, SOCK_STREAM, IPPROTO_TCP},
               {AF_INET, SOCK_DGRAM, 0},   {AF_INET, SOCK_DGRAM, IPPROTO_UDP},
               {AF_INET6, SOCK_DGRAM, 0},  {AF_INET6, SOCK_DGRAM, IPPROTO_UDP}};

enum { CONDITIONS = 3, TYPE = 0xf /* of a socket, without its flags */ };

static int number_of(const char *name)
{
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR ? -1 : number;
}

/* A call of that name with these conditions, all of them. */
static int allow_if(scmp_filter_ctx filter, const char *name, unsigned count,
                    const struct scmp_arg_cmp conditions[])
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number_of(name), count, conditions);
}

static int name_plain(scmp_filter_ctx filter)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < sizeof allowed / sizeof allowed[0]; i++)
        if (number_of(allowed[i]) != -1)
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number_of(allowed[i]), 0);
    for (size_t i = 0; result == 0 && i < sizeof fatal / sizeof fatal[0]; i++)
        if (number_of(fatal[i]) != -1)
            result = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, number_of(fatal[i]), 0);
    return result;
}

/* No raw, packet or other sockets, whatever the rights of the user. */
static int name_sockets(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp route[] = {SCMP_CMP(0, SCMP_CMP_EQ, AF_NETLINK, 0),
                                         SCMP_CMP(2, SCMP_CMP_EQ, 0 /* NETLINK_ROUTE */, 0)};
    const struct scmp_arg_cmp pair[] = {SCMP_CMP(0, SCMP_CMP_EQ, AF_UNIX, 0)};
    int result = allow_if(filter, "socket", 2, route);

    for (size_t i = 0; result == 0 && i < sizeof sockets / sizeof sockets[0]; i++) {
        const struct scmp_arg_cmp one[] = {
            SCMP_CMP(0, SCMP_CMP_EQ, (unsigned)sockets[i].family, 0),
            SCMP_CMP(1, SCMP_CMP_MASKED_EQ, TYPE, (unsigned)sockets[i].type),
            SCMP_CMP(2, SCMP_CMP_EQ, (unsigned)sockets[i].protocol, 0)};
        result = allow_if(filter, "socket", CONDITIONS, one);
    }
    return result != 0 ? result : allow_if(filter, "socketpair", 1, pair);
}

/* Memory is writable or executable, never both, and what was writable does not become
 * executable (but for guarded branches, below): modules of the resolver are mapped. */
static int name_memory(scmp_filter_ctx filter)
{
    static const char *const maps[] = {"mmap", "mmap2"};
    static const int fit[] = {0, PROT_WRITE, PROT_EXEC};
    const struct scmp_arg_cmp data[] = {SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)};
    int result = allow_if(filter, "mprotect", 1, data);

#ifdef __aarch64__ /* the loader asks for guarded branches (BTI) in a module that it has mapped */
    const struct scmp_arg_cmp guard[] = {
        SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_EXEC)};
    if (result == 0)
        result = allow_if(filter, "mprotect", 1, guard);
#endif
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        for (size_t j = 0; result == 0 && j < sizeof fit / sizeof fit[0]; j++) {
            const struct scmp_arg_cmp one[] = {
                SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, (unsigned)fit[j])};
            if (number_of(maps[i]) != -1)
                result = allow_if(filter, maps[i], 1, one);
        }
    return result;
}

/* Threads are made, processes are not. (clone3 hides its flags from a filter: it is not there, and
 * the C library takes clone.) Signals go to ourselves only. */
static int name_process(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp thread[] = {
#ifdef __s390__
        SCMP_CMP(1, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
#else
        SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
#endif
    };
    const struct scmp_arg_cmp us[] = {SCMP_CMP(0, SCMP_CMP_EQ, (unsigned)getpid(), 0)};
    const struct scmp_arg_cmp limit[] = {SCMP_CMP(0, SCMP_CMP_EQ, 0, 0),
                                         SCMP_CMP(2, SCMP_CMP_EQ, 0, 0)};
    const struct scmp_arg_cmp name[] = {SCMP_CMP(0, SCMP_CMP_EQ, PR_SET_NAME, 0)};
    int result = allow_if(filter, "clone", 1, thread);

    if (result == 0)
        result = allow_if(filter, "tgkill", 1, us);
    if (result == 0)
        result = allow_if(filter, "kill", 1, us);
    if (result == 0) /* asked for, not set */
        result = allow_if(filter, "prlimit64", 2, limit);
    return result != 0 ? result : allow_if(filter, "prctl", 1, name);
}

static int name_controls(scmp_filter_ctx filter)
{
    static const char *const names[] = {"fcntl", "fcntl64"};
    int result = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t j = 0; result == 0 && number_of(names[i]) != -1 &&
                           j < sizeof descriptor_controls / sizeof descriptor_controls[0];
             j++) {
            const struct scmp_arg_cmp one[] = {
                SCMP_CMP(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, descriptor_controls[j])};
            result = allow_if(filter, names[i], 1, one);
        }

    for (size_t i = 0; result == 0 && i < sizeof controls / sizeof controls[0]; i++) {
        /* The kernel looks at 32 bits. */
        const struct scmp_arg_cmp one[] = {
            SCMP_CMP(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, controls[i] & UINT32_MAX)};
        result = allow_if(filter, "ioctl", 1, one);
    }
    return result;
}

/* What libseccomp 2.4 does not know is passed over. */
static int set_up(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
#if SCMP_VER_MAJOR > 2 || SCMP_VER_MINOR >= 5
    /* A tree instead of a list; and no brake on speculation, which kernels before 5.16 put on:
     * no code of strangers runs here. */
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
#endif
    return result;
}

static int name_all(scmp_filter_ctx filter)
{
    int result = name_plain(filter);

    if (result == 0)
        result = name_sockets(filter);
    if (result == 0)
        result = name_memory(filter);
    if (result == 0)
        result = name_process(filter);
    return result != 0 ? result : name_controls(filter);
}

const char *syscall_filter_library(char version[16])
{
    const struct scmp_version *v = seccomp_version();

    (void)snprintf(version, 16, "%u.%u.%u", v->major, v->minor, v->micro);
    return version;
}

bool syscall_filter_available(void)
{
    /* A kernel with filters looks for one there; any other does not know the question. */
    return prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, NULL, 0, 0) != 0 && errno == EFAULT;
}

int syscall_filter_without_rings(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int number = number_of("io_uring_setup"), result = 0;

    if (filter == NULL)
        return -ENOMEM;
    if (number != -1)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result;
}

int syscall_filter_enter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int result;

    if (filter == NULL)
        return -ENOMEM;
    result = set_up(filter);
    if (result == 0)
        result = name_all(filter);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result > 0 ? -ESRCH : result; /* TSYNC: a thread that has a filter of its own */
}

#else

const char *syscall_filter_library(char version[16])
{
    (void)version;
    return NULL;
}

bool syscall_filter_available(void)
{
    return false;
}

int syscall_filter_without_rings(void)
{
    return -ENOSYS;
}

int syscall_filter_enter(void)
{
    return -ENOSYS;
}

#endif
