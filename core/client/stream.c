/* SPDX-License-Identifier: Apache-2.0 */
/* The stream operation: an exchange (all of the protocol) driven by a transport (all of the I/O).
 */
#include "client/stream.h"

#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "client/feed.h"
#include "wire/endpoint.h"

#include <errno.h>
#include <sys/random.h>

struct stream_op {
    struct aq_op op;
    struct aq_exchange *exchange;
    struct feed feed;
    bool has_head;       /* of the response to the current attempt */
    bool wants_token;    /* AQ_EVENT_NEED_TOKEN was reported and not answered */
    uint32_t timeout_ms; /* api.timeout; 0: not set */
    struct accepted_key login;
};

/* ---- the request ---- */

static aq_status stream_send(struct stream_op *s, struct aq_error *err)
{
    struct aq_request request;
    aq_status st = feed_request(s->exchange, &request, err);
    if (st != AQ_OK) {
        return st;
    }
    request.first_byte_timeout_ms = request.idle_timeout_ms = s->timeout_ms;
    s->has_head = false;
    return client_send(&s->op, &request, &s->feed.call, err);
}

/* ---- the answer ---- */

static aq_status stream_head(struct stream_op *s, struct aq_error *err)
{
    struct aq_response response;
    aq_status st = transport_response(&s->feed.call, &response, err);
    if (st == AQ_OK) {
        s->has_head = true;
        st = aq_exchange_response(s->exchange, response.status,
                                  (const struct aq_exchange_header *)(const void *)response.headers,
                                  response.header_count, response.header_stride, err);
    }
    return st;
}

/* The next piece of the answer, from the transport into the exchange. */
static aq_status stream_pull(struct stream_op *s, struct aq_error *err)
{
    aq_status st = s->has_head ? AQ_OK : stream_head(s, err);
    if (st == AQ_OK) {
        return feed_pull(&s->feed, s->exchange, err);
    }
    return st == AQ_AGAIN ? AQ_AGAIN : feed_break(&s->feed, s->exchange, err);
}

/* ---- the operation ---- */

/* Which site takes this login; the usual one is not worth a line. */
static void stream_remember(struct aq_client *client, const struct accepted_key *login,
                            struct aq_str site)
{
    bool usual = str_eq(site, endpoint_site_name(0));
    accepted_set(&client->accepted, login, usual ? AQ_STR("") : site);
}

/* It is refused everywhere: what is remembered of it, if anything, is no more true. */
static void stream_forget(struct stream_op *s, aq_status st)
{
    if (st == AQ_E_AUTH || st == AQ_E_ACCESS) {
        stream_remember(s->op.client, &s->login, AQ_STR(""));
    }
}

static void stream_look_at(struct stream_op *s, const struct aq_event *event)
{
    s->wants_token = event->type == AQ_EVENT_NEED_TOKEN;
    if (s->wants_token || event->type == AQ_EVENT_RETRY) {
        transport_finish(&s->feed.call); /* whatever it would still have said */
    }
    if (event->type == AQ_EVENT_RESPONSE && event->name.len) {
        stream_remember(s->op.client, &s->login, event->name);
    }
}

static aq_status stream_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    struct stream_op *s = (struct stream_op *)op;
    const struct aq_event *event;
    for (;;) {
        aq_status st = aq_exchange_next(s->exchange, clock_now_us(), &event, err);
        if (st == AQ_OK && event->type != AQ_EVENT_SEND) {
            stream_look_at(s, event);
            *ret = event;
            return AQ_OK;
        }
        if (st == AQ_OK) {
            st = stream_send(s, err);
            if (st != AQ_OK) {
                st = feed_break(&s->feed, s->exchange, err);
            }
        } else if (st == AQ_AGAIN) {
            st = transport_is_active(&s->feed.call) ? stream_pull(s, err) : AQ_AGAIN;
        } else { /* over: nothing more is wanted of the connection */
            transport_finish(&s->feed.call);
        }
        if (st == AQ_AGAIN) {
            op_wake_at(op, aq_exchange_deadline(s->exchange));
            return AQ_AGAIN;
        }
        if (st != AQ_OK) {
            stream_forget(s, st);
            return op_end(op, st, err);
        }
    }
}

