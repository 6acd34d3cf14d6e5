/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32.h"
#include "base/error.h"
#include "base/str.h"
#include "base/utf8.h"
#include "wire/eventstream.h"
#include "wire/frame.h"

/* Append the low len bytes of value, the highest of them first. */
static void write_number(struct buf *out, uint64_t value, size_t len)
{
    while (len--) {
        buf_add_char(out, (char)(value >> (8 * len) & 0xff));
    }
}

/* What is wrong with the header at index i, or NULL. */
static const char *header_problem(const struct eventstream_header *headers, size_t i)
{
    const struct eventstream_header *h = &headers[i];
    if (h->name.len == 0 || h->name.len > EVENTSTREAM_NAME_MAX ||
        !utf8_valid((const uint8_t *)h->name.ptr, h->name.len)) {
        return "has a name that is not 1 to 255 bytes of UTF-8";
    }
    for (size_t k = 0; k < i; k++) {
        if (str_eq(headers[k].name, h->name)) {
            return "has a name that was there before";
        }
    }
    if ((unsigned)h->type > EVENTSTREAM_UUID) {
        return "has an unknown type";
    }
    if (frame_has_length(h->type) && h->bytes.len > EVENTSTREAM_VALUE_MAX) {
        return "has a value of more than 65535 bytes";
    }
    if (h->type == EVENTSTREAM_STRING && !utf8_valid(h->bytes.ptr, h->bytes.len)) {
        return "has a text that is not UTF-8";
    }
    if (h->type == EVENTSTREAM_UUID && h->bytes.len != EVENTSTREAM_UUID_LEN) {
        return "has a uuid that is not 16 bytes";
    }
    int64_t above = h->type == EVENTSTREAM_BYTE      ? INT64_C(1) << 7
                    : h->type == EVENTSTREAM_SHORT   ? INT64_C(1) << 15
                    : h->type == EVENTSTREAM_INTEGER ? INT64_C(1) << 31
                                                     : 0;
    if (above && (h->number < -above || h->number >= above)) {
        return "has a number that does not fit its type";
    }
    return NULL;
}

static size_t header_len(const struct eventstream_header *h)
{
    size_t value = frame_has_length(h->type) ? 2 + h->bytes.len : frame_value_len[h->type];
    return 1 + h->name.len + 1 + value;
}

static void header_write(const struct eventstream_header *h, struct buf *out)
{
    write_number(out, h->name.len, 1);
    buf_add(out, h->name);
    write_number(out, h->type, 1);
    if (frame_has_length(h->type)) {
        write_number(out, h->bytes.len, 2);
    }
    if (frame_is_bytes(h->type)) {
        buf_add_bytes(out, h->bytes);
    } else {
        write_number(out, (uint64_t)h->number, frame_value_len[h->type]);
    }
}

/* Check the headers and add up their lengths. */
static aq_status headers_measure(const struct eventstream_header *headers, size_t count,
                                 size_t *ret_len, struct aq_error *err)
{
    size_t len = 0;
    if (count > EVENTSTREAM_HEADER_COUNT_MAX) {
        return error_set(err, AQ_E_LIMIT, "event stream: %zu headers, send at most 1024", count);
    }
    for (size_t i = 0; i < count; i++) {
        const char *problem = header_problem(headers, i);
        if (problem) {
            return error_set(err, AQ_E_INVALID, "event stream: header %zu %s, correct it", i,
                             problem);
        }
        len += header_len(&headers[i]);
    }
    if (len > EVENTSTREAM_HEADERS_MAX) {
        return error_set(err, AQ_E_LIMIT,
                         "event stream: headers of %zu bytes, send at most 128 KiB", len);
    }
    *ret_len = len;
    return AQ_OK;
}

aq_status eventstream_encode(const struct eventstream_header *headers, size_t count,
                             struct aq_bytes payload, struct buf *out, struct aq_error *err)
{
    size_t headers_len = 0;
    aq_status st = headers_measure(headers, count, &headers_len, err);
    if (st != AQ_OK) {
        return st;
    }
    if (payload.len > EVENTSTREAM_FRAME_MAX - FRAME_MIN - headers_len) {
        return error_set(err, AQ_E_LIMIT, "event stream: payload of %zu bytes, split it",
                         payload.len);
    }
    size_t total = FRAME_MIN + headers_len + payload.len;
    if (!buf_reserve(out, total)) {
        return error_set(err, buf_status(out),
                         "event stream: no room for a frame of %zu bytes, "
                         "split it",
                         total);
    }
    size_t start = out->len; /* from here on nothing can fail */
    write_number(out, total, 4);
    write_number(out, headers_len, 4);
    write_number(out, crc32_eight(out->ptr + start), FRAME_CRC_LEN);
    for (size_t i = 0; i < count; i++) {
        header_write(&headers[i], out);
    }
    buf_add_bytes(out, payload);
    write_number(out, crc32_bytes((struct aq_bytes){ out->ptr + start, total - FRAME_CRC_LEN }),
                 FRAME_CRC_LEN);
    return AQ_OK;
}
