/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict pull reader of JSON (RFC 8259) that copies nothing: it hands out views of the text and
 * knows where each value begins and ends, so that a caller can replace one value and keep every
 * other byte. No allocation, no recursion, depth at most JSON_DEPTH_MAX, UTF-8 checked.
 *
 *     struct json_reader r = json_reader(text);
 *     struct json_member m;
 *     if (json_object(&r)) {
 *         while (json_next(&r, &m)) {
 *             if (json_key_is(&m, AQ_STR("token"))) { ... m.value ... }
 *         }
 *     }
 *     if (!json_finish(&r)) { ... malformed: r.problem, r.at ... }
 *
 * json_next steps over nested values by itself; a caller that wants one opens a reader on m.value.
 */
#ifndef AQ_BASE_JSON_H
#define AQ_BASE_JSON_H

#include "base/buf.h"

#include <amazonq/view.h>
#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 64 };

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_reader {
    struct aq_str text;
    size_t at;           /* offset of the next byte; after a failure, of the byte that is wrong */
    const char *problem; /* NULL while all is well */
    int state;           /* private */
};

/* One member of an object (or element of an array, then key is empty). */
struct json_member {
    struct aq_str key;   /* without quotes, escapes not decoded */
    struct aq_str value; /* the whole value as written; strings with their quotes */
    enum json_type type;
    bool escaped; /* a string that has escapes: json_string_decode is needed */
};

struct json_reader json_reader(struct aq_str text);

/* Step into the object (or array) that is the whole text. False if it is something else. */
bool json_object(struct json_reader *r);
bool json_array(struct json_reader *r);

/* Next member or element. False at the end, and on malformed text. */
bool json_next(struct json_reader *r, struct json_member *ret);

/* True if the text was well-formed to its last byte: everything read, nothing behind it. */
bool json_finish(struct json_reader *r);

/* True if text is one well-formed JSON value. */
bool json_valid(struct aq_str text);

/* Compare a key, decoding escapes if it has some. */
bool json_key_is(const struct json_member *m, struct aq_str key);

/* Content of a string value without escapes: the view between its quotes. Else the empty view. */
struct aq_str json_string_plain(const struct json_member *m);

/*
 * Decode a string value into buf, which has room for m->value.len bytes (decoding never grows).
 * A lone surrogate becomes U+FFFD. Returns the number of bytes; a value that is not a string gives
 * 0.
 */
size_t json_string_decode(const struct json_member *m, char *buf);

/*
 * Text of a scalar: a string decoded, a number or truth as written, else empty. A view of the
 * member, or of scratch, which is cleared when it is needed.
 */
struct aq_str json_text(const struct json_member *m, struct buf *scratch);

/*
 * Offset of the first byte at or behind `at` that is more than itself inside a string: a quote, a
 * backslash, a control character, anything above ASCII. The length of text if there is none.
 */
size_t json_plain_end(struct aq_str text, size_t at);

/* Integer value of a number without fraction and exponent that fits. */
bool json_int(const struct json_member *m, int64_t *ret);

/*
 * Find one member of the object text. The last one wins if there are several. False if text is not
 * an object, is malformed before the end, or has no such member.
 */
bool json_find(struct aq_str text, struct aq_str key, struct json_member *ret);

#endif
