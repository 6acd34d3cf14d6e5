/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sigv4.h"

#include "base/alloc.h"
#include "base/hmac.h"
#include "base/str.h"
#include "wire/percent.h"
#include "wire/timestamp.h"

#include <stdlib.h>
#include <string.h>

static const struct aq_str algorithm = { "AWS4-HMAC-SHA256", 16 };
static const struct aq_str terminator = { "aws4_request", 12 };

enum { DAY_LEN = 8, TEXT_MAX = 1 << 20 };

/* --- path and query --- */

/* A part of a query, whether or not it was encoded already. */
static void add_parameter(struct buf *ret, struct aq_str text)
{
    while (text.len) {
        int byte = percent_byte(text);
        const char c = byte < 0 ? text.ptr[0] : (char)byte;
        percent_encode((struct aq_str){ &c, 1 }, ret);
        text = str_from_offset(text, byte < 0 ? 1 : 3);
    }
}

static void remove_segment(struct buf *path)
{
    while (path->len > 0 && path->ptr[--path->len] != '/') {
    }
}

/* Without what does not change where a path leads (RFC 3986, 5.2.4), and without empty segments. */
static void add_normalized(struct buf *ret, struct aq_str path)
{
    struct aq_str segment = { NULL, 0 };
    for (struct aq_str rest = path; rest.ptr;) {
        segment = str_cut(&rest, '/');
        if (str_eq(segment, AQ_STR(".."))) {
            remove_segment(ret);
        } else if (segment.len && !str_eq(segment, AQ_STR("."))) {
            buf_add_char(ret, '/');
            buf_add(ret, segment);
        }
    }
    bool names_a_file =
        segment.len && !str_eq(segment, AQ_STR(".")) && !str_eq(segment, AQ_STR(".."));
    if (ret->len == 0 || !names_a_file) {
        buf_add_char(ret, '/');
    }
}

static void add_path(struct buf *ret, struct aq_str path, bool normalize)
{
    struct buf normalized = BUF(TEXT_MAX);
    if (normalize) {
        add_normalized(&normalized, path);
        path = buf_str(&normalized);
        ret->failed = ret->failed ? ret->failed : normalized.failed;
    }
    for (struct aq_str rest = path; rest.ptr;) {
        percent_encode(str_cut(&rest, '/'), ret);
        buf_add(ret, rest.ptr ? AQ_STR("/") : AQ_STR(""));
    }
    buf_done(&normalized);
}

/* A name and a value that are put in order: a parameter of the query, or a header. */
struct pair {
    struct aq_str name;
    struct aq_str value;
    uint32_t at; /* among those of the same name a header keeps its place */
};

