/* SPDX-License-Identifier: Apache-2.0 */
/* The head of what comes back. */
#include "exchange.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { MEBIBYTE = 1024 * 1024, TEAPOT = 418 };

static const struct lab_answer answers[] = {
    { .path = "/head",
      .status = TEAPOT,
      .fields = "x-one: 1\nX-Two: Mixed Case\nx-one: 2\nset-cookie: a=1\nx-one: 3\n",
      .text = "short and stout" },
    { .path = "/early", .interim = 3, .fields = "x-one: 1\n", .text = "ok" },
    { .path = "/long", .fields = "x-one: kept\n", .body_len = MEBIBYTE },
    { .path = "/encoded", .fields = "content-encoding: gzip\n", .body_len = 100 },
    { .path = "/cookie", .fields = "set-cookie: crumb=1; path=/\n", .text = "ok" },
    { .path = "/no-content", .status = 204 },
    { .path = "/not-modified", .status = 304 },
    { .path = "/unauthorised", .status = 401, .text = "who are you" },
    { .path = "/failed", .status = 500, .text = "sorry" },
    { .path = "/pushes", .pushes = true, .text = "ok" },
    { .path = "/fields-100", .more = 100, .text = "ok" },
    { .path = "/fields-10000", .more = 10000, .text = "ok" },
    { .path = NULL },
};

/* The value is text; the clause names what is missing. */
static void expect_field(const struct exchange *e, const char *name, unsigned n, const char *value)
{
    const struct aq_str found = exchange_field(e, name, n);
    if (!found.ptr) {
        trial_fail(e->client->trial, "%s: the field %s is missing, the %u. of that name", e->url,
                   name, n + 1);
    }
    if (found.len != strlen(value) || memcmp(found.ptr, value, found.len) != 0) {
        trial_fail(e->client->trial, "%s: the %u. field %s was \"%.*s\", and was sent as \"%s\"",
                   e->url, n + 1, name, AQ_STR_ARG(found), value);
    }
}

static void check_names(const struct exchange *e)
{
    const char *at = (const char *)e->response.headers;
    for (uint32_t i = 0; i < e->response.header_count; i++, at += e->response.header_stride) {
        struct aq_header header;
        memcpy(&header, at, sizeof(header));
        for (size_t k = 0; k < header.name.len; k++) {
            if (header.name.ptr[k] == ':' ||
                (header.name.ptr[k] >= 'A' && header.name.ptr[k] <= 'Z')) {
                trial_fail(e->client->trial,
                           "%s: a field is called \"%.*s\"; names are given in lower case, and "
                           "pseudo fields not at all",
                           e->url, AQ_STR_ARG(header.name));
            }
        }
    }
}

/* Run one for every way, and let the judge look at it before it is finished. */
static void for_each_way(struct trial *t, const char *path, const struct ask *ask,
                         void (*judge)(const struct exchange *e))
{
    struct scene s;
    struct client c;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct exchange e;
        exchange_run(&e, &c, w, path, ask);
        judge(&e);
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

static void judge_head(const struct exchange *e)
{
    exchange_expect_text(e, "short and stout");
    if (e->response.status != TEAPOT) {
        trial_fail(e->client->trial, "%s: the status was %d, and %d was sent", e->url,
                   e->response.status, TEAPOT);
    }
    expect_field(e, "x-one", 0, "1");
    expect_field(e, "x-two", 0, "Mixed Case");
    expect_field(e, "x-one", 1, "2");
    expect_field(e, "set-cookie", 0, "a=1");
    expect_field(e, "x-one", 2, "3");
    check_names(e);
}

static void gives_the_head(struct trial *t)
{
    for_each_way(t, "/head", NULL, judge_head);
}

static void judge_early(const struct exchange *e)
{
    exchange_expect_text(e, "ok");
    expect_field(e, "x-one", 0, "1");
    if (e->response.status != 200 || exchange_field(e, "x-early", 0).ptr) {
        trial_fail(e->client->trial,
                   "%s: an interim response was given as the answer, or its "
                   "fields as those of the answer",
                   e->url);
    }
}

static void skips_interim_responses(struct trial *t)
{
    for_each_way(t, "/early", NULL, judge_early);
}

static void keeps_the_head(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct exchange e;
        struct exchange other;
        exchange_start(&e, &c, w, "/long", NULL);
        exchange_until_head(&e);
        const struct aq_response head = e.response;
        const struct aq_str value = exchange_field(&e, "x-one", 0);
        char protocol[32];
        const size_t protocol_len = head.protocol.len;
        memcpy(protocol, head.protocol.ptr, protocol_len); /* 16 at most, as was checked */
        exchange_run(&other, &c, w, "/head", NULL);
        exchange_finish(&other);
        exchange_until_over(&e);
        exchange_expect_pattern(&e, MEBIBYTE);
        if (value.len != 4 || memcmp(value.ptr, "kept", 4) != 0 ||
            memcmp(head.protocol.ptr, protocol, protocol_len) != 0) {
            trial_fail(t,
                       "%s: the head was another one after the body had been read; it is valid "
                       "until finish",
                       w->name);
        }
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

static void follows_no_redirect(struct trial *t)
{
    static const int statuses[] = { 301, 302, 303, 307, 308 };
    enum { COUNT = sizeof(statuses) / sizeof(statuses[0]) };
    static struct lab_answer redirects[COUNT + 1];
    static char paths[COUNT][16];
    static const char *const targets[] = { "location: /stolen\n",
                                           "location: http://127.0.0.1:1/stolen\n" };
    struct client c;
    for (size_t k = 0; k < 2; k++) {
        struct scene s;
        for (size_t i = 0; i < COUNT; i++) {
            snprintf(paths[i], sizeof(paths[i]), "/%d", statuses[i]);
            redirects[i] = (struct lab_answer){
                .path = paths[i], .status = statuses[i], .fields = targets[k], .text = "there"
            };
        }
        scene_open(&s, t, redirects);
        client_open(&c, &s);
        for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
            for (size_t i = 0; i < COUNT; i++) {
                struct exchange e;
                exchange_run(&e, &c, w, paths[i], NULL);
                if (e.response.status != statuses[i] || lab_requests(&s.lab, "/stolen", NULL)) {
                    trial_fail(t,
                               "%s: a redirect with %d was followed, %s; it is an answer like "
                               "any other",
                               w->name, statuses[i],
                               e.status < 0 ? e.error.text : "to the same server");
                }
                exchange_expect_text(&e, "there");
                exchange_finish(&e);
            }
        }
        client_close(&c);
        scene_close(&s);
    }
}

static void judge_encoded(const struct exchange *e)
{
    if (e->status == AQ_E_PROTOCOL) {
        return; /* it was asked for nothing encoded */
    }
    exchange_expect_pattern(e, 100);
    expect_field(e, "content-encoding", 0, "gzip");
}

static void decodes_nothing(struct trial *t)
{
    for_each_way(t, "/encoded", NULL, judge_encoded);
}

static void keeps_no_cookies(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (int i = 0; i < 2; i++) {
            const struct lab_seen *seen = NULL;
            char value[64];
            struct exchange e;
            exchange_run(&e, &c, w, "/cookie", NULL);
            exchange_expect_text(&e, "ok");
            exchange_finish(&e);
            lab_requests(&s.lab, "/cookie", &seen);
            if (seen && lab_field(seen, "cookie", value, sizeof(value))) {
                trial_fail(t, "%s: the cookie of an answer was sent back", w->name);
            }
        }
    }
    client_close(&c);
    scene_close(&s);
}

