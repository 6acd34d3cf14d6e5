/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include "exact.h"

#include <stdio.h>
#include <stdnoreturn.h>
#include <string.h>
#include <strings.h>

enum {
    FIELDS_MAX = 32,
    GUARD = 32, /* bytes behind a buffer that stay as they are */
    READ_MAX = 64 * 1024,
    EMPTY_READS_MAX = 1000,
    PATIENCE_MS = 10000,
    TURN_MS = 200,
};

#define GUARD_BYTE 0xa5

static const struct call start_call = { "start", 1000,       "transport.start.never-blocks",
                                        AQ_OK,   AQ_E_LIMIT, AQ_OK };
static const struct call response_call = { "response", 1000,       "transport.read.never-blocks",
                                           AQ_AGAIN,   AQ_E_LIMIT, AQ_OK };
static const struct call read_call = { "read", 1000,       "transport.read.never-blocks",
                                       AQ_END, AQ_E_LIMIT, AQ_OK };
static const struct call finish_call = { "finish", 1000,  "transport.finish.never-blocks",
                                         AQ_OK,    AQ_OK, AQ_OK };
static const struct call facts_call = { "facts", 1000,       "transport.read.never-blocks",
                                        AQ_OK,   AQ_E_LIMIT, AQ_E_UNSUPPORTED };

/* ---- a request ---- */

/* A text for the plugin. */
static struct aq_str give(const struct ask *ask, const char *text, size_t len)
{
    return ask->is_lent ? (struct aq_str){ text, len } : exact_str(text, len);
}

static uint32_t read_fields(const struct ask *ask, struct aq_header *headers)
{
    const char *fields = ask->fields;
    uint32_t count = 0;
    while (fields && *fields && count < FIELDS_MAX) {
        const size_t len = strcspn(fields, "\n");
        const char *colon = memchr(fields, ':', len);
        const char *value = colon + 1 + (colon[1] == ' ');
        headers[count].name = give(ask, fields, (size_t)(colon - fields));
        headers[count].value = give(ask, value, (size_t)(fields + len - value));
        count++;
        fields += len + (fields[len] == '\n');
    }
    return count;
}

aq_status exchange_try_start(struct exchange *e, struct client *c, const char *url,
                             const struct ask *ask)
{
    static const struct ask plain;
    struct aq_header headers[FIELDS_MAX];
    struct aq_request request = { .struct_size = sizeof(request) };
    *e = (struct exchange){ .client = c, .body_sum = LAB_SUM, .cookie = client_cookie() };
    e->seen_before = atomic_load(&c->scene->lab.record->count);
    snprintf(e->url, sizeof(e->url), "%s", url);
    ask = ask ? ask : &plain;
    const char *method = ask->method ? ask->method : "GET";
    request.method = give(ask, method, strlen(method));
    request.url = give(ask, url, strlen(url));
    request.header_count = read_fields(ask, headers);
    request.header_stride = sizeof(headers[0]);
    request.headers = headers;
    request.body = (struct aq_bytes){ ask->body, ask->body_len };
    if (!ask->is_lent) {
        request.body.ptr = exact_copy(ask->body, ask->body_len);
    }
    request.connect_timeout_ms = ask->connect_ms;
    request.first_byte_timeout_ms = ask->first_byte_ms;
    request.idle_timeout_ms = ask->idle_ms;
    request.total_timeout_ms = ask->total_ms;
    request.max_header_bytes = ask->max_header_bytes;
    request.flags = ask->flags;

    void *cookie = NULL;
    memcpy(&cookie, &e->cookie, sizeof(cookie));
    e->next = c->exchanges; /* so that a ready inside start finds it */
    c->exchanges = e;
    witness_enter(&c->witness, &start_call);
    aq_status st = c->ops->start(c->self, &request, cookie, &e->call, &c->witness.err);
    st = witness_leave(&c->witness, &start_call, st);
    if (st == AQ_OK && !e->call) {
        trial_break_off(c->trial, "transport.start.call", "start returned AQ_OK without a call");
    }
    if (st != AQ_OK) {
        c->exchanges = e->next;
        e->call = NULL;
        e->over = true;
        e->status = st;
        e->error = c->witness.err;
    }
    return st;
}

