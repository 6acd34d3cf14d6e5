/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/eventstream.h"

#include "base/alloc.h"
#include "base/crc32.h"
#include "base/error.h"
#include "base/str.h"
#include "base/utf8.h"
#include "wire/frame.h"

#include <inttypes.h>
#include <string.h>

enum {
    CARRY_KEEP_MAX = 1024 * 1024,  /* memory kept between two frames, bytes */
    CARRY_DOUBLES_MAX = 64 * 1024, /* largest frame whose buffer just doubles, bytes */
};

/* A header as it lies in its frame. */
struct raw_header {
    struct aq_str name;
    enum eventstream_type type;
    struct aq_bytes value;
};

static uint32_t read_u32(const uint8_t *p)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): callers have seen four bytes there */
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Remember and report what is wrong with a field, `at` bytes into the current frame. */
__attribute__((cold, noinline)) static aq_status broken(struct eventstream_decoder *d,
                                                        aq_status status, const char *field,
                                                        size_t at, const char *problem)
{
    return error_set(&d->failure, status, "event stream: %s at byte %" PRIu64 " %s, %s", field,
                     d->offset + at, problem,
                     status == AQ_E_TRUNCATED ? "try again" : "try again or report it");
}

/* Read the header at *at and step over it. Returns NULL, or what is wrong with it. */
static const char *raw_header_read(const uint8_t **at, const uint8_t *end, struct raw_header *ret)
{
    const uint8_t *p = *at;
    size_t name_len = *p++;
    if (name_len == 0) {
        return "has an empty name";
    }
    if ((size_t)(end - p) < name_len + 1) {
        return "does not fit into the headers length";
    }
    ret->name = (struct aq_str){ (const char *)p, name_len };
    p += name_len;
    uint8_t type = *p++;
    if (type > EVENTSTREAM_UUID) {
        return "has an unknown type";
    }
    ret->type = (enum eventstream_type)type;

    size_t len = frame_value_len[ret->type];
    if (frame_has_length(ret->type)) {
        if (end - p < 2) {
            return "does not fit into the headers length";
        }
        len = (size_t)p[0] << 8 | p[1];
        p += 2;
    }
    if ((size_t)(end - p) < len) {
        return "does not fit into the headers length";
    }
    ret->value = (struct aq_bytes){ p, len };
    *at = p + len;
    return NULL;
}

/* str_eq, spelled out so that the compiler sees the length. */
#define IS(str, literal) \
    ((str).len == sizeof(literal) - 1 && memcmp((str).ptr, (literal), sizeof(literal) - 1) == 0)

/* Where the text of a header with a meaning of its own goes; NULL for any other header. */
static struct aq_str *special(struct eventstream_message *m, struct aq_str *message_type,
                              struct aq_str name)
{
    return IS(name, ":message-type")     ? message_type
           : IS(name, ":event-type")     ? &m->event_type
           : IS(name, ":exception-type") ? &m->exception_type
           : IS(name, ":content-type")   ? &m->content_type
           : IS(name, ":error-code")     ? &m->error_code
           : IS(name, ":error-message")  ? &m->error_message
                                         : NULL;
}

/* True if one of the headers between p and end, which were read before, has this name. */
static bool name_used(const uint8_t *p, const uint8_t *end, struct aq_str name)
{
    struct raw_header h = { 0 };
    while (p != end) {
        raw_header_read(&p, end, &h);
        if (str_eq(h.name, name)) {
            return true;
        }
    }
    return false;
}

/* One bit of 64 that stands for the name, so that most names need not be looked for. */
static uint64_t name_bit(struct aq_str name)
{
    unsigned first = (unsigned char)name.ptr[0];
    unsigned last = (unsigned char)name.ptr[name.len - 1];
    return UINT64_C(1) << ((first * 5 + last * 3 + name.len) & 63);
}

/* What is wrong with an ordinary header's name, or NULL. The headers before it are in [start, at).
 */
static const char *name_problem(struct aq_str name, const uint8_t *start, const uint8_t *at,
                                uint64_t *seen)
{
    uint64_t bit = name_bit(name);
    if (!utf8_valid((const uint8_t *)name.ptr, name.len)) {
        return "has a name that is not UTF-8";
    }
    if ((*seen & bit) && name_used(start, at, name)) {
        return "has a name that was there before";
    }
    *seen |= bit;
    return NULL;
}

