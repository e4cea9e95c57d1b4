#include "support.h"

#include "fixed.h"

#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <stdlib.h>

static OSSL_LIB_CTX *the_libctx;
static struct usi_crypto *the_crypto;

/* ---- libcrypto ---- */

static void load(OSSL_LIB_CTX *libctx, const char *folder, const char *name)
{
    ck_assert_int_eq(OSSL_PROVIDER_set_default_search_path(libctx, folder), 1);
    ck_assert_msg(OSSL_PROVIDER_load(libctx, name) != NULL, "cannot load %s from %s", name, folder);
}

OSSL_LIB_CTX *support_libctx_new(void)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();

    ck_assert_ptr_nonnull(libctx);
    support_load(libctx, "default");
    support_load(libctx, "usi");
    return libctx;
}

void support_load(OSSL_LIB_CTX *libctx, const char *name)
{
    load(libctx, USI_MODULES, name);
}

void support_load_test_module(OSSL_LIB_CTX *libctx, const char *name)
{
    load(libctx, USI_TEST_MODULES, name);
}

enum { PROVIDERS = 4 };

struct loaded {
    OSSL_PROVIDER *provider[PROVIDERS];
    unsigned count;
};

static int collect(OSSL_PROVIDER *provider, void *argument)
{
    struct loaded *loaded = argument;

    if (loaded->count == PROVIDERS)
        return 0;
    loaded->provider[loaded->count++] = provider;
    return 1;
}

void support_libctx_free(OSSL_LIB_CTX *libctx)
{
    struct loaded loaded = {0};

    ck_assert_int_eq(OSSL_PROVIDER_do_all(libctx, collect, &loaded), 1);
    while (loaded.count > 0)
        ck_assert_int_eq(OSSL_PROVIDER_unload(loaded.provider[--loaded.count]), 1);
    OSSL_LIB_CTX_free(libctx);
}

void support_setup(void)
{
    const char *what = NULL;

    the_libctx = support_libctx_new();
    int result = usi_crypto_new(&the_crypto, the_libctx, NULL, &what);
    ck_assert_msg(result == 0, "usi_crypto_new: %s: %s", usi_error_text(result), what);
}

void support_teardown(void)
{
    usi_crypto_free(the_crypto);
    support_libctx_free(the_libctx);
    the_crypto = NULL;
    the_libctx = NULL;
}

OSSL_LIB_CTX *support_libctx(void)
{
    return the_libctx;
}

struct usi_crypto *support_crypto(void)
{
    return the_crypto;
}

TCase *support_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_unchecked_fixture(tcase, support_setup, support_teardown);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int support_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- octets ---- */

void octets_add(struct octets *o, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    if (o->room - o->size < size) {
        o->room = 2 * (o->size + size);
        o->base = realloc(o->base, o->room);
        ck_assert_ptr_nonnull(o->base);
    }
    memcpy(o->base + o->size, bytes, size);
    o->size += size;
}

void octets_drop(struct octets *o, size_t size)
{
    if (size > o->size)
        ck_abort_msg("%zu octets dropped of %zu", size, o->size);
    o->size -= size;
    if (size > 0 && o->size > 0)
        memmove(o->base, o->base + size, o->size);
}

void octets_clear(struct octets *o)
{
    free(o->base);
    *o = (struct octets){0};
}

void octets_equal(const struct octets *o, const void *bytes, size_t size)
{
    ck_assert_uint_eq(o->size, size);
    if (size > 0)
        ck_assert_mem_eq(o->base, bytes, size);
}

size_t dice(uint64_t *state, size_t below)
{
    return (size_t)(fixed_next(state) % below);
}

void dice_fill(uint64_t *state, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)fixed_next(state);
}

/* ---- keys ---- */

void ring_add(struct usi_keyring *ring, const char *name, uint8_t first, size_t size)
{
    uint8_t ki[USI_KEY];

    for (size_t i = 0; i < sizeof ki; i++)
        ki[i] = (uint8_t)(first + i);
    ck_assert_int_eq(usi_keyring_add(ring, name, name == NULL ? 0 : strlen(name), ki, size), 0);
}

struct usi_keyring *ring_of(const char *name, uint8_t first, size_t size)
{
    struct usi_keyring *ring = usi_keyring_new(the_crypto);

    ck_assert_ptr_nonnull(ring);
    ring_add(ring, name, first, size);
    return ring;
}

/* ---- one channel ---- */

static void party_new(struct party *p)
{
    *p = (struct party){.now = 1000};
    p->plain = malloc(USI_RECORD_ROOM);
    ck_assert_ptr_nonnull(p->plain);
    p->buffer = (struct usi_buffer){.base = p->plain, .size = USI_RECORD_ROOM};
}

void party_connect_shared(struct party *p, const struct usi_crypto *crypto,
                          struct usi_keyring *ring)
{
    party_new(p);
    ck_assert_int_eq(usi_channel_connect(&p->c, crypto, ring, NULL, p->now), 0);
}

void party_listen_shared(struct party *p, const struct usi_crypto *crypto, struct usi_keyring *ring)
{
    party_new(p);
    ck_assert_int_eq(usi_channel_listen(&p->c, crypto, ring, NULL, p->now), 0);
}

void party_connect(struct party *p, struct usi_keyring *ring, const struct usi_settings *settings)
{
    party_new(p);
    p->ring = ring;
    ck_assert_int_eq(usi_channel_connect(&p->c, the_crypto, ring, settings, p->now), 0);
}