void exchange_start_url(struct exchange *e, struct client *c, const char *url,
                        const struct ask *ask)
{
    if (exchange_try_start(e, c, url, ask) != AQ_OK) {
        trial_fail(c->trial, "%s: start failed: %s", url, e->error.text);
    }
}

void exchange_start(struct exchange *e, struct client *c, const struct way *way, const char *path,
                    const struct ask *ask)
{
    exchange_start_url(e, c, lab_url(&c->scene->lab, way->listener, path), ask);
}

void exchange_finish(struct exchange *e)
{
    struct client *c = e->client;
    struct exchange **at = &c->exchanges;
    while (*at && *at != e) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = e->next;
    }
    if (e->call) {
        witness_enter(&c->witness, &finish_call);
        c->ops->finish(e->call);
        witness_leave_void(&c->witness, &finish_call);
        e->call = NULL;
    }
}

/* ---- what came of it ---- */

static aq_status exchange_ask_head(struct exchange *e, struct aq_response *ret)
{
    struct client *c = e->client;
    *ret = (struct aq_response){ .struct_size = sizeof(*ret) };
    witness_enter(&c->witness, &response_call);
    return witness_leave(&c->witness, &response_call,
                         c->ops->response(e->call, ret, &c->witness.err));
}

/* Every view of a head can be read: what is not so is not looked at. */
static void exchange_check_head(const struct exchange *e)
{
    struct trial *t = e->client->trial;
    const struct aq_response *r = &e->response;
    const char *at = (const char *)r->headers;
    size_t left = 1u << 20;
    const char *problem = NULL;
    if (r->status < 200 || r->status > 599) {
        trial_break_off(t, "transport.response.status",
                        "response gave the status %d; it is 200 to 599, and interim responses are "
                        "skipped",
                        r->status);
    }
    if (r->header_count &&
        (!at || r->header_stride < sizeof(struct aq_header) || r->header_count > left)) {
        problem = "headers without an address, a stride or a count that can be";
    }
    if (!r->protocol.ptr || r->protocol.len > 16) {
        problem = "no protocol, or one that is too long to be true";
    }
    for (uint32_t i = 0; i < r->header_count && !problem; i++, at += r->header_stride) {
        struct aq_header header;
        memcpy(&header, at, sizeof(header));
        if (!header.name.ptr || header.name.len == 0 || (!header.value.ptr && header.value.len) ||
            header.name.len > left || header.value.len > left - header.name.len) {
            problem = "a field with a length that cannot be, or without a name";
        } else {
            left -= header.name.len + header.value.len;
        }
    }
    if (problem) {
        trial_break_off(t, "transport.response.views", "response gave %s", problem);
    }
}

static aq_status exchange_read(struct exchange *e, uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct client *c = e->client;
    size_t len = 0;
    memset(buf + cap, GUARD_BYTE, GUARD);
    witness_enter(&c->witness, &read_call);
    aq_status st = witness_leave(&c->witness, &read_call,
                                 c->ops->read(e->call, buf, cap, &len, &c->witness.err));
    for (size_t i = 0; i < GUARD; i++) {
        if (buf[cap + i] != GUARD_BYTE) {
            trial_break_off(c->trial, "transport.read.bounded",
                            "read wrote behind the %zu bytes that it was given", cap);
        }
    }
    if (st == AQ_OK && (len == 0 || len > cap)) {
        trial_breach(c->trial, "transport.read.bounded",
                     "read returned %zu bytes; it is 1 to the %zu that it was given, and AQ_AGAIN "
                     "or AQ_END when there are none",
                     len, cap);
    }
    *ret_len = st != AQ_OK ? 0 : len < cap ? len : cap;
    return st;
}

