/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out. */
#include "exchange.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LARGE ((size_t)3 * 1024 * 1024)

/* The n-th line of a head without its end; NULL behind the last. */
static const char *line_of(const struct lab_seen *seen, unsigned n, char *buf, size_t cap)
{
    const char *line = seen->head;
    while (n-- && *line) {
        line += strcspn(line, "\n") + 1;
    }
    snprintf(buf, cap, "%.*s", (int)strcspn(line, "\n"), line);
    return *line ? buf : NULL;
}

static bool is_framing(const char *line)
{
    return strncasecmp(line, "host:", 5) == 0 || strncasecmp(line, "content-length:", 15) == 0;
}

/* "name: value" in both, the name without case, blanks around the value not counted. */
static bool is_same_field(const char *a, const char *b)
{
    const size_t name = strcspn(a, ":");
    const char *value_a = a + name + strspn(a + name, ": ");
    const char *value_b = b + name + strspn(b + name, ": ");
    return strcspn(b, ":") == name && strncasecmp(a, b, name) == 0 && strcmp(value_a, value_b) == 0;
}

/* The caller's fields in their order, and beside them only what framing needs. */
static void check_fields(struct trial *t, const struct lab_seen *seen, const char *const *expected)
{
    char line[512];
    for (unsigned i = 0; line_of(seen, i, line, sizeof(line)); i++) {
        if (*expected && is_same_field(line, *expected)) {
            expected++;
        } else if (!is_framing(line)) {
            trial_fail(t,
                       "the request had the field \"%s\" where the caller's next was \"%s\"; the "
                       "caller's fields go out as they are, and only Host and Content-Length are "
                       "added",
                       line, *expected ? *expected : "(none)");
        }
    }
    if (*expected) {
        trial_fail(t, "the caller's field \"%s\" did not arrive, or not in its place", *expected);
    }
}

static const struct lab_seen *last_seen(struct client *c, const char *path)
{
    const struct lab_seen *seen = NULL;
    if (lab_requests(&c->scene->lab, path, &seen) == 0) {
        trial_fail(c->trial, "the lab saw no request for %s", path);
    }
    return seen;
}

static const struct lab_answer echo[] = { { .path = "/echo", .text = "ok" }, { .path = NULL } };

static void sends_what_it_was_given(struct trial *t)
{
    static const char *const fields[] = { "content-type: application/json",
                                          "X-Mixed-Case: One, two",
                                          "x-twice: 1",
                                          "x-twice: 2",
                                          "authorization: Bearer abc",
                                          NULL };
    static const struct ask ask = {
        .method = "POST",
        .fields = "content-type: application/json\nX-Mixed-Case: One, two\nx-twice: 1\n"
                  "x-twice: 2\nauthorization: Bearer abc\n",
        .body = "{}",
        .body_len = 2,
    };
    static const char *const none[] = { NULL };
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, echo);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        exchange_run(&e, &c, w, "/echo?q=1&r=%2F", &ask);
        exchange_expect_text(&e, "ok");
        const struct lab_seen *seen = last_seen(&c, "/echo");
        if (strcmp(seen->method, "POST") != 0 || strcmp(seen->target, "/echo?q=1&r=%2F") != 0) {
            trial_fail(t, "POST /echo?q=1&r=%%2F arrived as %s %s", seen->method, seen->target);
        }
        check_fields(t, seen, fields);
        exchange_finish(&e);
        exchange_run(&e, &c, w, "/echo", NULL);
        exchange_expect_text(&e, "ok");
        check_fields(t, last_seen(&c, "/echo"), none);
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

