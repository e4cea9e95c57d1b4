#include "rogue.h"

#include "channel/password.h"
#include "channel/spake2.h"

/* ---- octets to and fro ---- */

void rogue_hear(struct rogue *r)
{
    static const uint8_t data[] = "data of the victim";
    size_t made = 1, taken = 0, room = usi_channel_room(r->victim.c);
    int result = side_stretch(&r->victim);

    if (usi_channel_service(r->victim.c) != USI_SERVICE_PIPE)
        room = 0;
    while (result == 0 && made > 0 && ROGUE_HEARD - r->heard_size >= 2 * USI_SEND_ROOM) {
        size_t size = room < sizeof data ? room : sizeof data;
        result = usi_channel_send(r->victim.c, data, size, &taken, r->heard + r->heard_size,
                                  ROGUE_HEARD - r->heard_size, &made);
        r->heard_size += made;
        room = 0;
    }
}

void rogue_forget(struct rogue *r, size_t size)
{
    r->heard_size -= size;
    memmove(r->heard, r->heard + size, r->heard_size);
}

static void deliver(struct rogue *r, const uint8_t *octets, size_t size)
{
    size_t taken = 0;
    int result = side_receive(&r->victim, octets, size, &taken);

    r->over = r->over || result != 0;
    side_check_deadline(&r->victim);
}

/* A message of the handshake, with its length. */
void rogue_say_message(struct rogue *r, const uint8_t *body, size_t size)
{
    uint8_t message[2 + 2 * ROGUE_ROOM];

    usi_put_number(message, size, 2);
    memcpy(message + 2, body, size);
    deliver(r, message, 2 + size);
}

/* The victim's: its size, 0 if it does not say one. */
size_t rogue_hear_message(struct rogue *r, uint8_t body[ROGUE_ROOM])
{
    rogue_hear(r);
    size_t size = r->heard_size < 2 ? 0 : (size_t)r->heard[0] << 8 | r->heard[1];
    if (size == 0 || r->heard_size < 2 + size) {
        r->over = true;
        return 0;
    }
    REQUIRE(size <= USI_MESSAGE_2_MAX);
    memcpy(body, r->heard + 2, size);
    rogue_forget(r, 2 + size);
    return size;
}

void rogue_say_record(struct rogue *r, unsigned type, const uint8_t *content, size_t size)
{
    static uint8_t record[USI_RECORD_DATA + 512];
    size_t made = 0;

    if (r->sealer.key.cipher == NULL)
        return;
    REQUIRE(usi_seal(&r->sealer, (enum usi_record_type)type, content, size, record, &made) == 0);
    deliver(r, record, made);
}

void rogue_take_keys(struct rogue *r, const uint8_t *send, const uint8_t *receive)
{
    if (send != NULL) {
        usi_sealer_clear(&r->sealer);
        REQUIRE(usi_sealer_key(&r->sealer, r->cipher, send) == 0);
    }
    if (receive != NULL) {
        usi_opener_clear(&r->opener);
        REQUIRE(usi_opener_key(&r->opener, r->cipher, receive) == 0);
    }
}

/* ---- the handshake by hand ---- */

/* Header 1, changed, at the end of the prologue; where it begins. */
static const uint8_t *make_header_1(struct rogue *r, struct fuzz_input *input, size_t *size)
{
    uint8_t header[ROGUE_ROOM];
    struct usi_write w = usi_write_to(header, sizeof header);
    const char *name = r->kind == KIND_KEY_192 ? "name" : "";
    unsigned cipher = r->key != NULL ? r->key->cipher_octet : USI_CIPHERS;

    usi_write_bytes(&w, "USI1", 4);
    usi_write_number(&w, kind_mode(r->kind), 1);
    usi_write_number(&w, cipher, 1);
    usi_write_number(&w, 0, 1);
    usi_write_number(&w, strlen(name), 1);
    usi_write_bytes(&w, name, strlen(name));
    usi_write_bytes(&w, r->rand, USI_RAND);
    *size = w.used;
    fuzz_edit(input, header, size, USI_MESSAGE_1_MAX - 512);
    /* the cipher that it asks for is meant */
    if (*size > 5 && header[5] >= 1 && header[5] <= USI_CIPHERS)
        r->cipher = &r->draws.crypto.cipher[header[5] - 1];
    const uint8_t *at = r->prologue_octets + r->prologue.used;
    usi_write_bytes(&r->prologue, header, *size);
    return at;
}