static aq_status stream_give_token(struct aq_op *op, struct aq_str token, struct aq_error *err)
{
    struct stream_op *s = (struct stream_op *)op;
    aq_status st = aq_exchange_give_token(s->exchange, token, err);
    s->wants_token = s->wants_token && st != AQ_OK;
    return st;
}

static bool stream_wants_token(const struct aq_op *op)
{
    return ((const struct stream_op *)op)->wants_token;
}

static void stream_done(struct aq_op *op, bool forked)
{
    struct stream_op *s = (struct stream_op *)op;
    feed_done(&s->feed, forked);
    aq_exchange_free(s->exchange);
}

static const struct op_class stream_class = {
    .next = stream_next,
    .give_token = stream_give_token,
    .wants_token = stream_wants_token,
    .done = stream_done,
    .size = sizeof(struct stream_op),
};

/* ---- starting one ---- */

/* Endpoint, opt-out and profile rules that come from the user's settings. */
static void stream_apply_settings(const struct aq_client *client, struct aq_exchange_options *x)
{
    struct aq_str service;
    struct settings_value named = settings_get(&client->settings, SETTINGS_ENDPOINT);
    struct aq_str share = settings_get(&client->settings, SETTINGS_SHARE_CONTENT).text;
    x->user_agent = x->user_agent.len ? x->user_agent : buf_str(&client->user_agent);
    x->endpoint = x->endpoint.len ? x->endpoint : named.text;
    if (settings_has_service(&client->settings, &service)) {
        x->flags |= AQ_EXCHANGE_NO_PROFILE;
        if (x->endpoint.len == 0) {
            x->endpoint = service;
            x->region = client->settings.service_region;
        }
    }
    if (x->endpoint.len) {
        x->flags |= AQ_EXCHANGE_ENDPOINT_NAMED; /* by flag, environment or the user's own file */
    }
    if (str_eq(share, AQ_STR("false"))) {
        x->flags |= AQ_EXCHANGE_OPT_OUT;
    }
}

/* It is there, so no profile is sent; but it names no endpoint either. */
static void stream_tell_odd_service(struct aq_client *client)
{
    struct aq_str service;
    if (settings_has_service(&client->settings, &service) && service.len == 0 &&
        client_tell_once(client, CLIENT_SERVICE_SETTING)) {
        log_printf(&client->log, LOG_WARN,
                   "setting 'api.codewhisperer.service': is no object with the texts endpoint and "
                   "region, so it names no endpoint, and no profile is sent all the same; correct "
                   "it, or run: q settings --delete api.codewhisperer.service");
    }
}

/* x has its size set. */
static aq_status stream_exchange(struct aq_client *client, const struct accepted_key *login,
                                 struct aq_exchange_options *x, struct aq_exchange **ret,
                                 struct aq_error *err)
{
    if (getrandom(x->seed, sizeof(x->seed), 0) != (ssize_t)sizeof(x->seed)) {
        return error_sys(err, AQ_E_IO, errno, "request: no random numbers");
    }
    stream_tell_odd_service(client);
    stream_apply_settings(client, x);
    x->time_s = x->time_s ? x->time_s : clock_wall_s();
    if (x->endpoint.len == 0 && x->site.len == 0) {
        x->site = accepted_find(&client->accepted, login);
    }
    return aq_exchange_new(x, ret, err);
}

/* All that is known of a login where there is a token and nothing else. */
static struct accepted_key stream_key(struct aq_str profile_arn)
{
    return accepted_key(AQ_STR(""), AQ_STR(""), profile_arn);
}