static void sends_methods_as_they_are(struct trial *t)
{
    static const char *const methods[] = { "GET", "HEAD", "DELETE", "PUT", "PATCH", "POST" };
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, echo);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
            const bool has_body = methods[i][0] == 'P';
            const struct ask ask = { .method = methods[i], .body = "x", .body_len = has_body };
            exchange_run(&e, &c, w, "/echo", &ask);
            exchange_expect_text(&e, strcmp(methods[i], "HEAD") == 0 ? "" : "ok");
            const struct lab_seen *seen = last_seen(&c, "/echo");
            if (strcmp(seen->method, methods[i]) != 0 || seen->body_len != has_body) {
                trial_fail(t, "%s with %d bytes arrived as %s with %llu", methods[i], has_body,
                           seen->method, (unsigned long long)seen->body_len);
            }
            exchange_finish(&e);
        }
    }
    client_close(&c);
    scene_close(&s);
}

static void sends_bodies_whole(struct trial *t)
{
    static const size_t lengths[] = { 0, 1, 64 * 1024, LARGE };
    uint8_t *body = malloc(LARGE);
    struct scene s;
    struct client c;
    struct exchange e;
    char value[64];
    if (!body) {
        trial_skip(t, "out of memory");
    }
    for (size_t i = 0; i < LARGE; i++) {
        body[i] = lab_byte(i * 7);
    }
    scene_open(&s, t, echo);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            const struct ask ask = { .method = "POST", .body = body, .body_len = lengths[i] };
            exchange_run(&e, &c, w, "/echo", &ask);
            exchange_expect_text(&e, "ok");
            const struct lab_seen *seen = last_seen(&c, "/echo");
            if (seen->body_len != lengths[i] ||
                seen->body_sum != lab_sum(LAB_SUM, body, lengths[i])) {
                trial_fail(t, "%s: a body of %zu bytes arrived as %llu bytes%s", w->name,
                           lengths[i], (unsigned long long)seen->body_len,
                           seen->body_len == lengths[i] ? ", others" : "");
            }
            if (lab_field(seen, "expect", value, sizeof(value))) {
                trial_fail(t, "%s: a body of %zu bytes was announced with \"Expect: %s\"", w->name,
                           lengths[i], value);
            }
            exchange_finish(&e);
        }
    }
    client_close(&c);
    scene_close(&s);
    free(body);
}

static void keeps_a_copy(struct trial *t)
{
    enum { BODY = 200 * 1024 };
    static uint8_t body[BODY];
    char url[256];
    char method[8];
    char fields[32];
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, echo);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        const struct ask ask = {
            .method = method, .fields = fields, .body = body, .body_len = BODY, .is_lent = true
        };
        snprintf(url, sizeof(url), "%s", lab_url(&s.lab, w->listener, "/echo"));
        snprintf(method, sizeof(method), "POST");
        snprintf(fields, sizeof(fields), "x-kept: yes\n");
        memset(body, 'b', BODY);
        const uint64_t sum = lab_sum(LAB_SUM, body, BODY);
        exchange_start_url(&e, &c, url, &ask);
        memset(url, 'U', sizeof(url));
        memset(method, 'M', sizeof(method));
        memset(fields, 'F', sizeof(fields));
        memset(body, 'B', BODY);
        exchange_until_over(&e);
        exchange_expect_text(&e, "ok");
        const struct lab_seen *seen = last_seen(&c, "/echo");
        char value[16] = "";
        lab_field(seen, "x-kept", value, sizeof(value));
        if (strcmp(seen->method, "POST") != 0 || strcmp(value, "yes") != 0 ||
            seen->body_sum != sum) {
            trial_fail(t,
                       "%s: what was changed after start was sent; a request is borrowed for "
                       "the duration of start, keep a copy",
                       w->name);
        }
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

static const struct lab_answer hang_up[] = {
    { .path = "/gone", .fate = LAB_CLOSES, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/reset", .fate = LAB_RESETS, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/refused", .fate = LAB_REFUSES, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/busy", .status = 503, .fields = "retry-after: 0\n", .text = "later" },
    { .path = NULL },
};

/* On a connection that was used before, where libraries are tempted most. */
static void sends_once(struct trial *t)
{
    static const char *const methods[] = { "GET", "POST" };
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, hang_up);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (const struct lab_answer *a = hang_up; a->path; a++) {
            for (size_t i = 0; i < 2; i++) {
                const struct ask ask = { .method = methods[i] };
                const unsigned before = lab_requests(&s.lab, a->path, NULL);
                exchange_run(&e, &c, w, "/", NULL);
                exchange_finish(&e);
                exchange_run(&e, &c, w, a->path, &ask);
                exchange_finish(&e);
                client_settle(&c, 2);
                lab_round(&s.lab);
                const unsigned sent = lab_requests(&s.lab, a->path, NULL) - before;
                if (sent != 1) {
                    trial_fail(t,
                               "%s: %s %s arrived %u times; a request is sent once, the host "
                               "decides what is repeated",
                               w->name, methods[i], a->path, sent);
                }
            }
        }
    }
    client_close(&c);
    scene_close(&s);
}