/* Ended, and it says so for ever. */
static void exchange_end(struct exchange *e, aq_status st)
{
    struct client *c = e->client;
    struct aq_response head;
    uint8_t buf[1 + GUARD];
    size_t len;
    e->over = true;
    e->news = false;
    e->status = st;
    e->error = c->witness.err;
    for (int i = 0; i < 2; i++) {
        const aq_status again = exchange_read(e, buf, 1, &len);
        if (again != st || (st < 0 && strcmp(c->witness.err.text, e->error.text) != 0)) {
            trial_breach(c->trial, "transport.read.end",
                         "%s ended with %s, and the read after that gave %s; an end is for ever",
                         e->url, aq_status_name(st), aq_status_name(again));
            return;
        }
    }
    if (st < 0 && exchange_ask_head(e, &head) != st) {
        trial_breach(c->trial, "transport.read.end",
                     "%s ended with %s, and response gave another status after that", e->url,
                     aq_status_name(st));
    }
}

static void exchange_take(struct exchange *e, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && !e->differs; i++) {
        e->differs = bytes[i] != lab_byte(e->body_len + i);
        e->differs_at = e->body_len + i;
    }
    if (e->body_len < sizeof(e->text) - 1) {
        const size_t room = sizeof(e->text) - 1 - (size_t)e->body_len;
        memcpy(e->text + e->body_len, bytes, len < room ? len : room);
    }
    e->body_len += len;
}

void exchange_pull(struct exchange *e)
{
    uint8_t buf[READ_MAX + GUARD];
    unsigned empty = 0;
    aq_status st = AQ_OK;
    if (!e->head) {
        st = exchange_ask_head(e, &e->response);
        e->head = st == AQ_OK;
        if (e->head) {
            exchange_check_head(e);
        }
    }
    while (st == AQ_OK && !e->stop_reading) {
        size_t len = 0;
        st = exchange_read(e, buf, e->read_cap ? e->read_cap : READ_MAX, &len);
        exchange_take(e, buf, len);
        empty = len || st != AQ_OK ? 0 : empty + 1;
        if (empty > EMPTY_READS_MAX) {
            trial_skip(e->client->trial, "could not be judged, see transport.read.bounded");
        }
    }
    if (st == AQ_AGAIN) {
        e->news = false;
    } else if (st != AQ_OK) {
        exchange_end(e, st);
    }
}

/* Without an answer to the simplest of requests nothing else is worth a try. */
noreturn static void exchange_is_forgotten(const struct exchange *e)
{
    static const char what[] =
        "%s: ready was not said for %d s, though the lab had something to say; make the descriptor "
        "readable, or give a deadline, when step has work";
    if (e->client->is_probe) {
        trial_break_off(e->client->trial, "transport.ready.said", what, e->url, PATIENCE_MS / 1000);
    }
    trial_fail(e->client->trial, what, e->url, PATIENCE_MS / 1000);
}

/* Until there is news of it, which is read. The lab, too, may have had to wait on a busy machine.
 */
static void exchange_drive(struct exchange *e)
{
    struct client *c = e->client;
    uint64_t since_us = trial_now_us();
    bool is_patient = true;
    while (!e->news) {
        if (trial_now_us() - since_us > PATIENCE_MS * UINT64_C(1000)) {
            if (!is_patient) {
                exchange_is_forgotten(e);
            }
            lab_round(&c->scene->lab);
            is_patient = false;
            since_us = trial_now_us() - (PATIENCE_MS - TURN_MS) * UINT64_C(1000);
        }
        client_wait(c, TURN_MS);
    }
    exchange_pull(e);
}

void exchange_until_over(struct exchange *e)
{
    while (!e->over) {
        exchange_drive(e);
    }
}

void exchange_until_head(struct exchange *e)
{
    while (!e->head) {
        if (e->over) {
            trial_fail(e->client->trial, "%s: no answer: %s", e->url, e->error.text);
        }
        exchange_drive(e);
    }
}

