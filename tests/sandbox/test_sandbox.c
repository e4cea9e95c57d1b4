/* What a process in the sandbox cannot do any more, each tried in a process of its own; and that it
 * still can do what the program needs. */
#include "cli/landlock.h"
#include "cli/sandbox.h"
#include "cli/syscall_filter.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORBIDDEN = 128 /* + SIGSYS: what the process ended by */ };

/* ---- system calls ---- */

static bool have_filter(void)
{
    char version[16];

    return syscall_filter_library(version) != NULL && syscall_filter_available();
}

/* Runs body behind the filter in a child: its exit status, or FORBIDDEN + the signal. */
static int filtered(int (*body)(void))
{
    int status = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (syscall_filter_enter() != 0)
            _exit(99);
        _exit(body());
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? FORBIDDEN + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The error of a call, or 0. */
static int error_of(long result)
{
    return result < 0 ? errno : 0;
}

static long fatal_call; /* which the next child makes */

static int make_fatal_call(void)
{
    /* Without sense on purpose: who only looks at arguments must not get through. */
    return syscall(fatal_call, 0L, 0L, 0L, 0L, 0L, 0L) == 0 ? 0 : error_of(-1);
}

START_TEST(what_only_an_intruder_does_is_the_end)
{
    static const long calls[] = {SYS_execve,
                                 SYS_execveat,
                                 SYS_ptrace,
                                 SYS_process_vm_readv,
                                 SYS_process_vm_writev,
                                 SYS_mount,
                                 SYS_umount2,
                                 SYS_pivot_root,
                                 SYS_chroot,
                                 SYS_setns,
                                 SYS_unshare,
                                 SYS_init_module,
                                 SYS_finit_module,
                                 SYS_delete_module,
                                 SYS_bpf,
                                 SYS_kexec_load,
                                 SYS_perf_event_open,
                                 SYS_userfaultfd,
                                 SYS_reboot,
                                 SYS_swapon};

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        fatal_call = calls[i];
        int ended = filtered(make_fatal_call);
        ck_assert_msg(ended == FORBIDDEN + SIGSYS, "call %ld: %d", calls[i], ended);
    }
}
END_TEST

static int run_a_program(void)
{
    char *const words[] = {(char[]){"true"}, NULL};

    return execv("/bin/true", words);
}

START_TEST(no_program_runs)
{
    ck_assert_int_eq(filtered(run_a_program), FORBIDDEN + SIGSYS);
}
END_TEST

static int fork_it(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return error_of(child);
}

static int clone_it(void)
{
    return error_of(syscall(SYS_clone, (unsigned long)SIGCHLD, 0L, 0L, 0L, 0L));
}

static int become_root(void)
{
    return error_of(syscall(SYS_setresuid, 0L, 0L, 0L));
}

static int signal_parent(void)
{
    return error_of(kill(getppid(), 0));
}

static int raise_limit(void)
{
    const struct rlimit limit = {100, 100};

    return error_of(setrlimit(RLIMIT_NOFILE, &limit));
}

static int make_a_device(void)
{
    return error_of(mknod("/tmp/usi-no-device", S_IFCHR | 0600, 0));
}

static int use_io_uring(void)
{
    return error_of(syscall(SYS_io_uring_setup, 8L, NULL)); /* files past any filter */
}

static int make_undumpable_dumpable(void)
{
    return error_of(syscall(SYS_prctl, 4L /* PR_SET_DUMPABLE */, 1L, 0L, 0L, 0L));
}

START_TEST(what_is_not_needed_is_as_if_the_kernel_had_none)
{
    static int (*const bodies[])(void) = {
        fork_it,     clone_it,      become_root,  signal_parent,
        raise_limit, make_a_device, use_io_uring, make_undumpable_dumpable};

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        int ended = filtered(bodies[i]);
        ck_assert_msg(ended == ENOSYS, "%zu: %d", i, ended);
    }
}
END_TEST

static int families[3];

static int open_socket(void)
{
    return error_of(socket(families[0], families[1], families[2]));
}

