/* SPDX-License-Identifier: Apache-2.0 */
#include "host/transport.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#include <string.h>

enum {
    CALLS_MIN = 8,
    OVERDUE_MAX = 1000,         /* a transport may want a step at once, but not for ever */
    SLOW_STEP_US = 1000 * 1000, /* worth a line in the log: a step never blocks */
    FACT_MAX = 1024,            /* bytes of a text */
    STATUS_MIN = 200,
    STATUS_MAX = 599,
};

/* ---- the calls under way ---- */

/* Consecutive tickets fall on different places, and a larger table keeps them apart. */
static struct transport_call **transport_place(const struct transport *t, uintptr_t ticket)
{
    return &t->calls[ticket % t->call_cap];
}

static struct transport_call *transport_find(const struct transport *t, uintptr_t ticket)
{
    struct transport_call *call = t->call_cap ? *transport_place(t, ticket) : NULL;
    return call && call->ticket == ticket ? call : NULL;
}

static bool transport_make_room(struct transport *t)
{
    struct transport old = *t;
    if (t->call_count < t->call_cap) {
        return true;
    }
    uint32_t cap = old.call_cap ? old.call_cap * 2 : CALLS_MIN;
    struct transport_call **calls = alloc_array(cap, sizeof(struct transport_call *));
    if (!calls) {
        return false;
    }
    t->calls = calls;
    t->call_cap = cap;
    for (uint32_t i = 0; i < old.call_cap; i++) {
        *transport_place(t, old.calls[i]->ticket) = old.calls[i];
    }
    alloc_free(old.calls, old.call_cap * sizeof(*old.calls));
    return true;
}

static void transport_add(struct transport *t, struct transport_call *call)
{
    do {
        t->last_ticket++;
    } while (t->last_ticket == 0 || *transport_place(t, t->last_ticket));
    call->ticket = t->last_ticket;
    *transport_place(t, call->ticket) = call;
    t->call_count++;
}

/* A number in the shape of a pointer: nobody follows it. */
static void *transport_cookie(const struct transport_call *call)
{
    void *cookie;
    memcpy(&cookie, &call->ticket, sizeof(cookie));
    return cookie;
}

static void transport_remove(struct transport_call *call)
{
    *transport_place(call->transport, call->ticket) = NULL;
    call->transport->call_count--;
    *call = (struct transport_call){ 0 };
}

/* ---- the instance ---- */

static void transport_ready(void *ctx, void *cookie)
{
    struct transport *t = ctx;
    struct transport_call *call = transport_find(t, (uintptr_t)cookie);
    if (!t->stepping) {
        host_note(&t->host, "ready was called outside step");
    } else if (!call) {
        host_note(&t->host, "ready was called with the cookie of no call");
    } else if (!call->waiting) {
        host_note(&t->host, "ready was called twice for a call that was not read in between");
    } else {
        call->waiting = false;
        t->overdue = 0;
        t->on_ready(call->owner);
    }
}

aq_status transport_open(const struct plugin *plugin, const struct settings *settings,
                         struct settings_value ca_bundle, struct log *log,
                         void (*on_ready)(void *owner), struct transport *ret, struct aq_error *err)
{
    const struct host_value bundle = { "ca_bundle", ca_bundle };
    void *self = NULL;
    *ret = (struct transport){ .plugin = plugin, .on_ready = on_ready, .fd = -1 };
    aq_status st = host_table_init(&ret->host, plugin, settings, &bundle, 1, log, err);
    if (st != AQ_OK) {
        return st;
    }
    ret->host.on_ready = transport_ready;
    ret->host.ready_ctx = ret;
    error_clear(err);
    st = plugin->transport.open(&ret->host.args, &self, err);
    ret->self = st == AQ_OK ? self : NULL;
    st = host_result(&ret->host, "open", AQ_OK, st, err);
    return st == AQ_OK && !self ? host_breach(&ret->host, err, "open returned no instance") : st;
}

bool transport_is_open(const struct transport *t)
{
    return t->self != NULL;
}

void transport_close(struct transport *t)
{
    if (t->self) {
        t->plugin->transport.close(t->self);
    }
    transport_abandon(t);
}

void transport_abandon(struct transport *t)
{
    alloc_free(t->calls, t->call_cap * sizeof(struct transport_call *));
    host_table_done(&t->host);
    *t = (struct transport){ 0 };
}