void party_listen(struct party *p, struct usi_keyring *ring, const struct usi_settings *settings)
{
    party_new(p);
    p->ring = ring;
    ck_assert_int_eq(usi_channel_listen(&p->c, the_crypto, ring, settings, p->now), 0);
}

void party_free(struct party *p)
{
    usi_channel_free(p->c);
    usi_keyring_free(p->ring);
    octets_clear(&p->out);
    octets_clear(&p->got);
    octets_clear(&p->todo);
    free(p->plain);
    *p = (struct party){0};
}

static void note(struct party *p, struct usi_event event)
{
    if (event.type == USI_EVENT_NONE || event.type == USI_EVENT_ROOM)
        return;
    p->event[p->events++ % EVENTS] = event;
    p->seen[event.type]++;
}

/* The contract of struct usi_buffer: data leaves it only between records, or when there is no room.
 */
static void take_data(struct party *p, const struct usi_event *event)
{
    if (usi_channel_partial(p->c) != 0 && event->type != USI_EVENT_ROOM)
        return;
    octets_add(&p->got, p->buffer.base, p->buffer.used);
    p->buffer.used = 0;
}

int party_receive(struct party *p, const uint8_t *in, size_t size)
{
    do {
        struct usi_event event;
        size_t taken = 0;
        int result = usi_channel_receive(p->c, in, size, &taken, &p->buffer, &event);
        if (taken > size || (result == 0 && event.type == USI_EVENT_NONE && taken < size))
            ck_abort_msg("%zu octets of %zu taken", taken, size);
        if (result != 0) {
            if (p->result == 0)
                p->result = result;
            return result;
        }
        if (event.type == USI_EVENT_ROOM && p->buffer.used == 0)
            ck_abort_msg("an empty buffer has no room");
        in += taken;
        size -= taken;
        note(p, event);
        take_data(p, &event);
    } while (size > 0);
    return 0;
}

bool party_send(struct party *p, size_t room)
{
    size_t taken = 0, made = 0;
    uint8_t *out = malloc(room); /* of exactly that size, for the sanitizers */

    ck_assert_ptr_nonnull(out);
    int result = usi_channel_send(p->c, p->todo.base, p->todo.size, &taken, out, room, &made);
    if (result != 0 && p->result == 0)
        p->result = result;
    ck_assert_uint_le(made, room);
    ck_assert_uint_le(taken, p->todo.size);
    octets_add(&p->out, out, made);
    octets_drop(&p->todo, taken);
    free(out);
    return result == 0 && made > 0;
}

struct usi_event party_last(const struct party *p)
{
    return p->events > 0 ? p->event[(p->events - 1) % EVENTS] : (struct usi_event){0};
}

void party_tick(struct party *p, uint64_t now)
{
    p->now = now;
    ck_assert_int_eq(usi_channel_tick(p->c, now), 0);
}

/* ---- two of them ---- */

void pair_new(struct pair *p, size_t size, const struct usi_settings *settings)
{
    *p = (struct pair){.split = WHOLE, .dice = 1};
    party_connect(&p->connector, ring_of(NULL, 1, size), settings);
    party_listen(&p->listener, ring_of(NULL, 1, size), settings);
}

static size_t piece(struct pair *p, const struct party *to, size_t size)
{
    size_t want = usi_channel_want(to->c);

    if (p->split == OCTET_BY_OCTET && size > 0)
        size = 1;
    if (p->split == AT_RANDOM && size > 0)
        size = 1 + dice(&p->dice, size < 4000 ? size : 4000);
    return size < want ? size : want;
}

static bool move(struct pair *p, struct party *from, struct party *to)
{
    size_t room = p->split == AT_RANDOM ? 2100 + dice(&p->dice, 100000) : (size_t)1 << 18;
    bool moved = party_send(from, room);
    size_t at = 0;

    while (from->out.size > at && to->result == 0) {
        size_t n = piece(p, to, from->out.size - at);
        if (n == 0 || party_receive(to, from->out.base + at, n) != 0)
            break;
        at += n;
        /* Sometimes the other direction gets its turn in the middle. */
        if (p->split == AT_RANDOM && dice(&p->dice, 8) == 0)
            break;
    }
    octets_drop(&from->out, at);
    return moved || at > 0;
}

void pair_run(struct pair *p)
{
    bool there, back;

    do {
        there = move(p, &p->connector, &p->listener);
        back = move(p, &p->listener, &p->connector);
    } while (p->connector.result == 0 && p->listener.result == 0 && (there || back));
}

void pair_up(struct pair *p, size_t size, const struct usi_settings *settings)
{
    pair_new(p, size, settings);
    pair_run(p);
    ck_assert_int_eq(p->connector.result, 0);
    ck_assert_int_eq(p->listener.result, 0);
    ck_assert_uint_eq(p->connector.seen[USI_EVENT_AUTHENTICATED], 1);
    ck_assert_uint_eq(p->listener.seen[USI_EVENT_AUTHENTICATED], 1);
}

void pair_open(struct pair *p, const struct usi_settings *settings)
{
    pair_up(p, 32, settings);
    ck_assert_int_eq(usi_channel_open(p->connector.c), 0);
    pair_run(p);
    ck_assert_uint_eq(p->listener.seen[USI_EVENT_OPEN], 1);
}

void pair_free(struct pair *p)
{
    party_free(&p->connector);
    party_free(&p->listener);
}
