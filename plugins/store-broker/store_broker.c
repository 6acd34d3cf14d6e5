/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-broker: access tokens from a broker on the host ("q broker"), for containers that shall
 * never see a refresh token. A token server in the sense of amazonq/store.h: nothing is kept here.
 */
#include "call.h"
#include "place.h"
#include "reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GET_US = 5 * 1000 * 1000,
    SLICE_US = 200 * 1000,     /* of a grant; a user who interrupts is heard after it */
    GIVEN_UP_US = 1000 * 1000, /* a grant that nobody has asked after for this long */
};

/* The logins there are, and the keys their tokens have. */
static const struct {
    const char *source;
    struct aq_str key;
} logins[] = {
    { "q-cli", AQ_STR_INIT("codewhisperer:odic:token") },
    { "kiro-cli", AQ_STR_INIT("kirocli:odic:token") },
};

enum { LOGIN_COUNT = sizeof(logins) / sizeof(logins[0]) };

/* Grants that go on side by side; their slices together are shorter than GIVEN_UP_US. */
enum { GRANTS = 4 };

/* A wish that is on its way; the request of its call says which. */
struct grant {
    uint64_t asked_us; /* when it was last asked after; 0: it is over */
    struct call call;
};

struct broker {
    const struct aq_host *host;
    struct aq_str socket, runtime_dir;
    struct call call; /* of get and list */
    struct grant grants[GRANTS];
};

static uint64_t now_us(const struct broker *b)
{
    return b->host->now_us(b->host->ctx);
}

static bool is_key(struct aq_str a, struct aq_str b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* The source whose token has this key; NULL if there is none. */
static const char *source_of(struct aq_str key)
{
    for (size_t i = 0; i < LOGIN_COUNT; i++) {
        if (is_key(key, logins[i].key)) {
            return logins[i].source;
        }
    }
    return NULL;
}

/* ---- life ---- */

static aq_status broker_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    const char *values = (const char *)args->values;
    struct aq_setting_value socket, runtime_dir;
    memcpy(&socket, values, sizeof(socket));
    memcpy(&runtime_dir, values + args->value_stride, sizeof(runtime_dir));

    struct broker *b = calloc(1, sizeof(*b));
    if (!b) {
        return fail(err, AQ_E_NOMEM, "out of memory");
    }
    b->host = args->host;
    call_init(&b->call, args->host);
    for (size_t i = 0; i < GRANTS; i++) {
        call_init(&b->grants[i].call, args->host);
    }
    b->socket = socket.text;
    b->runtime_dir = runtime_dir.text;
    *ret_self = b;
    return AQ_OK;
}

static void broker_close(void *self)
{
    struct broker *b = self;
    if (b) {
        call_end(&b->call);
        for (size_t i = 0; i < GRANTS; i++) {
            call_end(&b->grants[i].call);
        }
        free(b);
    }
}

/* ---- asking ---- */

/* One slice of the call that has begun. On AQ_OK line and reply are valid until call_end. */
static aq_status ask(const struct broker *b, struct call *call, uint64_t until_us,
                     struct aq_str *line, struct reply *reply, struct aq_error *err)
{
    struct sockaddr_un where;
    aq_status st = place_find(b->socket, b->runtime_dir, &where, err);
    if (st == AQ_OK) {
        st = call_run(call, &where, until_us, line, err);
    }
    if (st == AQ_OK) {
        st = reply_read(*line, reply, err);
    }
    if (st == AQ_OK && reply->warning.len) {
        char text[sizeof(err->text)];
        size_t len = reply_text(reply->warning, text, sizeof(text));
        b->host->log(b->host->ctx, AQ_LOG_WARN, (struct aq_str){ text, len });
    }
    return st;
}

/* To its end. What the broker says of the login cannot be said by a store that is read. */
static aq_status ask_now(struct broker *b, const char *request, struct aq_str *line,
                         struct reply *reply, struct aq_error *err)
{
    uint64_t until_us = now_us(b) + GET_US;
    call_begin(&b->call, request);
    aq_status st;
    while ((st = ask(b, &b->call, until_us, line, reply, err)) == AQ_AGAIN) {
        if (now_us(b) >= until_us) {
            return fail(err, AQ_E_BUSY, "does not answer, try again");
        }
    }
    if (st == AQ_E_NOT_LOGGED_IN) {
        return err->status = AQ_E_NOTFOUND;
    }
    return st < AQ_E_LIMIT ? (err->status = AQ_E_UNAVAILABLE) : st;
}

static aq_status put(const struct broker *b, void *sink, struct aq_str key, struct aq_str value)
{
    return b->host->put(b->host->ctx, sink, key,
                        (struct aq_bytes){ (const uint8_t *)value.ptr, value.len });
}

/* A reply with a token is what the store's value has to be: unknown members do not matter. */
static aq_status put_token(const struct broker *b, void *sink, struct aq_str key,
                           struct aq_str line, const struct reply *reply, struct aq_error *err)
{
    return reply->access_token.len ? put(b, sink, key, line)
                                   : fail(err, AQ_E_PROTOCOL, "its reply has no token, update it");
}

/* ---- the table ---- */

static aq_status no_such_key(struct aq_error *err)
{
    return fail(err, AQ_E_NOTFOUND, "hands out tokens and nothing else");
}