/* Take the text of a special header. Returns NULL, or what is wrong with it. */
static const char *special_take(const struct raw_header *h, struct aq_str *text)
{
    if (text->ptr) {
        return "has a name that was there before";
    }
    if (h->type != EVENTSTREAM_STRING) {
        return "must be a string";
    }
    *text = str_of_bytes(h->value);
    return NULL;
}

/* Check every header of a message, and pick out those with a meaning of their own. */
static aq_status headers_read(struct eventstream_decoder *d, struct eventstream_message *m,
                              struct aq_str *message_type)
{
    const uint8_t *start = m->headers.ptr;
    const uint8_t *end = start + m->headers.len;
    uint64_t seen = 0;

    for (const uint8_t *p = start; p != end; m->header_count++) {
        struct raw_header h;
        size_t at = (size_t)(p - start);
        const char *problem = raw_header_read(&p, end, &h);
        if (!problem) {
            struct aq_str *text = special(m, message_type, h.name);
            problem =
                text ? special_take(&h, text) : name_problem(h.name, start, start + at, &seen);
        }
        if (!problem && h.type == EVENTSTREAM_STRING && !utf8_valid(h.value.ptr, h.value.len)) {
            problem = "has a text that is not UTF-8";
        }
        if (problem) {
            return broken(d, AQ_E_PROTOCOL, "header", FRAME_PRELUDE_LEN + at, problem);
        }
        if (m->header_count == EVENTSTREAM_HEADER_COUNT_MAX) {
            return broken(d, AQ_E_LIMIT, "header", FRAME_PRELUDE_LEN + at,
                          "is one too many, 1024 are accepted");
        }
    }
    return AQ_OK;
}

/* Give the message its kind, which says what else must be there. */
static aq_status kind_read(struct eventstream_decoder *d, struct eventstream_message *m,
                           struct aq_str message_type)
{
    if (!message_type.ptr) {
        return broken(d, AQ_E_PROTOCOL, "message", 0, "has no :message-type");
    }
    if (IS(message_type, "event")) {
        m->kind = EVENTSTREAM_EVENT;
        return m->event_type.ptr ? AQ_OK
                                 : broken(d, AQ_E_PROTOCOL, "message", 0, "has no :event-type");
    }
    if (IS(message_type, "exception")) {
        m->kind = EVENTSTREAM_EXCEPTION;
        return m->exception_type.ptr
                   ? AQ_OK
                   : broken(d, AQ_E_PROTOCOL, "message", 0, "has no :exception-type");
    }
    if (IS(message_type, "error")) {
        m->kind = EVENTSTREAM_ERROR;
        return AQ_OK;
    }
    return broken(d, AQ_E_PROTOCOL, "message", 0, "has an unknown :message-type");
}

/* Check the prelude at p; from then on the length of the frame is known. */
static inline aq_status prelude_read(struct eventstream_decoder *d, const uint8_t *p)
{
    uint32_t total = read_u32(p + FRAME_AT_TOTAL);
    uint32_t headers_len = read_u32(p + FRAME_AT_HEADERS_LEN);

    if (crc32_eight(p) != read_u32(p + FRAME_AT_PRELUDE_CRC)) {
        return broken(d, AQ_E_PROTOCOL, "prelude checksum", FRAME_AT_PRELUDE_CRC, "does not match");
    }
    if (total < FRAME_MIN) {
        return broken(d, AQ_E_PROTOCOL, "total length", FRAME_AT_TOTAL, "is smaller than 16");
    }
    if (total > EVENTSTREAM_FRAME_MAX) {
        return broken(d, AQ_E_LIMIT, "total length", FRAME_AT_TOTAL, "is larger than 16 MiB");
    }
    if (headers_len > total - FRAME_MIN) {
        return broken(d, AQ_E_PROTOCOL, "headers length", FRAME_AT_HEADERS_LEN,
                      "does not fit into the total length");
    }
    if (headers_len > EVENTSTREAM_HEADERS_MAX) {
        return broken(d, AQ_E_LIMIT, "headers length", FRAME_AT_HEADERS_LEN,
                      "is larger than 128 KiB");
    }
    d->total = total;
    return AQ_OK;
}