START_TEST(sockets)
{
    static const struct {
        int family, type, protocol, error;
    } cases[] = {{AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0},
                 {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0},
                 {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, 0},
                 {AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0},
                 {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE, 0},
                 {AF_INET, SOCK_STREAM, IPPROTO_TCP, 0},
                 {AF_INET, SOCK_STREAM, 132 /* SCTP */, ENOSYS},
                 {AF_INET6, SOCK_STREAM, 262 /* MPTCP */, ENOSYS},
                 {AF_INET, SOCK_DGRAM, IPPROTO_ICMP, ENOSYS},
                 {AF_INET, SOCK_RAW, 255, ENOSYS},
                 {AF_INET6, SOCK_RAW, 255, ENOSYS},
                 {AF_PACKET, SOCK_RAW, 0, ENOSYS},
                 {AF_PACKET, SOCK_DGRAM, 0, ENOSYS},
                 {AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT, ENOSYS},
                 {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, ENOSYS},
                 {AF_VSOCK, SOCK_STREAM, 0, ENOSYS},
                 {AF_ALG, SOCK_SEQPACKET, 0, ENOSYS},
                 {AF_BLUETOOTH, SOCK_STREAM, 0, ENOSYS}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        families[0] = cases[i].family;
        families[1] = cases[i].type;
        families[2] = cases[i].protocol;
        int ended = filtered(open_socket);
        ck_assert_msg(ended == cases[i].error, "%zu: %d", i, ended);
    }
}
END_TEST

static int map_writable_and_executable(void)
{
    /* cppcheck-suppress leakReturnValNotUsed ; the process ends */
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? errno
               : 0;
}

static int make_written_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED ? 1 : error_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

/* As the resolver loads its modules. */
static int load_a_library(void)
{
    /* cppcheck-suppress leakReturnValNotUsed ; the process ends */
    return dlopen("libnss_hesiod.so.2", RTLD_NOW) != NULL || dlopen("libm.so.6", RTLD_NOW) != NULL
               ? 0
               : 1;
}

static int protect_memory(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED ? 1 : error_of(mprotect(page, 4096, PROT_NONE));
}

START_TEST(no_code_is_made)
{
    ck_assert_int_eq(filtered(map_writable_and_executable), ENOSYS);
#ifndef __aarch64__
    ck_assert_int_eq(filtered(make_written_executable), ENOSYS);
#endif
    ck_assert_int_eq(filtered(load_a_library), 0);
    ck_assert_int_eq(filtered(protect_memory), 0);
}
END_TEST

static int terminal; /* of a pair */

static int type_a_command(void)
{
    return error_of(ioctl(terminal, TIOCSTI, "x"));
}

static int type_a_command_in_other_words(void)
{
    /* The kernel looks at 32 bits of the number. */
    return error_of(syscall(SYS_ioctl, terminal, 0x100000000UL | TIOCSTI, "x"));
}

static int ask_the_size(void)
{
    struct winsize size;

    return error_of(ioctl(terminal, TIOCGWINSZ, &size));
}

START_TEST(nothing_is_typed_into_the_terminal)
{
    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(terminal, 0);
    ck_assert_int_eq(filtered(type_a_command), ENOSYS);
    ck_assert_int_eq(filtered(type_a_command_in_other_words), ENOSYS);
    ck_assert_int_eq(filtered(ask_the_size), 0);
    close(terminal);
}
END_TEST

static void *note(void *done)
{
    atomic_store((atomic_bool *)done, true);
    return NULL;
}

static int start_a_thread(void)
{
    atomic_bool done = false;
    pthread_t thread;

    if (pthread_create(&thread, NULL, note, &done) != 0 || pthread_join(thread, NULL) != 0)
        return 1;
    return atomic_load(&done) ? 0 : 2;
}

static int resolve(void)
{
    struct addrinfo *list = NULL;
    int result = getaddrinfo("localhost", "1", NULL, &list);

    if (result != 0)
        return 1;
    freeaddrinfo(list);
    return 0;
}

static int abort_it(void)
{
    abort();
}

START_TEST(what_is_needed_works)
{
    ck_assert_int_eq(filtered(start_a_thread), 0);
    ck_assert_int_eq(filtered(resolve), 0);
    ck_assert_int_eq(filtered(abort_it), FORBIDDEN + SIGABRT);
}
END_TEST

static atomic_int stage; /* 1: the thread runs; 2: the filter is in force */

static void *try_a_packet_socket(void *error)
{
    atomic_store(&stage, 1);
    while (atomic_load(&stage) != 2)
        (void)sched_yield();
    *(int *)error = error_of(socket(AF_PACKET, SOCK_RAW, 0));
    return NULL;
}

static int have_the_kernel_send_signals(void)
{
    return error_of(fcntl(STDIN_FILENO, F_SETOWN, getppid()));
}

START_TEST(nobody_else_is_signalled)
{
    ck_assert_int_eq(filtered(have_the_kernel_send_signals), ENOSYS);
}
END_TEST