static enum usi_noise_pattern pattern(const struct rogue *r)
{
    return kind_mode(r->kind) == USI_MODE_KEY        ? USI_NOISE_NNPSK2
           : kind_mode(r->kind) == USI_MODE_IDENTITY ? USI_NOISE_NN
                                                     : USI_NOISE_NNPSK0;
}

static void begin_noise(struct rogue *r)
{
    REQUIRE(usi_write_done(&r->prologue));
    REQUIRE(usi_noise_new(&r->noise, &r->draws.crypto, r->cipher, pattern(r), r->connector,
                          r->prologue_octets, r->prologue.used) == 0);
}

/* A Noise message whose payload is changed, at the end of w. */
static void write_noise(struct rogue *r, struct fuzz_input *input, struct usi_write *w,
                        uint8_t *payload, size_t size)
{
    size_t made = 0;

    fuzz_edit(input, payload, &size, ROGUE_ROOM / 2);
    REQUIRE(usi_noise_write_payload(r->noise, payload, size, w->base + w->used, w->size - w->used,
                                    &made) == 0);
    w->used += made;
}

static void write_tokens(struct rogue *r, struct usi_write *w)
{
    size_t made = 0;

    REQUIRE(usi_noise_write_tokens(r->noise, w->base + w->used, w->size - w->used, &made) == 0);
    w->used += made;
}

static void edit_tail(struct fuzz_input *input, struct usi_write *w, size_t from)
{
    size_t size = w->used - from;

    fuzz_edit(input, w->base + from, &size, w->size - from);
    w->used = from + size;
}

/* What the victim's message leads to, and the keys. */
static void agree(struct rogue *r)
{
    uint8_t of_connector[USI_KEY], of_listener[USI_KEY];

    REQUIRE(usi_noise_split(r->noise, of_connector, of_listener) == 0);
    if (r->connector)
        rogue_take_keys(r, of_connector, of_listener);
    else
        rogue_take_keys(r, of_listener, of_connector);
}

/* The listener's header, and Noise behind it. */
static void read_2(struct rogue *r, const uint8_t *body, size_t size)
{
    uint8_t payload[ROGUE_ROOM], psk[USI_KEY];
    size_t header = r->key != NULL ? 1 + USI_RAND : 1, made = 0;

    if (r->over || size < header || usi_noise_mix_hash(r->noise, body, header) != 0) {
        r->over = true;
        return;
    }
    if (r->key != NULL) {
        REQUIRE(r->key->method->psk(r->key, body + 1, r->rand, psk) == 0);
        usi_noise_set_psk(r->noise, psk);
    }
    if (usi_noise_read(r->noise, body + header, size - header, payload, sizeof payload, &made) != 0)
        r->over = true;
    else
        agree(r);
    /* mark, length, SPKI */
    if (!r->over && kind_mode(r->kind) == USI_MODE_IDENTITY)
        REQUIRE(EVP_Digest(payload + 3, (size_t)payload[1] << 8 | payload[2], r->peer_key, NULL,
                           r->draws.crypto.sha256, NULL) == 1);
}