static void gives_every_status(struct trial *t)
{
    static const struct {
        const char *path;
        int status;
        const char *text;
    } cases[] = { { "/no-content", 204, "" },
                  { "/not-modified", 304, "" },
                  { "/unauthorised", 401, "who are you" },
                  { "/nowhere", 404, "" },
                  { "/failed", 500, "sorry" } };
    struct scene s;
    struct client c;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct exchange e;
            exchange_run(&e, &c, w, cases[i].path, NULL);
            exchange_expect_text(&e, cases[i].text);
            if (e.response.status != cases[i].status) {
                trial_fail(t, "%s: the status was %d, and %d was sent", e.url, e.response.status,
                           cases[i].status);
            }
            exchange_finish(&e);
        }
    }
    client_close(&c);
    scene_close(&s);
}

static void ignores_what_is_pushed(struct trial *t)
{
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, answers);
    const struct way *way = scene_with_http2(&s);
    if (!way) {
        trial_skip(t, "it does not speak HTTP/2");
    }
    client_open(&c, &s);
    for (int i = 0; i < 3; i++) {
        exchange_run(&e, &c, way, "/pushes", NULL);
        exchange_expect_text(&e, "ok");
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

static void judge_bomb(const struct exchange *e)
{
    exchange_expect_error(e, AQ_E_LIMIT, "the head had more bytes than max_header_bytes");
}

static void judge_ok(const struct exchange *e)
{
    exchange_expect_text(e, "ok");
}

static void limits_the_head(struct trial *t)
{
    const struct ask little = { .max_header_bytes = 300 };
    for_each_way(t, "/fields-100", NULL, judge_ok);
    for_each_way(t, "/fields-100", &little, judge_bomb);
    for_each_way(t, "/fields-10000", NULL, judge_bomb);
}

const struct clause transport_response_clauses[] = {
    { "transport.response.head",
      "The head is complete: the status, every field in its order, names in lower case.",
      gives_the_head, 0, 0 },
    { "transport.response.any-status", "An answer is an answer, whatever its status.",
      gives_every_status, 0, 0 },
    { "transport.response.interim", "Interim responses are skipped.", skips_interim_responses, 0,
      0 },
    { "transport.response.valid", "The head is valid until finish.", keeps_the_head, 0, 0 },
    { "transport.response.redirect", "No redirect is followed.", follows_no_redirect, 0, 0 },
    { "transport.response.encoded", "Nothing is decompressed.", decodes_nothing, 0, 0 },
    { "transport.response.cookies", "No cookie is kept.", keeps_no_cookies, 0, 0 },
    { "transport.response.pushed", "What an HTTP/2 peer pushes disturbs nothing.",
      ignores_what_is_pushed, 0, 0 },
    { "transport.response.limit", "A head of more than max_header_bytes is AQ_E_LIMIT.",
      limits_the_head, 0, 0 },
    CLAUSES_END,
};
