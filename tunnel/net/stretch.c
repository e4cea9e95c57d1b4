#include "net/stretch.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* One run of bcrypt: what the thread works on is its own. */
struct job {
    uv_work_t work;
    struct stretch *stretch; /* NULL: nobody wants the result any more */
    const struct usi_crypto *crypto;
    char *password; /* in the secure heap */
    size_t size;
    uint8_t salt[USI_SALT];
    uint8_t *stretched; /* in the secure heap */
    int result;
};

struct stretch {
    struct loop *loop;
    const struct usi_crypto *crypto;
    char *password; /* in the secure heap; NULL: given up */
    size_t size;
    bool proved; /* right once */
    bool asking; /* the user is being asked for another */
    unsigned failures;
    uint64_t failed_at; /* ms: the latest */
    unsigned shown;     /* waits in STRETCH_SHOWN, of this generation */
    unsigned generation;
    struct job *job; /* NULL: none is running */
    bool known;      /* salt and stretched are */
    uint8_t salt[USI_SALT];
    uint8_t *stretched; /* in the secure heap */
    struct stretch_wait *first;
    void (*ask)(void *owner);
    void *owner;
};

static void go_on(struct stretch *s);

/* Nothing that was shown before says anything about what comes now. */
static void forget_password(struct stretch *s)
{
    OPENSSL_secure_clear_free(s->password, s->size);
    OPENSSL_cleanse(s->stretched, USI_STRETCHED);
    s->password = NULL;
    s->size = 0;
    s->known = false;
    s->proved = false;
    s->failures = 0;
    s->shown = 0;
    s->generation++;
}

static int set_password(struct stretch *s, const char *password, size_t size)
{
    char *copy = OPENSSL_secure_malloc(size > 0 ? size : 1);

    if (copy == NULL)
        return USI_ERR_INTERNAL;
    memcpy(copy, password, size);
    forget_password(s);
    s->password = copy;
    s->size = size;
    return 0;
}

struct stretch *stretch_new(struct loop *loop, const struct usi_crypto *crypto,
                            const char *password, size_t size)
{
    struct stretch *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->loop = loop;
    s->crypto = crypto;
    s->stretched = OPENSSL_secure_zalloc(USI_STRETCHED);
    if (s->stretched == NULL || set_password(s, password, size) != 0) {
        OPENSSL_secure_free(s->stretched);
        free(s);
        return NULL;
    }
    return s;
}

static void job_free(struct job *job)
{
    OPENSSL_secure_clear_free(job->password, job->size);
    OPENSSL_secure_clear_free(job->stretched, USI_STRETCHED);
    free(job);
}

/* The result of a job that runs is thrown away. */
static void disown_job(struct stretch *s)
{
    if (s->job == NULL)
        return;
    s->job->stretch = NULL;
    (void)uv_cancel((uv_req_t *)&s->job->work); /* its last call comes anyway */
    s->job = NULL;
}

void stretch_free(struct stretch *s)
{
    if (s == NULL)
        return;
    disown_job(s);
    forget_password(s);
    OPENSSL_secure_clear_free(s->stretched, USI_STRETCHED);
    free(s);
}

void stretch_set_ask(struct stretch *s, void (*ask)(void *owner), void *owner)
{
    s->ask = ask;
    s->owner = owner;
}

int stretch_replace(struct stretch *s, const char *password, size_t size)
{
    int result = set_password(s, password, size);

    if (result != 0)
        return result;
    disown_job(s);
    s->asking = false;
    go_on(s);
    return 0;
}

void stretch_give_up(struct stretch *s)
{
    disown_job(s);
    forget_password(s);
    s->asking = false;
    go_on(s);
}

static void take_out(struct stretch *s, struct stretch_wait *wait)
{
    struct stretch_wait **at = &s->first;

    while (*at != NULL && *at != wait)
        at = &(*at)->next;
    if (*at != NULL)
        *at = wait->next;
    wait->next = NULL;
}

/* ---- the thread pool ---- */

static void in_thread(uv_work_t *work)
{
    struct job *job = work->data;

    job->result =
        usi_password_stretch(job->crypto, job->password, job->size, job->salt, job->stretched);
    usi_crypto_thread_stop(job->crypto);
}