/* True if these are the headers of the message before, as in nearly every frame of an answer. */
static inline bool block_known(const struct eventstream_decoder *d, struct aq_bytes block)
{
    return d->known.header_count && block.len == d->known.headers.len &&
           block.len <= sizeof(d->block) && memcmp(block.ptr, d->block, block.len) == 0;
}

/* Find out what a header block says. A short one is copied, to be known when it comes again. */
__attribute__((noinline)) static aq_status block_read(struct eventstream_decoder *d,
                                                      struct aq_bytes block)
{
    if (block.len <= sizeof(d->block)) {
        memcpy(d->block, block.ptr, block.len);
        block.ptr = d->block;
    }
    struct aq_str message_type = { NULL, 0 };
    d->known = (struct eventstream_message){ .headers = block };
    aq_status st = headers_read(d, &d->known, &message_type);
    return st == AQ_OK ? kind_read(d, &d->known, message_type) : st;
}

/* Check a complete frame whose prelude was checked before, and describe it. */
static inline aq_status frame_read(struct eventstream_decoder *d, const uint8_t *frame,
                                   struct eventstream_message *ret)
{
    struct aq_bytes headers = { frame + FRAME_PRELUDE_LEN, read_u32(frame + FRAME_AT_HEADERS_LEN) };
    const uint8_t *payload = headers.ptr + headers.len;
    const uint8_t *crc = frame + d->total - FRAME_CRC_LEN;

    if (crc32_bytes((struct aq_bytes){ frame, d->total - FRAME_CRC_LEN }) != read_u32(crc)) {
        return broken(d, AQ_E_PROTOCOL, "message checksum", d->total - FRAME_CRC_LEN,
                      "does not match");
    }
    if (!block_known(d, headers)) {
        aq_status st = block_read(d, headers);
        if (st != AQ_OK) {
            return st;
        }
    }
    *ret = d->known;
    ret->offset = d->offset;
    ret->payload = (struct aq_bytes){ payload, (size_t)(crc - payload) };
    return AQ_OK;
}

static void chunk_skip(struct eventstream_decoder *d, size_t len)
{
    d->chunk.ptr += len;
    d->chunk.len -= len;
}

/* Let go of the frame in the carry buffer, and of its memory if that was a large one. */
static void carry_drop(struct eventstream_decoder *d)
{
    if (d->carry.cap > CARRY_KEEP_MAX) {
        buf_done(&d->carry);
    } else {
        buf_clear(&d->carry);
    }
    d->delivered = false;
}

/*
 * Make room in the carry buffer for len bytes in all. For a large frame it grows fourfold, the last
 * time to the size of the frame: memory follows what arrived, and ends where the frame does.
 */
static bool carry_reserve(struct eventstream_decoder *d, size_t len)
{
    if (d->total <= CARRY_DOUBLES_MAX) {
        return buf_reserve(&d->carry, len - d->carry.len);
    }
    size_t cap = d->total;
    while (cap / 4 >= len) {
        cap /= 4;
    }
    uint8_t *ptr = alloc_array(cap, 1);
    if (!ptr) {
        d->carry.failed = AQ_E_NOMEM;
        return false;
    }
    if (d->carry.len) {
        memcpy(ptr, d->carry.ptr, d->carry.len);
    }
    alloc_free(d->carry.ptr, d->carry.cap);
    d->carry.ptr = ptr;
    d->carry.cap = cap;
    return true;
}

/* Move bytes of the chunk into the carry buffer until it holds len; false if too few. Out of line,
 * so that the way of frames that lie in one chunk, as nearly all do, is laid out straight.
 */
__attribute__((noinline)) static bool carry_fill(struct eventstream_decoder *d, size_t len)
{
    size_t missing = len - d->carry.len; /* at least one: a full buffer is read at once */
    size_t n = missing < d->chunk.len ? missing : d->chunk.len;
    if (n == 0 || (d->carry.len + n > d->carry.cap && !carry_reserve(d, d->carry.len + n))) {
        return false;
    }
    memcpy(d->carry.ptr + d->carry.len, d->chunk.ptr, n);
    d->carry.len += n;
    chunk_skip(d, n);
    return n == missing;
}