static aq_status get_token(struct broker *b, const char *source, struct aq_str key, void *sink,
                           struct aq_error *err)
{
    char request[CALL_REQUEST_MAX];
    struct aq_str line;
    struct reply reply;
    (void)snprintf(request, sizeof(request),
                   "{\"v\":1,\"op\":\"token\",\"source\":\"%s\",\"no_refresh\":true,"
                   "\"min_valid_s\":1}\n",
                   source);
    aq_status st = ask_now(b, request, &line, &reply, err);
    if (st == AQ_OK) {
        st = put_token(b, sink, key, line, &reply, err);
    }
    call_end(&b->call);
    return st;
}

/* The profile comes with the token; a registration stays with the broker. */
static aq_status broker_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    const char *source = source_of(key);
    return source ? get_token(self, source, key, sink, err) : no_such_key(err);
}

static aq_status broker_list(void *self, void *sink, struct aq_error *err)
{
    static const char about_login[] =
        "{\"v\":1,\"op\":\"login\",\"no_refresh\":true,\"min_valid_s\":1}\n";
    struct broker *b = self;
    struct aq_str line;
    struct reply reply = { 0 };
    char source[32] = "";
    aq_status st = ask_now(b, about_login, &line, &reply, err);
    if (st == AQ_OK) {
        (void)reply_text(reply.source, source, sizeof(source));
    }
    for (size_t i = 0; i < LOGIN_COUNT && st == AQ_OK; i++) {
        if (strcmp(source, logins[i].source) == 0) {
            st = put(b, sink, logins[i].key, AQ_STR(""));
        }
    }
    call_end(&b->call);
    return st == AQ_E_NOTFOUND ? AQ_OK : st;
}

static bool is_for(const struct grant *g, const char *request)
{
    return g->call.request_len == strlen(request) &&
           memcmp(g->call.request, request, g->call.request_len) == 0;
}

static void end_grant(struct grant *g)
{
    call_end(&g->call);
    g->asked_us = 0;
}

/*
 * The grant of this request, begun if it is not going on; NULL: too many others are. One that was
 * given up is not taken up again: its token would be of another time.
 */
static struct grant *find_grant(struct broker *b, const char *request)
{
    struct grant *free_one = NULL;
    uint64_t now = now_us(b);
    for (size_t i = 0; i < GRANTS; i++) {
        struct grant *g = &b->grants[i];
        if (g->asked_us != 0 && now >= g->asked_us + GIVEN_UP_US) {
            end_grant(g);
        }
        if (g->asked_us != 0 && is_for(g, request)) {
            return g;
        }
        free_one = g->asked_us == 0 ? g : free_one;
    }
    if (free_one) {
        call_begin(&free_one->call, request);
    }
    return free_one;
}

static aq_status broker_grant(void *self, struct aq_str key, const struct aq_token_wish *wish,
                              void *sink, struct aq_error *err)
{
    struct broker *b = self;
    char request[CALL_REQUEST_MAX];
    struct aq_str line;
    struct reply reply;
    const char *source = source_of(key);
    if (!source) {
        return no_such_key(err);
    }
    (void)snprintf(request, sizeof(request),
                   "{\"v\":1,\"op\":\"token\",\"source\":\"%s\",\"min_valid_s\":%lld,"
                   "\"force\":%s,\"no_refresh\":%s}\n",
                   source, (long long)wish->min_valid_s,
                   wish->flags & AQ_WISH_FORCE ? "true" : "false",
                   wish->flags & AQ_WISH_NO_REFRESH ? "true" : "false");
    struct grant *g = find_grant(b, request);
    if (!g) {
        return AQ_AGAIN;
    }
    aq_status st = ask(b, &g->call, now_us(b) + SLICE_US, &line, &reply, err);
    g->asked_us = now_us(b);
    if (st == AQ_OK) {
        st = put_token(b, sink, key, line, &reply, err);
    }
    if (st != AQ_AGAIN) {
        end_grant(g);
    }
    return st;
}

static aq_status read_only(struct aq_error *err)
{
    return fail(err, AQ_E_READONLY,
                "hands tokens out and takes nothing in, sign in and out on the host");
}

static aq_status broker_commit(void *self, const struct aq_change *changes, uint32_t count,
                               uint32_t stride, struct aq_error *err)
{
    (void)self;
    (void)changes;
    (void)count;
    (void)stride;
    return read_only(err);
}

static aq_status broker_can_save(void *self, struct aq_error *err)
{
    (void)self;
    return read_only(err);
}

static const struct aq_setting settings[] = {
    { .key = "socket",
      .env = "Q_BROKER_SOCKET",
      .type = AQ_SETTING_PATH,
      .help = "the broker's socket; else that of the session, or " PLACE_MOUNTED },
    { .key = "runtime_dir",
      .env = "XDG_RUNTIME_DIR",
      .type = AQ_SETTING_PATH,
      .help = "the session's directory, where amazonq-broker/broker.sock is looked for" },
};

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,
    .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = broker_open,
    .close = broker_close,
    .get = broker_get,
    .list = broker_list,
    .commit = broker_commit,
    .can_save = broker_can_save,
    .grant = broker_grant,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    AQ_PLUGIN_SETTINGS(settings),
    .kind = AQ_PLUGIN_STORE,
    .name = "broker",
    .version = "1.0",
    .summary = "access tokens from a broker on the host, over a unix socket",
    .store = &ops,
};
AQ_PLUGIN(plugin)