aq_status aq_exchange_new_for(struct aq_client *client, const struct aq_exchange_options *options,
                              struct aq_exchange **ret, struct aq_error *err)
{
    struct aq_exchange_options known = { 0 };
    aq_status st = client_usable(client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (!options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "exchange: options are incomplete, set struct_size");
    }
    struct aq_stream_options request;
    st = known.request ? stream_options(known.request, &request, err) : AQ_OK;
    if (st != AQ_OK) {
        return st;
    }
    struct accepted_key login = stream_key(known.request ? request.profile_arn : AQ_STR(""));
    known.struct_size = sizeof(known);
    return stream_exchange(client, &login, &known, ret, err);
}

aq_status aq_exchange_remember(struct aq_client *client, struct aq_str profile_arn,
                               struct aq_str site, struct aq_error *err)
{
    aq_status st = client_usable(client, err);
    if (st == AQ_OK) {
        const struct accepted_key login = stream_key(profile_arn);
        stream_remember(client, &login, site);
    }
    return st;
}

static aq_status stream_init(struct stream_op *s, const struct aq_stream_options *options,
                             const struct aq_token *login, struct aq_str region,
                             struct aq_error *err)
{
    struct aq_exchange_options x = { .struct_size = sizeof(x),
                                     .request = options,
                                     .region = region };
    s->feed.client = s->op.client;
    int64_t timeout_ms = 0;
    str_to_i64(settings_get(&s->op.client->settings, SETTINGS_API_TIMEOUT).text, &timeout_ms);
    s->timeout_ms = (uint32_t)timeout_ms; /* the settings took no other */
    s->login = login ? accepted_key(login->source, login->start_url, options->profile_arn)
                     : stream_key(options->profile_arn);
    return stream_exchange(s->op.client, &s->login, &x, &s->exchange, err);
}

aq_status stream_check(const struct aq_client *client, const struct aq_stream_options *options,
                       struct aq_error *err)
{
    struct aq_stream_options any = *options;
    struct aq_exchange_options x = { .struct_size = sizeof(x), .request = &any };
    struct aq_exchange *exchange = NULL;
    any.access_token = AQ_STR("any");
    any.access_key = NULL;
    stream_apply_settings(client, &x);
    aq_status st = aq_exchange_new(&x, &exchange, err);
    aq_exchange_free(exchange);
    return st;
}

aq_status stream_options(const struct aq_stream_options *options, struct aq_stream_options *ret,
                         struct aq_error *err)
{
    *ret = (struct aq_stream_options)AQ_STREAM_OPTIONS_INIT;
    if (!options_copy(ret, sizeof(*ret), options)) {
        return error_set(err, AQ_E_INVALID, "stream options: struct_size is not set");
    }
    ret->struct_size = sizeof(*ret);
    return AQ_OK;
}

bool stream_endpoint_is_named(const struct aq_client *client)
{
    struct aq_exchange_options x = { 0 };
    stream_apply_settings(client, &x);
    return x.endpoint.len > 0;
}

aq_status stream_start(struct aq_client *client, const struct aq_stream_options *options,
                       const struct aq_token *login, struct aq_str region, struct aq_op *parent,
                       struct aq_op **ret, struct aq_error *err)
{
    struct stream_op *s = (struct stream_op *)op_new(client, &stream_class, parent);
    if (!s) {
        return error_nomem(err, "stream operation");
    }
    aq_status st = stream_init(s, options, login, region, err);
    if (st != AQ_OK) {
        op_destroy(&s->op, false);
        return st;
    }
    *ret = &s->op;
    return AQ_OK;
}

aq_status aq_stream_start(struct aq_client *client, const struct aq_stream_options *options,
                          struct aq_op **ret, struct aq_error *err)
{
    struct aq_stream_options known;
    aq_status st = client_usable(client, err);
    if (st == AQ_OK) {
        st = stream_options(options, &known, err);
    }
    if (st == AQ_OK) {
        st = stream_start(client, &known, NULL, AQ_STR(""), NULL, ret, err);
    }
    if (st == AQ_OK) {
        op_ready(*ret);
    }
    return st;
}