static int compare(struct aq_str a, struct aq_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name_and_value(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    int order = compare(left->name, right->name);
    return order ? order : compare(left->value, right->value);
}

static int by_name_and_place(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    int order = compare(left->name, right->name);
    return order ? order : (left->at > right->at) - (left->at < right->at);
}

/* Names and values are encoded into one buffer; where they stand is known when it grows no more. */
static void add_query(struct buf *ret, struct aq_str query)
{
    struct buf encoded = BUF(TEXT_MAX);
    struct pair pairs[SIGV4_HEADERS_MAX];
    uint32_t count = 0;
    for (struct aq_str rest = query; rest.ptr && rest.len;) {
        struct aq_str value = str_cut(&rest, '&');
        struct aq_str name = str_cut(&value, '=');
        if (count == SIGV4_HEADERS_MAX) {
            ret->failed = AQ_E_LIMIT;
            break;
        }
        struct pair *pair = &pairs[count++];
        size_t begin = encoded.len;
        add_parameter(&encoded, name);
        pair->name.len = encoded.len - begin;
        add_parameter(&encoded, value);
        pair->value.len = encoded.len - begin - pair->name.len;
    }
    const char *at = (const char *)encoded.ptr;
    for (uint32_t i = 0; at && i < count; i++) {
        pairs[i].name.ptr = at;
        pairs[i].value.ptr = at + pairs[i].name.len;
        at = pairs[i].value.ptr + pairs[i].value.len;
    }
    if (buf_status(&encoded) == AQ_OK && count) {
        qsort(pairs, count, sizeof(pairs[0]), by_name_and_value);
        for (uint32_t i = 0; i < count; i++) {
            buf_add(ret, i ? AQ_STR("&") : AQ_STR(""));
            buf_add(ret, pairs[i].name);
            buf_add_char(ret, '=');
            buf_add(ret, pairs[i].value);
        }
    }
    ret->failed = ret->failed ? ret->failed : encoded.failed;
    buf_done(&encoded);
}

/* --- headers --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without blanks around it, and with one where there were several. */
static void add_value(struct buf *ret, struct aq_str value)
{
    bool pending = false, begun = false;
    for (size_t i = 0; i < value.len; i++) {
        if (is_blank(value.ptr[i])) {
            pending = begun;
            continue;
        }
        if (pending) {
            buf_add_char(ret, ' ');
        }
        buf_add_char(ret, value.ptr[i]);
        pending = false;
        begun = true;
    }
}

static void add_lower(struct buf *ret, struct aq_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        buf_add_char(ret, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
}

static void add_headers(struct buf *ret, struct buf *ret_names, const struct sigv4_request *request)
{
    struct buf lower = BUF(TEXT_MAX);
    struct pair pairs[SIGV4_HEADERS_MAX];
    const uint32_t count = request->header_count;
    if (count > SIGV4_HEADERS_MAX) {
        ret->failed = AQ_E_LIMIT;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        add_lower(&lower, request->headers[i].name);
    }
    const char *at = (const char *)lower.ptr;
    for (uint32_t i = 0; at && i < count; i++) {
        pairs[i] =
            (struct pair){ { at, request->headers[i].name.len }, request->headers[i].value, i };
        at += pairs[i].name.len;
    }
    if (buf_status(&lower) == AQ_OK && count) {
        qsort(pairs, count, sizeof(pairs[0]), by_name_and_place);
        for (uint32_t i = 0; i < count; i++) {
            if (i && str_eq(pairs[i].name, pairs[i - 1].name)) {
                buf_add_char(ret, ',');
            } else {
                buf_add(ret, i ? AQ_STR("\n") : AQ_STR(""));
                buf_add(ret_names, i ? AQ_STR(";") : AQ_STR(""));
                buf_add(ret_names, pairs[i].name);
                buf_add(ret, pairs[i].name);
                buf_add_char(ret, ':');
            }
            add_value(ret, pairs[i].value);
        }
    }
    buf_add(ret, AQ_STR("\n"));
    ret->failed = ret->failed ? ret->failed : lower.failed;
    buf_done(&lower);
}

/* --- the steps --- */

bool sigv4_date(int64_t time_s, char ret[SIGV4_DATE_LEN + 1])
{
    char text[TIMESTAMP_TEXT_MAX];
    size_t len = 0;
    if (!timestamp_format(time_s, text)) {
        return false;
    }
    for (const char *c = text; *c; c++) {
        if (*c != '-' && *c != ':') {
            ret[len++] = *c;
        }
    }
    ret[len] = '\0';
    return true;
}

static void add_digest(struct buf *ret, struct aq_bytes data)
{
    uint8_t digest[SHA256_LEN];
    char hex[SHA256_HEX_LEN + 1];
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, data);
    sha256_done(&h, digest);
    sha256_hex(digest, hex);
    buf_add(ret, str_from(hex));
}

void sigv4_canonical_request(const struct sigv4_request *request, const struct sigv4_scope *scope,
                             struct buf *ret, struct buf *ret_names)
{
    struct aq_str query = request->target;
    struct aq_str path = str_cut(&query, '?');
    size_t names_at = ret_names->len;
    buf_add(ret, request->method);
    buf_add_char(ret, '\n');
    add_path(ret, path, scope->normalize_path);
    buf_add_char(ret, '\n');
    add_query(ret, query);
    buf_add_char(ret, '\n');
    add_headers(ret, ret_names, request);
    buf_add_char(ret, '\n');
    buf_add(ret, str_from_offset(buf_str(ret_names), names_at));
    buf_add_char(ret, '\n');
    add_digest(ret, request->body);
}

/* "20150830/us-east-1/service/aws4_request" */
static void add_scope(struct buf *ret, const struct sigv4_scope *scope, const char *date)
{
    buf_add(ret, (struct aq_str){ date, DAY_LEN });
    buf_add_char(ret, '/');
    buf_add(ret, scope->region);
    buf_add_char(ret, '/');
    buf_add(ret, scope->service);
    buf_add_char(ret, '/');
    buf_add(ret, terminator);
}

void sigv4_string_to_sign(struct aq_str canonical_request, const struct sigv4_scope *scope,
                          struct buf *ret)
{
    char date[SIGV4_DATE_LEN + 1];
    if (!sigv4_date(scope->time_s, date)) {
        ret->failed = AQ_E_INVALID;
        return;
    }
    buf_add(ret, algorithm);
    buf_add_char(ret, '\n');
    buf_add(ret, str_from(date));
    buf_add_char(ret, '\n');
    add_scope(ret, scope, date);
    buf_add_char(ret, '\n');
    add_digest(ret, str_bytes(canonical_request));
}

/* Each key is made from the one before, so that the last one is good for one day, region and
 * service. */
void sigv4_signature(const struct sigv4_credentials *credentials, const struct sigv4_scope *scope,
                     struct aq_str string_to_sign, struct buf *ret)
{
    char date[SIGV4_DATE_LEN + 1];
    uint8_t key[SHA256_LEN];
    char hex[SHA256_HEX_LEN + 1];
    if (!sigv4_date(scope->time_s, date)) {
        ret->failed = AQ_E_INVALID;
        return;
    }
    struct buf first = BUF(TEXT_MAX);
    buf_add(&first, AQ_STR("AWS4"));
    buf_add(&first, credentials->secret_access_key);

    const struct aq_bytes own = { key, sizeof(key) };
    const struct aq_str day = { date, DAY_LEN };
    hmac_sha256(buf_bytes(&first), str_bytes(day), key);
    hmac_sha256(own, str_bytes(scope->region), key);
    hmac_sha256(own, str_bytes(scope->service), key);
    hmac_sha256(own, str_bytes(terminator), key);
    hmac_sha256(own, str_bytes(string_to_sign), key);
    sha256_hex(key, hex);
    buf_add(ret, str_from(hex));

    ret->failed = ret->failed ? ret->failed : first.failed;
    buf_done(&first);
    alloc_wipe(key, sizeof(key));
}

aq_status sigv4_authorization(const struct sigv4_request *request,
                              const struct sigv4_credentials *credentials,
                              const struct sigv4_scope *scope, struct buf *ret)
{
    char date[SIGV4_DATE_LEN + 1];
    struct buf canonical = BUF(TEXT_MAX), names = BUF(TEXT_MAX), text = BUF(TEXT_MAX);
    if (!sigv4_date(scope->time_s, date)) {
        return AQ_E_INVALID;
    }
    sigv4_canonical_request(request, scope, &canonical, &names);
    sigv4_string_to_sign(buf_str(&canonical), scope, &text);

    buf_add(ret, algorithm);
    buf_add(ret, AQ_STR(" Credential="));
    buf_add(ret, credentials->access_key_id);
    buf_add_char(ret, '/');
    add_scope(ret, scope, date);
    buf_add(ret, AQ_STR(", SignedHeaders="));
    buf_add(ret, buf_str(&names));
    buf_add(ret, AQ_STR(", Signature="));
    sigv4_signature(credentials, scope, buf_str(&text), ret);

    aq_status st = buf_status(&canonical);
    st = st == AQ_OK ? buf_status(&names) : st;
    st = st == AQ_OK ? buf_status(&text) : st;
    buf_done(&canonical);
    buf_done(&names);
    buf_done(&text);
    return st == AQ_OK ? buf_status(ret) : st;
}