/* A line break in any part of a request would be a request of somebody else's making. */
static void is_not_injected(struct trial *t)
{
    static const struct {
        const char *path;
        struct ask ask;
    } cases[] = {
        { "/echo?a b", { 0 } },
        { "/echo\r\nevil: 1", { 0 } },
        { "/echo", { .method = "GET / HTTP/1.1\r\nevil: 1\r\nx" } },
        { "/echo", { .method = "" } },
        { "/echo", { .fields = "evil header: 1\n" } },
        { "/echo", { .fields = "x: 1\revil: 1\n" } },
        { "/echo", { .fields = "evil\r: 1\n" } },
        { "/echo", { .fields = ": evil\n" } },
    };
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, echo);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        const unsigned before = atomic_load(&s.lab.record->count);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            const char *url = lab_url(&s.lab, w->listener, cases[i].path);
            if (exchange_try_start(&e, &c, url, &cases[i].ask) == AQ_OK) {
                exchange_until_over(&e);
            }
            if (e.status != AQ_E_INVALID) {
                trial_fail(t,
                           "a request with the URL \"%s\", the method \"%s\" and the fields "
                           "\"%s\" was not refused with AQ_E_INVALID",
                           url, cases[i].ask.method ? cases[i].ask.method : "GET",
                           cases[i].ask.fields ? cases[i].ask.fields : "");
            }
            exchange_finish(&e);
        }
        client_settle(&c, 2);
        lab_round(&s.lab);
        if (atomic_load(&s.lab.record->count) != before) {
            trial_fail(t, "%s: a request that cannot be written as one was sent", w->name);
        }
    }
    client_close(&c);
    scene_close(&s);
}

static void is_https_or_stays_here(struct trial *t)
{
    static const char *const urls[] = { "http://192.0.2.1/",  "ftp://localhost/",
                                        "file:///etc/passwd", "localhost",
                                        "https://",           "https://user@localhost/" };
    struct scene s;
    struct client c;
    struct exchange e;
    const struct ask ask = { .connect_ms = 3000 };
    scene_open_unknown(&s, t, NULL);
    client_open(&c, &s);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        if (exchange_try_start(&e, &c, urls[i], &ask) == AQ_OK) {
            exchange_until_over(&e);
        }
        exchange_expect_error(&e, AQ_E_INVALID,
                              "a URL is https, or plain http to this machine, without a user");
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

const struct clause transport_request_clauses[] = {
    { "transport.request.exact",
      "A request goes out as it was given; only Host and Content-Length are added.",
      sends_what_it_was_given, 0, 0 },
    { "transport.request.method", "Every method goes out as it is, with its body or without.",
      sends_methods_as_they_are, 0, 0 },
    { "transport.request.body", "A body arrives whole, and is not announced with Expect.",
      sends_bodies_whole, 0, 0 },
    { "transport.request.copied", "A request is borrowed for the duration of start, no longer.",
      keeps_a_copy, 0, 0 },
    { "transport.request.once", "A request is sent once, whatever becomes of it.", sends_once, 0,
      0 },
    { "transport.request.injection", "A request that cannot be written as one is AQ_E_INVALID.",
      is_not_injected, 0, 0 },
    { "transport.request.url", "Plain http never leaves this machine; other schemes are refused.",
      is_https_or_stays_here, 0, 0 },
    CLAUSES_END,
};
