/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "curl_fault.h"
#include "fault.h"
#include "forks.h"
#include "request.h"

/* libcurl wants to be initialised once in a process; it is never undone. */
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void init_curl(void)
{
    if (getauxval(
            AT_SECURE)) { /* libcurl would write session keys to a file of the user's choice */
        unsetenv("SSLKEYLOGFILE");
    }
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Without TLS it is useless, and without its own resolver it would block. */
static bool is_usable(void)
{
    const int needed = CURL_VERSION_SSL | CURL_VERSION_ASYNCHDNS;
    pthread_once(&curl_once, init_curl);
    return curl_ready == CURLE_OK &&
           (curl_version_info(CURLVERSION_NOW)->features & needed) == needed;
}

bool transport_is_forked(const struct transport *transport)
{
    return forks_seen() != transport->forks;
}

static aq_status transport_open(const struct aq_open_args *args, void **ret_self,
                                struct aq_error *err)
{
    if (!is_usable()) {
        return fault_set(err, AQ_E_UNSUPPORTED, "transport-curl",
                         "this libcurl lacks TLS or its own resolver, install another build");
    }
    struct transport *transport = calloc(1, sizeof(*transport));
    if (!transport) {
        return fault_set(err, AQ_E_NOMEM, "transport-curl", "out of memory");
    }
    transport->host = args->host;
    transport->forks = forks_seen();
    transport->next_deadline_us = LOOP_NEVER;
    TAILQ_INIT(&transport->calls);
    TAILQ_INIT(&transport->ready);
    TAILQ_INIT(&transport->resume);
    aq_status st = options_init(&transport->options, args, err);
    if (st == AQ_OK) {
        st = loop_init(&transport->loop, args->host, err);
    }
    if (st != AQ_OK) {
        free(transport);
        return st;
    }
    curl_multi_setopt(transport->loop.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      transport->options.max_connections);
    *ret_self = transport;
    return AQ_OK;
}

/* What is left are calls whose name is still being resolved. */
static void drop_calls(struct transport *transport, bool forked)
{
    struct call *call = TAILQ_FIRST(&transport->calls);
    while (call) {
        struct call *next = TAILQ_NEXT(call, link);
        if (!forked) {
            curl_multi_remove_handle(transport->loop.multi, call->easy);
        }
        call_free(call);
        call = next;
    }
}

static void transport_close(void *self)
{
    struct transport *transport = self;
    if (!transport) {
        return;
    }
    bool forked = transport_is_forked(transport);
    drop_calls(transport, forked);
    if (forked) {
        loop_abandon(&transport->loop);
    } else {
        loop_done(&transport->loop);
    }
    free(transport);
}

static void transport_interest(void *self, struct aq_interest *ret)
{
    const struct transport *transport = self;
    uint64_t deadline_us = transport->loop.timer_us;
    if (transport->next_deadline_us < deadline_us && !TAILQ_EMPTY(&transport->calls)) {
        deadline_us = transport->next_deadline_us;
    }
    *ret = (struct aq_interest){ .fd = transport->loop.epoll_fd, .deadline_us = deadline_us };
}

static void resume_calls(struct transport *transport)
{
    struct call *call = TAILQ_FIRST(&transport->resume);
    while (call) {
        struct call *next = TAILQ_NEXT(call, resume_link);
        call_resume(call);
        call = next;
    }
}

static void complete_calls(struct transport *transport)
{
    int left;
    CURLMsg *message = curl_multi_info_read(transport->loop.multi, &left);
    while (message) {
        struct call *call = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        call_complete(call, code);
        message = curl_multi_info_read(transport->loop.multi, &left);
    }
}

static void expire_calls(struct transport *transport)
{
    uint64_t now_us = transport_now_us(transport);
    if (now_us < transport->next_deadline_us) {
        return;
    }
    uint64_t next_us = LOOP_NEVER;
    struct call *call;
    TAILQ_FOREACH(call, &transport->calls, link)
    {
        uint64_t deadline_us = call_expire(call, now_us);
        next_us = deadline_us < next_us ? deadline_us : next_us;
    }
    transport->next_deadline_us = next_us;
}

static void report_ready(struct transport *transport)
{
    struct call *call = TAILQ_FIRST(&transport->ready);
    while (call) {
        TAILQ_REMOVE(&transport->ready, call, ready_link);
        call->in_ready = false;
        transport->host->ready(transport->host->ctx, call->cookie);
        call = TAILQ_FIRST(&transport->ready);
    }
}

static aq_status fail(struct transport *transport, CURLMcode code, struct aq_error *err)
{
    struct call *call;
    transport->failed = curl_fault_multi(err, code);
    TAILQ_FOREACH(call, &transport->calls, link)
    {
        call_fail(call, err);
    }
    return transport->failed;
}

static aq_status transport_step(void *self, struct aq_error *err)
{
    struct transport *transport = self;
    if (transport_is_forked(transport)) {
        return fault_forked(err, "transport-curl");
    }
    resume_calls(transport);
    CURLMcode code = loop_run(&transport->loop);
    if (code != CURLM_OK) {
        return fail(transport, code, err);
    }
    complete_calls(transport);
    expire_calls(transport);
    report_ready(transport);
    return AQ_OK;
}

static aq_status transport_start(void *self, const struct aq_request *request, void *cookie,
                                 void **ret_call, struct aq_error *err)
{
    struct transport *transport = self;
    struct call *call = NULL;
    if (transport_is_forked(transport)) {
        return fault_forked(err, "transport-curl");
    }
    if (transport->failed != AQ_OK) {
        return fault_set(err, transport->failed, "transport-curl",
                         "failed before, make a new client");
    }
    const struct aq_request known = request_known(request);
    aq_status st = call_start(transport, &known, cookie, &call, err);
    if (st == AQ_OK) {
        *ret_call = call;
    }
    return st;
}

static aq_status transport_response(void *call, struct aq_response *ret, struct aq_error *err)
{
    return call_response(call, ret, err);
}

static aq_status transport_read(void *call, uint8_t *buf, size_t cap, size_t *ret_len,
                                struct aq_error *err)
{
    const struct call *known = call;
    if (transport_is_forked(known->transport)) { /* reading tells the peer that there is room */
        return fault_forked(err, "transport-curl");
    }
    return call_read(call, buf, cap, ret_len, err);
}

static void transport_finish(void *call)
{
    if (call) {
        call_finish(call);
    }
}

static aq_status transport_facts(void *call, struct aq_facts *ret)
{
    return facts_tell(call, ret);
}

const struct aq_transport_ops transport_ops = {
    AQ_TRANSPORT_OPS,
    .open = transport_open,
    .close = transport_close,
    .interest = transport_interest,
    .step = transport_step,
    .start = transport_start,
    .response = transport_response,
    .read = transport_read,
    .finish = transport_finish,
    .facts = transport_facts,
};