/* Every call ends with this error, whatever the plugin still has to say of it. */
static void transport_fail(struct transport *t, const struct aq_error *why)
{
    t->failed = *why;
    t->failed.flags = 0; /* of some calls everything may have been sent */
    for (uint32_t i = 0; i < t->call_cap; i++) {
        if (t->calls[i] && !t->calls[i]->broken) {
            t->calls[i]->broken = true;
            t->on_ready(t->calls[i]->owner);
        }
    }
}

static bool transport_is_awaited(const struct transport *t)
{
    for (uint32_t i = 0; i < t->call_cap; i++) {
        if (t->calls[i] && t->calls[i]->waiting && !t->calls[i]->broken) {
            return true;
        }
    }
    return false;
}

void transport_interest(struct transport *t, struct aq_interest *ret)
{
    struct aq_error err;
    *ret = (struct aq_interest){ .fd = -1, .deadline_us = CLOCK_NEVER };
    error_clear(&err);
    t->plugin->transport.interest(t->self, ret);
    aq_status st = host_result(&t->host, "interest", AQ_OK, AQ_OK, &err);
    if (ret->fd < -1 || (t->fd >= 0 && ret->fd != t->fd)) {
        st = host_breach(&t->host, &err, "interest gave the descriptor %ld after %ld",
                         (long)ret->fd, (long)t->fd);
        ret->fd = t->fd;
    } else if (ret->fd < 0 && ret->deadline_us == CLOCK_NEVER && transport_is_awaited(t)) {
        st = host_breach(&t->host, &err, "interest gave nothing to wait for while a call waits");
    }
    if (st != AQ_OK) {
        transport_fail(t, &err);
    }
    t->fd = ret->fd;
    t->deadline_us = ret->deadline_us;
}

void transport_refuse_fd(struct transport *t)
{
    struct aq_error err;
    host_breach(&t->host, &err, "interest gave the descriptor %ld, which cannot be waited for",
                (long)t->fd);
    t->fd = -1;
    transport_fail(t, &err);
}

aq_status transport_step(struct transport *t, struct aq_error *err)
{
    uint64_t began_us = clock_now_us();
    t->overdue = t->deadline_us <= t->stepped_us ? t->overdue + 1 : 0;
    t->stepped_us = began_us;
    t->stepping = true;
    error_clear(err);
    aq_status st = t->plugin->transport.step(t->self, err);
    t->stepping = false;
    st = host_result(&t->host, "step", AQ_OK, st, err);
    if (st == AQ_OK && t->overdue > OVERDUE_MAX) {
        t->overdue = 0;
        st = host_breach(&t->host, err,
                         "interest gave a deadline that had passed %d times in a row", OVERDUE_MAX);
    }
    if (st != AQ_OK) {
        transport_fail(t, err);
    }
    uint64_t took_us = clock_now_us() - began_us;
    if (took_us >= SLOW_STEP_US) {
        log_printf(t->host.log, LOG_WARN, "transport '%s': step took %llu ms, it must not block",
                   t->plugin->info.name, (unsigned long long)(took_us / 1000));
    }
    return st;
}

/* ---- a call ---- */

aq_status transport_start(struct transport *t, const struct aq_request *request, void *owner,
                          struct transport_call *ret, struct aq_error *err)
{
    void *handle = NULL;
    if (!transport_make_room(t)) {
        return error_nomem(err, "request");
    }
    *ret = (struct transport_call){ .transport = t, .owner = owner, .waiting = true };
    transport_add(t, ret);
    error_clear(err);
    aq_status st =
        t->plugin->transport.start(t->self, request, transport_cookie(ret), &handle, err);
    ret->handle = st == AQ_OK ? handle : NULL;
    st = host_result(&t->host, "start", AQ_OK, st, err);
    if (st == AQ_OK && !handle) {
        st = host_breach(&t->host, err, "start returned no call");
    }
    if (st != AQ_OK) {
        transport_finish(ret);
    }
    return st;
}

/* A plugin that failed knows best what became of each call, one that broke its contract is not
 * asked any more. */
static bool transport_is_lost(const struct transport_call *call)
{
    return call->broken && call->transport->failed.status == AQ_E_PLUGIN;
}