/* Whoever is first in the line does not get it. The password stays: the next one may. */
static void refuse_first(struct stretch *s, int error)
{
    struct stretch_wait *wait = s->first;

    take_out(s, wait);
    wait->state = STRETCH_NOT;
    wait->done(wait->owner, NULL, error);
}

static void after_thread(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct stretch *s = job->stretch;

    if (s != NULL) {
        s->job = NULL;
        if (status == 0 && job->result == 0) {
            memcpy(s->salt, job->salt, sizeof s->salt);
            memcpy(s->stretched, job->stretched, USI_STRETCHED);
            s->known = true;
        } else if (s->first != NULL && memcmp(s->first->salt, job->salt, USI_SALT) == 0) {
            refuse_first(s, USI_ERR_INTERNAL);
        }
    }
    job_free(job);
    if (s != NULL)
        go_on(s);
}

static int start_job(struct stretch *s, const uint8_t salt[USI_SALT])
{
    struct job *job = calloc(1, sizeof *job);

    if (job != NULL) {
        job->size = s->size;
        job->password = OPENSSL_secure_malloc(s->size > 0 ? s->size : 1);
        job->stretched = OPENSSL_secure_zalloc(USI_STRETCHED);
    }
    if (job == NULL || job->password == NULL || job->stretched == NULL) {
        if (job != NULL)
            job_free(job);
        return USI_ERR_INTERNAL;
    }
    memcpy(job->password, s->password, s->size);
    memcpy(job->salt, salt, USI_SALT);
    job->crypto = s->crypto;
    job->stretch = s;
    job->work.data = job;
    s->job = job;
    if (uv_queue_work(&s->loop->uv, &job->work, in_thread, after_thread) != 0) {
        s->job = NULL;
        job_free(job);
        return USI_ERR_INTERNAL;
    }
    return 0;
}

/* ---- who waits ---- */

/* Proofs that may be open at once: as many as could fail. */
static unsigned shown_max(const struct stretch *s)
{
    return !s->proved ? 1 : s->failures < STRETCH_FAILURES ? STRETCH_FAILURES - s->failures : 1;
}

/* Serves the first in the line as long as that is possible. */
static void go_on(struct stretch *s)
{
    while (s->first != NULL && !s->asking) {
        struct stretch_wait *wait = s->first;
        if (s->password == NULL) {
            take_out(s, wait);
            wait->state = STRETCH_NOT;
            wait->done(wait->owner, NULL, 0);
            continue;
        }
        if (s->job != NULL || s->shown >= shown_max(s))
            return;
        if (!s->known || memcmp(s->salt, wait->salt, USI_SALT) != 0) {
            int result = start_job(s, wait->salt);
            if (result != 0)
                refuse_first(s, result);
            continue;
        }
        take_out(s, wait);
        wait->state = STRETCH_SHOWN;
        wait->generation = s->generation;
        s->shown++;
        wait->done(wait->owner, s->stretched, 0);
    }
}

void stretch_start(struct stretch *s, struct stretch_wait *wait, const uint8_t salt[USI_SALT])
{
    struct stretch_wait **last = &s->first;

    wait->next = NULL;
    wait->state = STRETCH_WAITING;
    memcpy(wait->salt, salt, USI_SALT);
    while (*last != NULL)
        last = &(*last)->next;
    *last = wait;
    go_on(s);
}

static void count_failure(struct stretch *s)
{
    uint64_t now = uv_now(&s->loop->uv);

    if (now - s->failed_at >= STRETCH_FORGET_MS)
        s->failures = 0;
    s->failed_at = now;
    if (++s->failures < STRETCH_FAILURES || s->asking)
        return;
    if (s->ask == NULL) {
        stretch_give_up(s);
        return;
    }
    s->asking = true;
    s->ask(s->owner);
}

void stretch_over(struct stretch *s, struct stretch_wait *wait, enum stretch_result result)
{
    bool shown = wait->state == STRETCH_SHOWN;

    if (wait->state == STRETCH_NOT)
        return;
    if (!shown)
        take_out(s, wait);
    wait->state = STRETCH_NOT;
    if (shown && wait->generation == s->generation) {
        s->shown--;
        if (result == STRETCH_RIGHT)
            s->proved = true;
        else if (result == STRETCH_WRONG)
            count_failure(s);
    }
    go_on(s);
}
