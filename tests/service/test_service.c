#include "cli/service.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A manager's socket, a loop, and a service that watches it every ms. */
struct fixture {
    int manager;
    struct loop loop;
    struct service *service;
    unsigned asked;
};

static void ask(void *owner)
{
    struct fixture *f = owner;

    f->asked++;
}

static void over(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Lets the loop run for a while. */
static void run(struct fixture *f, uint64_t ms)
{
    uv_timer_t limit;

    ck_assert_int_eq(uv_timer_init(&f->loop.uv, &limit), 0);
    ck_assert_int_eq(uv_timer_start(&limit, over, ms, 0), 0);
    (void)uv_run(&f->loop.uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&limit, NULL);
    (void)uv_run(&f->loop.uv, UV_RUN_NOWAIT);
}

static void begin(struct fixture *f, const char *usec)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char text[64];

    *f = (struct fixture){0};
    int n = snprintf(text, sizeof text, "@usi-test-service-%ld", (long)getpid());
    memcpy(name.sun_path + 1, text + 1, (size_t)n - 1);
    f->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(f->manager, 0);
    ck_assert_int_eq(bind(f->manager, (struct sockaddr *)&name,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
                     0);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", text, 1), 0);
    ck_assert_int_eq(setenv("WATCHDOG_USEC", usec, 1), 0);
    ck_assert_int_eq(loop_init(&f->loop), 0);
    f->service = service_new();
    ck_assert_ptr_nonnull(f->service);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
}

static void end(struct fixture *f)
{
    service_close(f->service);
    ck_assert(loop_close(&f->loop));
    service_free(f->service);
    (void)close(f->manager);
}

/* The next message, or "". */
static const char *heard(const struct fixture *f, char line[512])
{
    ssize_t n = recv(f->manager, line, 511, MSG_DONTWAIT);

    line[n > 0 ? n : 0] = '\0';
    return line;
}

START_TEST(no_sign_of_life_without_an_answer)
{
    struct fixture f;
    char line[512];

    begin(&f, "2000");
    service_alive(f.service); /* nobody has asked */
    service_ready(f.service, &f.loop, false, ask, &f);
    ck_assert_str_eq(heard(&f, line), "READY=1\nSTATUS=channels: 0 open, 0 so far\n");
    run(&f, 50);
    ck_assert_uint_eq(f.asked, 1); /* and not again before the answer */
    ck_assert_str_eq(heard(&f, line), "");
    for (unsigned i = 2; i <= 4; i++) {
        service_alive(f.service);
        ck_assert_str_eq(heard(&f, line), "WATCHDOG=1\n");
        service_alive(f.service); /* once an answer */
        ck_assert_str_eq(heard(&f, line), "");
        while (f.asked < i)
            run(&f, 5);
        ck_assert_uint_eq(f.asked, i);
    }
    end(&f);
}
END_TEST

START_TEST(channels_that_come_before_it_is_ready_are_counted)
{
    const struct report came = {.type = REPORT_AUTHENTICATED}, went = {.type = REPORT_ENDED},
                        other = {.type = REPORT_REKEYED};
    struct fixture f;
    char line[512];

    begin(&f, "0");
    service_count(f.service, &came);
    service_count(f.service, &other);
    service_ready(f.service, &f.loop, false, ask, &f);
    service_ready(f.service, &f.loop, false, ask, &f);
    ck_assert_str_eq(heard(&f, line), "READY=1\nSTATUS=channels: 1 open, 1 so far\n");
    service_count(f.service, &came);
    service_count(f.service, &went);
    service_count(f.service, &went);
    while (*heard(&f, line) == '\0')
        run(&f, 20);
    ck_assert_str_eq(line, "STATUS=channels: 0 open, 2 so far\n");
    ck_assert_uint_eq(f.asked, 0);
    service_close(f.service);
    service_count(f.service, &came); /* a link that ends with the loop */
    end(&f);
}
END_TEST

START_TEST(nothing_is_told_without_a_manager)
{
    ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
    ck_assert_int_eq(setenv("WATCHDOG_USEC", "2000", 1), 0);
    ck_assert_ptr_null(service_new());
    ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
    service_ready(NULL, NULL, true, ask, NULL);
    service_alive(NULL);
    service_count(NULL, &(struct report){.type = REPORT_ENDED});
    service_reloading(NULL);
    service_reloaded(NULL, "why");
    service_stopping(NULL);
    service_close(NULL);
    service_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("service");
    TCase *tcase = tcase_create("manager");

    tcase_add_test(tcase, no_sign_of_life_without_an_answer);
    tcase_add_test(tcase, channels_that_come_before_it_is_ready_are_counted);
    tcase_add_test(tcase, nothing_is_told_without_a_manager);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