static int make_a_ring(void)
{
    char room[256] = {0};

    return syscall_filter_without_rings() != 0 ? -1
                                               : error_of((int)syscall(425, 1, room)); /* setup */
}

START_TEST(there_are_no_rings)
{
    int status = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(make_a_ring());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), ENOSYS);
}
END_TEST

START_TEST(threads_that_run_already_are_in_it)
{
    int status = 0, error = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, try_a_packet_socket, &error) != 0)
            _exit(98);
        while (atomic_load(&stage) != 1)
            (void)sched_yield();
        if (syscall_filter_enter() != 0)
            _exit(99);
        atomic_store(&stage, 2);
        _exit(pthread_join(thread, NULL) == 0 ? error : 97);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), ENOSYS);
}
END_TEST

/* ---- files ---- */

static char folder[] =
    "/var/tmp/usi-sandbox-XXXXXX"; /* with inside/ and inside/file, outside/ and its file */
static struct options options;
static struct sandbox_facts facts;

static const char *at(const char *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_file(const char *name)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void set_up(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(mkdir(at("inside"), 0700), 0);
    ck_assert_int_eq(mkdir(at("outside"), 0700), 0);
    make_file("inside/file");
    make_file("outside/file");
    memset(&options, 0, sizeof options);
    memset(&facts, 0, sizeof facts);
    options.command = OPTIONS_LISTEN;
    options.word = OPTIONS_PIPE;
}

static void tear_down(void)
{
    char command[PATH_MAX + 16];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags, 0600);

    return fd >= 0 && close(fd) == 0;
}

/* What a process may do with files there, as letters: r(ead) the file, l(ist) the folder, w(rite)
 * the file, m(ake), n(ame anew), d(elete); R and W for the ones outside. */
static void try_files(char *answer)
{
    static const struct {
        char letter;
        const char *name;
        int flags;
    } opens[] = {
        {'r', "inside/file", O_RDONLY},  {'l', "inside", O_RDONLY | O_DIRECTORY},
        {'w', "inside/file", O_WRONLY},  {'m', "inside/new", O_WRONLY | O_CREAT | O_EXCL},
        {'R', "outside/file", O_RDONLY}, {'L', "outside", O_RDONLY | O_DIRECTORY},
        {'W', "outside/file", O_WRONLY}, {'M', "outside/new", O_WRONLY | O_CREAT | O_EXCL}};
    char from[PATH_MAX], to[PATH_MAX];

    for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++)
        if (can_open(at(opens[i].name), opens[i].flags))
            *answer++ = opens[i].letter;
    snprintf(from, sizeof from, "%s", at("inside/file"));
    snprintf(to, sizeof to, "%s", at("inside/other"));
    if (rename(from, to) == 0 && rename(to, from) == 0)
        *answer++ = 'n';
    snprintf(to, sizeof to, "%s", at("outside/other"));
    if (rename(from, to) == 0 && rename(to, from) == 0)
        *answer++ = 'N';
    if (unlink(from) == 0)
        *answer++ = 'd';
    if (unlink(at("outside/file")) == 0)
        *answer++ = 'D';
    if (can_open("/etc/passwd", O_RDONLY) && can_open("/dev/null", O_RDWR))
        *answer++ = '+'; /* always */
    if (can_open("/etc/usi-no-such-file", O_WRONLY | O_CREAT))
        *answer++ = '!'; /* never */
    *answer = '\0';
}