/* There is no complete frame: is more to come? */
static aq_status starved(struct eventstream_decoder *d)
{
    if (buf_status(&d->carry) != AQ_OK) {
        return error_nomem(&d->failure, "event stream");
    }
    d->chunk = (struct aq_bytes){ NULL, 0 };
    if (!d->finished) {
        return AQ_AGAIN;
    }
    if (d->carry.len == 0) {
        return AQ_END;
    }
    return broken(d, AQ_E_TRUNCATED, "stream", d->carry.len, "ends inside a message");
}

/* Find the next complete frame: in the chunk, or in the carry buffer if it spans several. */
static inline aq_status frame_next(struct eventstream_decoder *d, const uint8_t **ret)
{
    bool carried = d->carry.len || d->chunk.len < FRAME_PRELUDE_LEN;
    if (d->total == 0) {
        if (carried && !carry_fill(d, FRAME_PRELUDE_LEN)) {
            return starved(d);
        }
        aq_status st = prelude_read(d, carried ? d->carry.ptr : d->chunk.ptr);
        if (st != AQ_OK) {
            return st;
        }
    }
    if (!carried && d->chunk.len >= d->total) {
        *ret = d->chunk.ptr;
        chunk_skip(d, d->total);
        return AQ_OK;
    }
    if (!carry_fill(d, d->total)) {
        return starved(d);
    }
    d->delivered = true;
    *ret = d->carry.ptr;
    return AQ_OK;
}

aq_status eventstream_feed(struct eventstream_decoder *d, struct aq_bytes chunk,
                           struct aq_error *err)
{
    if (d->failure.status != AQ_OK || d->finished || d->chunk.len) {
        return error_set(err, AQ_E_STATE, "event stream: not ready for more, read it first");
    }
    d->chunk = chunk;
    return AQ_OK;
}

void eventstream_finish(struct eventstream_decoder *d)
{
    d->finished = true;
}

aq_status eventstream_next(struct eventstream_decoder *d, struct eventstream_message *ret,
                           struct aq_error *err)
{
    if (d->failure.status != AQ_OK) {
        return error_copy(err, &d->failure);
    }
    if (d->delivered) {
        carry_drop(d);
    }
    const uint8_t *frame = NULL;
    aq_status st = frame_next(d, &frame);
    if (st == AQ_OK) {
        st = frame_read(d, frame, ret);
    }
    if (st < AQ_OK) {
        return error_copy(err, &d->failure);
    }
    if (st == AQ_OK) {
        d->offset += d->total;
        d->total = 0;
    }
    return st;
}

void eventstream_done(struct eventstream_decoder *d)
{
    buf_done(&d->carry);
    *d = (struct eventstream_decoder){ 0 };
}

/* Value of the types that hold a number. */
static int64_t raw_header_number(const struct raw_header *h)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < h->value.len; i++) {
        bits = bits << 8 | h->value.ptr[i];
    }
    switch (h->type) {
    case EVENTSTREAM_TRUE:
        return 1;
    case EVENTSTREAM_FALSE:
        return 0;
    case EVENTSTREAM_BYTE:
        return (int8_t)bits;
    case EVENTSTREAM_SHORT:
        return (int16_t)bits;
    case EVENTSTREAM_INTEGER:
        return (int32_t)bits;
    default:
        return (int64_t)bits;
    }
}

bool eventstream_header_next(struct aq_bytes *rest, struct eventstream_header *ret)
{
    struct raw_header h;
    const uint8_t *at = rest->ptr;
    if (rest->len == 0 || raw_header_read(&at, rest->ptr + rest->len, &h)) {
        return false;
    }
    rest->len -= (size_t)(at - rest->ptr);
    rest->ptr = at;
    *ret = (struct eventstream_header){ .name = h.name, .type = h.type };
    if (frame_is_bytes(h.type)) {
        ret->bytes = h.value;
    } else {
        ret->number = raw_header_number(&h);
    }
    return true;
}