void exchange_until_bytes(struct exchange *e, uint64_t len)
{
    while (e->body_len < len) {
        if (e->over) {
            trial_fail(e->client->trial, "%s: ended after %llu of %llu bytes: %s", e->url,
                       (unsigned long long)e->body_len, (unsigned long long)len,
                       e->status == AQ_END ? "AQ_END" : e->error.text);
        }
        exchange_drive(e);
    }
}

void exchange_until_seen(struct exchange *e, const char *path)
{
    struct client *c = e->client;
    const struct lab_seen *seen = NULL;
    const uint64_t since_us = trial_now_us();
    while (!seen || !seen->complete) {
        seen = lab_seen_from(&c->scene->lab, e->seen_before, path);
        if (trial_now_us() - since_us > PATIENCE_MS * UINT64_C(1000)) {
            trial_fail(c->trial, "%s: the request did not reach the lab within %d s", e->url,
                       PATIENCE_MS / 1000);
        }
        client_wait(c, 5);
    }
}

void exchange_run(struct exchange *e, struct client *c, const struct way *way, const char *path,
                  const struct ask *ask)
{
    exchange_start(e, c, way, path, ask);
    exchange_until_over(e);
}

aq_status exchange_facts(struct exchange *e, struct aq_facts *ret)
{
    struct client *c = e->client;
    *ret = (struct aq_facts){ .struct_size = sizeof(*ret) };
    witness_enter(&c->witness, &facts_call);
    return witness_leave(&c->witness, &facts_call, c->ops->facts(e->call, ret));
}

/* ---- expectations ---- */

void exchange_expect_end(const struct exchange *e)
{
    if (e->status != AQ_END) {
        trial_fail(e->client->trial, "%s failed: %s", e->url, e->error.text);
    }
}

void exchange_expect_text(const struct exchange *e, const char *text)
{
    exchange_expect_end(e);
    if (e->body_len != strlen(text) || strcmp(e->text, text) != 0) {
        trial_fail(e->client->trial, "%s: the body was \"%s\", and should have been \"%s\"", e->url,
                   e->text, text);
    }
}

void exchange_expect_pattern(const struct exchange *e, uint64_t len)
{
    exchange_expect_end(e);
    if (e->body_len != len) {
        trial_fail(e->client->trial, "%s: AQ_END came after %llu of %llu bytes", e->url,
                   (unsigned long long)e->body_len, (unsigned long long)len);
    }
    if (e->differs) {
        trial_fail(e->client->trial, "%s: byte %llu of the body is not the one that was sent",
                   e->url, (unsigned long long)e->differs_at);
    }
}

void exchange_expect_error(const struct exchange *e, aq_status status, const char *why)
{
    if (e->status != status) {
        trial_fail(e->client->trial, "%s: %s, and that is %s; it ended with %s%s%s", e->url, why,
                   aq_status_name(status), aq_status_name(e->status), e->status < 0 ? ": " : "",
                   e->status < 0 ? e->error.text : "");
    }
}

struct aq_str exchange_field(const struct exchange *e, const char *name, unsigned n)
{
    const char *at = (const char *)e->response.headers;
    for (uint32_t i = 0; i < e->response.header_count; i++, at += e->response.header_stride) {
        struct aq_header header;
        memcpy(&header, at, sizeof(header));
        if (header.name.len == strlen(name) &&
            strncasecmp(header.name.ptr, name, header.name.len) == 0 && n-- == 0) {
            return header.value;
        }
    }
    return (struct aq_str){ NULL, 0 };
}

void exchange_expect_well(struct client *c)
{
    for (const struct way *w = scene_next(c->scene, NULL); w; w = scene_next(c->scene, w)) {
        struct exchange e;
        exchange_run(&e, c, w, "/", NULL);
        exchange_expect_text(&e, "ok");
        exchange_finish(&e);
    }
}
