/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/callback.h"

#include "base/alloc.h"
#include "base/str.h"
#include "wire/percent.h"

#define HEAD_END "\r\n\r\n"

enum { ERROR_NAME_MAX = 64 }; /* bytes */

/* ---- the head ---- */

/* Cut a line that ends with CRLF off *rest; false if there is none, or one with a stray CR or LF.
 */
static bool take_line(struct aq_str *rest, struct aq_str *ret)
{
    struct aq_str after = *rest;
    struct aq_str line = str_cut(&after, '\n');
    if (!after.ptr || line.len == 0 || line.ptr[line.len - 1] != '\r') {
        return false;
    }
    line.len--;
    *ret = line;
    *rest = after;
    return !str_contains(line, AQ_STR("\r"));
}

static struct aq_str trim(struct aq_str s)
{
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s = str_from_offset(s, 1);
    }
    return s;
}

/* True if the header lines name this host, once. */
static bool names_host(struct aq_str headers, struct aq_str host)
{
    struct aq_str line;
    bool found = false;
    while (headers.len) {
        if (!take_line(&headers, &line)) {
            return false;
        }
        struct aq_str value = line;
        struct aq_str name = str_cut(&value, ':');
        if (!value.ptr || !str_is_token(name)) { /* also a line that goes on with a blank */
            return false;
        }
        if (str_eq_nocase(name, AQ_STR("host"))) {
            if (found || !str_eq(trim(value), host)) {
                return false;
            }
            found = true;
        }
    }
    return found;
}

/* ---- the query ---- */

struct query {
    struct aq_str code, state, error; /* as they came; ptr NULL: not there */
};

/* False if one of them is there twice. */
static bool read_query(struct aq_str text, struct query *ret)
{
    const struct {
        struct aq_str name;
        struct aq_str *value;
    } wanted[] = {
        { AQ_STR_INIT("code"), &ret->code },
        { AQ_STR_INIT("state"), &ret->state },
        { AQ_STR_INIT("error"), &ret->error },
    };
    while (text.ptr) {
        struct aq_str value = str_cut(&text, '&');
        struct aq_str name = str_cut(&value, '=');
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            if (!str_eq(name, wanted[i].name)) {
                continue;
            }
            if (wanted[i].value->ptr || !value.ptr) {
                return false;
            }
            *wanted[i].value = value;
        }
    }
    return true;
}

/* It is shown: a name of RFC 6749, or else a word that says nothing. */
static struct aq_str error_name(struct aq_str error)
{
    bool legal = error.len > 0 && error.len <= ERROR_NAME_MAX;
    for (size_t i = 0; i < error.len; i++) {
        legal = legal && ((error.ptr[i] >= 'a' && error.ptr[i] <= 'z') || error.ptr[i] == '_');
    }
    return legal ? error : AQ_STR("error");
}

static enum callback_verdict judge_query(struct aq_str expected, struct aq_str text,
                                         struct buf *ret)
{
    AUTO(buf) struct buf state = BUF(CALLBACK_REQUEST_MAX);
    AUTO(buf) struct buf code = BUF(CALLBACK_REQUEST_MAX);
    struct query query = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    if (!read_query(text, &query) || !query.state.ptr || !percent_decode(query.state, &state) ||
        !str_eq_secret(buf_str(&state), expected) || !query.code.ptr == !query.error.ptr) {
        return CALLBACK_JUNK;
    }
    if (query.error.ptr) {
        buf_add(ret, error_name(query.error));
        return CALLBACK_DENIED;
    }
    if (!percent_decode(query.code, &code) || !str_is_token(buf_str(&code))) {
        return CALLBACK_JUNK;
    }
    buf_add(ret, buf_str(&code));
    return CALLBACK_CODE;
}

/* ---- all of it ---- */

enum callback_verdict callback_judge(const struct callback *want, struct aq_str request,
                                     struct buf *ret)
{
    struct aq_str head = request;
    struct aq_str line;
    if (!str_contains(request, AQ_STR(HEAD_END))) {
        return request.len < CALLBACK_REQUEST_MAX ? CALLBACK_MORE : CALLBACK_JUNK;
    }
    head.len = 0;
    while (!str_starts(str_from_offset(request, head.len), AQ_STR(HEAD_END))) {
        head.len++;
    }
    head.len += 2; /* its last line is whole */
    if (!take_line(&head, &line)) {
        return CALLBACK_JUNK;
    }
    struct aq_str version = line;
    struct aq_str method = str_cut(&version, ' ');
    struct aq_str query = str_cut(&version, ' ');
    struct aq_str path = str_cut(&query, '?');
    bool ours = str_eq(method, AQ_STR("GET")) && str_eq(path, AQ_STR(CALLBACK_PATH)) && query.ptr &&
                (str_eq(version, AQ_STR("HTTP/1.1")) || str_eq(version, AQ_STR("HTTP/1.0")));
    return ours && names_host(head, want->host) ? judge_query(want->state, query, ret)
                                                : CALLBACK_JUNK;
}

/* ---- answers ---- */

#define PAGE(title, text) \
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">" \
    "<title>" title "</title></head>\n<body><h1>" title "</h1><p>" text "</p></body></html>\n"

/* Nothing is kept, nothing is fetched from anywhere, and nobody is told where this page was. */
static void add_answer(struct buf *out, const char *status, struct aq_str body)
{
    buf_printf(out,
               "HTTP/1.1 %s\r\n"
               "content-type: text/html; charset=utf-8\r\n"
               "content-length: %zu\r\n"
               "connection: close\r\n"
               "cache-control: no-store\r\n"
               "referrer-policy: no-referrer\r\n"
               "content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
               "x-content-type-options: nosniff\r\n\r\n",
               status, body.len);
    buf_add(out, body);
}

void callback_answer(enum callback_verdict verdict, struct buf *out)
{
    if (verdict == CALLBACK_CODE) {
        add_answer(
            out, "200 OK",
            AQ_STR(PAGE("Login confirmed", "You can close this window and go back to the program "
                                           "that opened it.")));
    } else if (verdict == CALLBACK_DENIED) {
        add_answer(out, "200 OK",
                   AQ_STR(PAGE("Login not allowed", "You can close this window "
                                                    "and go back to the program that opened it.")));
    } else {
        add_answer(out, "404 Not Found", AQ_STR(PAGE("Not found", "There is nothing here.")));
    }
}