static void say_proof(struct rogue *r, struct fuzz_input *input)
{
    uint8_t proof[ROGUE_ROOM] = {0};
    size_t size = 0;
    const struct usi_signed what = {
        .signer = USI_SIGNER_MOBILE, .hash = usi_noise_hash(r->noise), .peer_key = r->rand};

    if (r->over)
        return;
    if (r->key != NULL) {
        REQUIRE(r->key->method->proof(r->key, usi_noise_hash(r->noise), proof) == 0);
        size = USI_PROOF;
    }
    if (kind_mode(r->kind) == USI_MODE_IDENTITY)
        REQUIRE(usi_identity_show(usi_keyring_identity(r->ring), &what, proof, sizeof proof,
                                  &size) == 0);
    fuzz_edit(input, proof, &size, sizeof proof);
    rogue_say_record(r, fuzz_take(input) % 8 == 7 ? fuzz_take(input) | 1 : USI_RECORD_TYPE_PROOF,
                     proof, size);
}

/* SPAKE2 of the prologue so far and the peer's share. */
static void agree_password(struct rogue *r, struct usi_spake2 *spake2, const uint8_t *share)
{
    uint8_t ke[USI_SPAKE2_KE], psk[USI_KEY];

    if (usi_spake2_finish(spake2, share, ke) != 0) {
        r->over = true;
        return;
    }
    REQUIRE(usi_password_psk(&r->draws.crypto, r->prologue_octets, r->prologue.used, ke, psk) == 0);
    begin_noise(r);
    usi_noise_set_psk(r->noise, psk);
}

static void new_spake2(struct rogue *r, struct usi_spake2 **spake2, const uint8_t *salt,
                       uint8_t share[USI_SHARE])
{
    uint8_t stretched[USI_STRETCHED];

    fuzz_stretch(salt, stretched);
    REQUIRE(usi_spake2_new(spake2, &r->draws.crypto, r->connector ? USI_SPAKE2_A : USI_SPAKE2_B,
                           "USI1 connector", "USI1 listener", stretched, sizeof stretched,
                           share) == 0);
}

static void connect_with_password(struct rogue *r, struct fuzz_input *input, const uint8_t *header,
                                  size_t header_size)
{
    uint8_t body[ROGUE_ROOM], share[USI_SHARE], payload[ROGUE_ROOM] = {0};
    struct usi_write w = usi_write_to(body, sizeof body);
    struct usi_spake2 *spake2 = NULL;

    rogue_say_message(r, header, header_size);
    if (r->over || rogue_hear_message(r, body) != USI_SALT + USI_SHARE)
        return;
    usi_write_bytes(&r->prologue, body, USI_SALT + USI_SHARE);
    uint8_t theirs[USI_SHARE];
    memcpy(theirs, body + USI_SALT, USI_SHARE);
    new_spake2(r, &spake2, body, share);
    usi_write_bytes(&r->prologue, share, USI_SHARE);
    agree_password(r, spake2, theirs);
    usi_spake2_free(spake2);
    if (r->over)
        return;
    usi_write_bytes(&w, share, USI_SHARE);
    write_tokens(r, &w);
    write_noise(r, input, &w, payload, 0);
    edit_tail(input, &w, w.used);
    rogue_say_message(r, body, w.used);
    read_2(r, body, r->over ? 0 : rogue_hear_message(r, body));
}

void rogue_connect_by_hand(struct rogue *r, struct fuzz_input *input)
{
    uint8_t body[2 * ROGUE_ROOM], payload[ROGUE_ROOM] = {0}, knock[USI_KNOCK];
    struct usi_write w = usi_write_to(body, sizeof body);
    size_t size;
    const uint8_t *header = make_header_1(r, input, &size);

    if (r->kind == KIND_PASSWORD) {
        connect_with_password(r, input, header, size);
    } else {
        usi_write_bytes(&w, header, size);
        begin_noise(r);
        write_tokens(r, &w);
        write_noise(r, input, &w, payload, 0);
        if (r->key != NULL) {
            REQUIRE(r->key->method->knock(r->key, usi_noise_hash(r->noise), knock) == 0);
            usi_write_bytes(&w, knock, sizeof knock);
        }
        edit_tail(input, &w, w.used);
        rogue_say_message(r, body, w.used);
        read_2(r, body, r->over ? 0 : rogue_hear_message(r, body));
    }
    if (!r->over)
        say_proof(r, input);
}