/* After AQ_AGAIN there is something to wait for, unless the instance has failed. */
static aq_status transport_again(struct transport_call *call, struct aq_error *err)
{
    call->waiting = true;
    return call->broken ? error_copy(err, &call->transport->failed) : AQ_AGAIN;
}

/* The head as the plugin describes it; a view that is too long to be true is not followed. */
static const char *transport_head_problem(const struct aq_response *head)
{
    const char *at = (const char *)head->headers;
    size_t left = TRANSPORT_HEADER_BYTES;
    if (head->status < STATUS_MIN || head->status > STATUS_MAX) {
        return "a status that is not 200 to 599";
    }
    if (!head->protocol.ptr && head->protocol.len) {
        return "a length without a text";
    }
    if (head->header_count &&
        (!at || head->header_stride < sizeof(struct aq_header) || head->header_count > left)) {
        return "headers that cannot be read";
    }
    for (uint32_t i = 0; i < head->header_count; i++, at += head->header_stride) {
        struct aq_header header;
        memcpy(&header, at, sizeof(header));
        if ((!header.name.ptr && header.name.len) || (!header.value.ptr && header.value.len)) {
            return "a length without a text";
        }
        if (header.name.len > left || header.value.len > left - header.name.len) {
            return "more header bytes than were allowed";
        }
        left -= header.name.len + header.value.len;
    }
    return NULL;
}

aq_status transport_response(struct transport_call *call, struct aq_response *ret,
                             struct aq_error *err)
{
    struct transport *t = call->transport;
    if (transport_is_lost(call)) {
        return error_copy(err, &t->failed);
    }
    *ret = (struct aq_response){ .struct_size = sizeof(*ret) };
    error_clear(err);
    aq_status st = host_result(&t->host, "response", AQ_AGAIN,
                               t->plugin->transport.response(call->handle, ret, err), err);
    if (st == AQ_AGAIN) {
        return transport_again(call, err);
    }
    const char *problem = st == AQ_OK ? transport_head_problem(ret) : NULL;
    return problem ? host_breach(&t->host, err, "response gave %s", problem) : st;
}

aq_status transport_read(struct transport_call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                         struct aq_error *err)
{
    struct transport *t = call->transport;
    size_t len = 0;
    if (transport_is_lost(call)) {
        return error_copy(err, &t->failed);
    }
    error_clear(err);
    aq_status st = host_result(&t->host, "read", AQ_END,
                               t->plugin->transport.read(call->handle, buf, cap, &len, err), err);
    if (st == AQ_AGAIN) {
        return transport_again(call, err);
    }
    if (st == AQ_OK && (len == 0 || len > cap)) {
        return host_breach(&t->host, err, "read returned %zu bytes of 1 to %zu", len, cap);
    }
    *ret_len = st == AQ_OK ? len : 0;
    return st;
}

/* What it says of its way is believed as far as it can be shown. */
void transport_facts(struct transport_call *call, struct aq_facts *ret)
{
    const struct transport *t = call->transport;
    *ret = (struct aq_facts){ .struct_size = sizeof(*ret) };
    if (!call->handle || transport_is_lost(call) || !t->plugin->transport.facts ||
        t->plugin->transport.facts(call->handle, ret) != AQ_OK) {
        *ret = (struct aq_facts){ .struct_size = sizeof(*ret) };
        return;
    }
    struct aq_str *texts[] = { &ret->address, &ret->proxy,   &ret->trust,
                               &ret->tls,     &ret->subject, &ret->issuer };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!texts[i]->ptr || texts[i]->len > FACT_MAX) {
            *texts[i] = (struct aq_str){ NULL, 0 };
        }
    }
}

bool transport_is_active(const struct transport_call *call)
{
    return call->handle != NULL;
}

struct aq_str transport_header(const struct aq_response *response, struct aq_str name)
{
    const char *at = (const char *)response->headers;
    for (uint32_t i = 0; i < response->header_count; i++, at += response->header_stride) {
        struct aq_header header;
        memcpy(&header, at, sizeof(header));
        if (str_eq_nocase(header.name, name)) {
            return header.value;
        }
    }
    return (struct aq_str){ NULL, 0 };
}

void transport_finish(struct transport_call *call)
{
    if (call->handle) {
        call->transport->plugin->transport.finish(call->handle);
    }
    if (call->transport) {
        transport_remove(call);
    }
}

void transport_forget(struct transport_call *call)
{
    call->handle = NULL;
}
