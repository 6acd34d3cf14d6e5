/* SPDX-License-Identifier: Apache-2.0 */
/* Streams made by hand, and ways to read them. */
#ifndef AQ_TESTS_WIRE_EVENTSTREAM_SUPPORT_H
#define AQ_TESTS_WIRE_EVENTSTREAM_SUPPORT_H

#include "base/alloc.h"
#include "base/str.h"
#include "cmocka_all.h"
#include "wire/eventstream.h"

#define BYTES(literal) ((struct aq_bytes){ (const uint8_t *)("" literal), sizeof(literal) - 1 })
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The three headers of every event, as they lie in a frame, each text behind its length. */
#define EVENT_HEADERS \
    "\x0d:message-type\x07\x00\x05" \
    "event" \
    "\x0b:event-type\x07\x00\x09" \
    "codeEvent" \
    "\x0d:content-type\x07\x00\x10" \
    "application/json"

/* Append a frame with any lengths and any header block, and checksums that are right. */
void add_frame(struct buf *out, size_t total, size_t headers_len, struct aq_bytes headers,
               struct aq_bytes payload);

/* Append a frame with these header bytes and no payload. */
void add_headers_frame(struct buf *out, struct aq_bytes headers);

/* Append an event with its three headers. */
void add_event(struct buf *out, const char *type, struct aq_bytes payload);

struct eventstream_header text_header(const char *name, const char *value);

/* A stream of all that may be in one: all types, all kinds, sizes from nothing to 3 KiB. */
void add_everything(struct buf *out);

/* Decode a stream that comes in chunks: cuts holds where they end. Each chunk is moved to memory of
 * its own, so that a sanitizer sees reads beyond it and views that live too long. All that the
 * messages say is appended to out. */
aq_status decode(struct aq_bytes stream, const size_t *cuts, size_t count, struct buf *out,
                 struct aq_error *err);

/* Decode a stream that is expected to break, with this status and a text that says this. */
void assert_broken(struct aq_bytes stream, aq_status status, const char *says);

/* The same for one frame with these headers. */
void assert_headers_broken(struct aq_bytes headers, aq_status status, const char *says);

/* A small generator, so that the test is the same on every machine. */
uint32_t next_random(uint32_t *seed);

#endif