/* The listener's header, changed, and Noise with its payload. */
static void say_2(struct rogue *r, struct fuzz_input *input)
{
    uint8_t body[2 * ROGUE_ROOM] = {0}, payload[ROGUE_ROOM] = {0}, psk[USI_KEY],
                     rand_nw[USI_RAND] = {2};
    struct usi_write w = usi_write_to(body, sizeof body);
    size_t header = r->key != NULL ? 1 + USI_RAND : 1, size = 0;
    struct usi_signed what = {.signer = USI_SIGNER_NETWORK};

    memcpy(body + 1, rand_nw, r->key != NULL ? USI_RAND : 0);
    fuzz_edit(input, body, &header, USI_MESSAGE_2_MAX / 2);
    w.used = header;
    REQUIRE(usi_noise_mix_hash(r->noise, body, header) == 0);
    if (r->key != NULL) {
        if (header > USI_RAND)
            memcpy(rand_nw, body + 1, USI_RAND);
        REQUIRE(r->key->method->psk(r->key, rand_nw, r->rand, psk) == 0);
        usi_noise_set_psk(r->noise, psk);
    }
    write_tokens(r, &w);
    what.hash = usi_noise_hash(r->noise);
    if (kind_mode(r->kind) == USI_MODE_IDENTITY)
        REQUIRE(usi_identity_show(usi_keyring_identity(r->ring), &what, payload, sizeof payload,
                                  &size) == 0);
    write_noise(r, input, &w, payload, size);
    edit_tail(input, &w, w.used);
    rogue_say_message(r, body, w.used);
    agree(r);
}

static void listen_with_password(struct rogue *r, struct fuzz_input *input)
{
    uint8_t body[ROGUE_ROOM] = {0x5a}, ours[USI_SALT + USI_SHARE], payload[ROGUE_ROOM];
    size_t size = USI_SALT + USI_SHARE, made = 0;
    struct usi_spake2 *spake2 = NULL;

    new_spake2(r, &spake2, body, body + USI_SALT);
    fuzz_edit(input, body, &size, ROGUE_ROOM);
    memcpy(ours, body, sizeof ours);
    usi_write_bytes(&r->prologue, ours, sizeof ours);
    rogue_say_message(r, body, size);
    size = r->over ? 0 : rogue_hear_message(r, body);
    if (!r->over && size == USI_SHARE + USI_DH + USI_TAG) {
        usi_write_bytes(&r->prologue, body, USI_SHARE);
        agree_password(r, spake2, body);
        if (!r->over && usi_noise_read(r->noise, body + USI_SHARE, size - USI_SHARE, payload,
                                       sizeof payload, &made) == 0)
            say_2(r, input);
        else
            r->over = true;
    } else {
        r->over = true;
    }
    usi_spake2_free(spake2);
}

void rogue_listen_by_hand(struct rogue *r, struct fuzz_input *input)
{
    uint8_t body[ROGUE_ROOM], payload[ROGUE_ROOM];
    size_t size = rogue_hear_message(r, body), header = 8, made = 0;

    REQUIRE(size >= 8 + USI_RAND);
    header += body[7] + (size_t)USI_RAND;
    memcpy(r->rand, body + header - USI_RAND, USI_RAND);
    r->cipher = &r->draws.crypto.cipher[body[5] - 1];
    usi_write_bytes(&r->prologue, body, header);
    if (r->kind == KIND_PASSWORD) {
        listen_with_password(r, input);
        return;
    }
    begin_noise(r);
    size -= header + (r->key != NULL ? USI_KNOCK : 0);
    REQUIRE(usi_noise_read(r->noise, body + header, size, payload, sizeof payload, &made) == 0);
    say_2(r, input);
}