/* Compares that for a process in the sandbox of these options. */
static void expect_files(const char *wanted)
{
    int ends[2], status = 0;
    char got[32] = "";

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        bool files = false;
        if (chdir(at("inside")) != 0 || sandbox_enter(&options, &facts, SAY_NORMAL, &files) != 0 ||
            files == (options.no_sandbox || facts.token))
            _exit(99);
        try_files(got);
        _exit(write(ends[1], got, strlen(got) + 1) > 0 ? 0 : 98);
    }
    close(ends[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
    ck_assert_int_gt(read(ends[0], got, sizeof got), 0);
    close(ends[0]);
    ck_assert_str_eq(got, wanted);
}

START_TEST(a_pipe_touches_no_files)
{
    expect_files("+");
}
END_TEST

START_TEST(a_listener_reads_its_key_file_again)
{
    char key[PATH_MAX];

    snprintf(key, sizeof key, "%s", at("inside/file"));
    options.key_file[options.key_file_count++] = key;
    expect_files("rl+");
    options.command = OPTIONS_CONNECT;
    expect_files("+");
}
END_TEST

START_TEST(receive_writes_below_its_folder)
{
    options.word = OPTIONS_RECEIVE;
    options.directory = ".";
    expect_files("rlwmnd+");
}
END_TEST

START_TEST(send_reads_what_was_named)
{
    const char *const files[] = {"file"};

    options.command = OPTIONS_CONNECT;
    options.word = OPTIONS_SEND;
    options.files = files;
    options.file_count = 1;
    expect_files("r+");
}
END_TEST

START_TEST(send_listen_reads_what_takes_the_place_of_it)
{
    const char *const files[] = {"file"};

    options.word = OPTIONS_SEND;
    options.files = files;
    options.file_count = 1;
    expect_files("rl+");
}
END_TEST

START_TEST(a_chat_reads_all_and_writes_where_it_began)
{
    options.word = OPTIONS_CHAT;
    expect_files("rlwmRLnd+");
    ck_assert_int_eq(chdir(at("inside")), 0);
    ck_assert(sandbox_lets_write("."));
    ck_assert(!sandbox_lets_write(".."));
    ck_assert(!sandbox_lets_write("../outside"));
    ck_assert_int_eq(mkdir(at("inside/below"), 0700), 0);
    ck_assert_int_eq(mkdir(at("insider"), 0700), 0);
    ck_assert(sandbox_lets_write("below"));
    ck_assert(!sandbox_lets_write("../insider"));
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert(sandbox_lets_write("/var"));
}
END_TEST

START_TEST(a_listening_socket_can_be_removed)
{
    options.address.kind = ADDRESS_UNIX;
    snprintf(options.address.path, sizeof options.address.path, "%s/inside/socket", folder);
    expect_files("d+");
}
END_TEST

static void expect_everything(void)
{
    bool root = geteuid() == 0;

    expect_files(root ? "rlwmRLWMnNdD+!" : "rlwmRLWMnNdD+");
    ck_assert(!root || unlink("/etc/usi-no-such-file") == 0);
}

START_TEST(without_it_all_is_as_before)
{
    options.no_sandbox = true;
    expect_everything();
}
END_TEST

START_TEST(a_token_keeps_its_files)
{
    facts.token = true;
    expect_everything();
}
END_TEST

/* Landlock alone, where no filter ends the process before. */
START_TEST(nothing_can_be_run)
{
    int status = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char *const words[] = {(char[]){"true"}, NULL};
        struct landlock *l = landlock_new(false);
        if (l == NULL || landlock_allow(l, "/", LANDLOCK_READ) != 0 || landlock_enter(l) != 0)
            _exit(99);
        landlock_free(l);
        (void)execv("/bin/true", words);
        _exit(errno);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), EACCES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox");
    TCase *calls = tcase_create("calls"), *files = tcase_create("files");
    bool landlock = landlock_version() >= 3; /* from there on it truncates and renames */

    tcase_add_test(calls, what_only_an_intruder_does_is_the_end);
    tcase_add_test(calls, no_program_runs);
    tcase_add_test(calls, what_is_not_needed_is_as_if_the_kernel_had_none);
    tcase_add_test(calls, sockets);
    tcase_add_test(calls, nobody_else_is_signalled);
    tcase_add_test(calls, there_are_no_rings);
    tcase_add_test(calls, no_code_is_made);
    tcase_add_test(calls, nothing_is_typed_into_the_terminal);
    tcase_add_test(calls, what_is_needed_works);
    tcase_add_test(calls, threads_that_run_already_are_in_it);
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, a_pipe_touches_no_files);
    tcase_add_test(files, a_listener_reads_its_key_file_again);
    tcase_add_test(files, receive_writes_below_its_folder);
    tcase_add_test(files, send_reads_what_was_named);
    tcase_add_test(files, send_listen_reads_what_takes_the_place_of_it);
    tcase_add_test(files, a_chat_reads_all_and_writes_where_it_began);
    tcase_add_test(files, a_listening_socket_can_be_removed);
    tcase_add_test(files, without_it_all_is_as_before);
    tcase_add_test(files, a_token_keeps_its_files);
    tcase_add_test(files, nothing_can_be_run);
    if (have_filter())
        suite_add_tcase(suite, calls);
    else
        puts("no seccomp here: not tried");
    if (landlock)
        suite_add_tcase(suite, files);
    else
        puts("no Landlock here: not tried");
    if (!have_filter() && !landlock)
        return 77;
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
