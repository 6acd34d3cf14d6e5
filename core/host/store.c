/* SPDX-License-Identifier: Apache-2.0 */
#include "host/store.h"

#include "base/error.h"
#include "base/str.h"

#include <string.h>

aq_status store_open(const struct plugin *plugin, const struct settings *settings,
                     const struct host_value *values, uint32_t count, struct log *log,
                     struct store *ret, struct aq_error *err)
{
    ret->plugin = plugin;
    aq_status st = host_table_init(&ret->host, plugin, settings, values, count, log, err);
    if (st != AQ_OK) {
        return st;
    }
    void *self = NULL;
    error_clear(err);
    st = plugin->store.open(&ret->host.args, &self, err);
    ret->self = st == AQ_OK ? self : NULL;
    st = host_result(&ret->host, "open", AQ_OK, st, err);
    return st == AQ_OK && !self ? host_breach(&ret->host, err, "open returned no instance") : st;
}

bool store_is_open(const struct store *s)
{
    return s->self != NULL;
}

void store_close(struct store *s)
{
    if (s->self) {
        store_unlock(s);
        s->plugin->store.close(s->self);
    }
    store_abandon(s);
}

void store_abandon(struct store *s)
{
    host_table_done(&s->host);
    *s = (struct store){ 0 };
}

/* get and grant: one value, or why there is none. wish is NULL for get. */
static aq_status store_fetch(struct store *s, struct aq_str key, const struct aq_token_wish *wish,
                             struct buf *out, struct aq_error *err)
{
    const struct aq_store_ops *ops = &s->plugin->store;
    struct host_sink sink = { .key = key, .value = out };
    buf_clear(out);
    error_clear(err);
    s->host.sink = &sink;
    aq_status st =
        wish ? ops->grant(s->self, key, wish, &sink, err) : ops->get(s->self, key, &sink, err);
    s->host.sink = NULL;
    if (st != AQ_E_NOTFOUND || s->host.breach) { /* that one needs no text */
        st = wish ? host_result_grant(&s->host, st, err)
                  : host_result(&s->host, "get", AQ_OK, st, err);
    }
    if (st == AQ_OK && !sink.filled) {
        return host_breach(&s->host, err, "%s returned '%.*s' without a value",
                           wish ? "grant" : "get", AQ_STR_ARG(key));
    }
    if (buf_status(out) != AQ_OK && st != AQ_E_PLUGIN) { /* whatever the plugin made of it */
        st = buf_status(out) == AQ_E_NOMEM
                 ? error_nomem(err, "value")
                 : error_set(err, AQ_E_LIMIT, "store '%s': the value of '%.*s' is too long",
                             s->plugin->info.name, AQ_STR_ARG(key));
    }
    if (st != AQ_OK) {
        buf_clear(out);
    }
    return st;
}

aq_status store_get(struct store *s, struct aq_str key, struct buf *out, struct aq_error *err)
{
    return store_fetch(s, key, NULL, out, err);
}

bool store_grants(const struct store *s)
{
    return s->plugin->store.grant != NULL;
}

aq_status store_grant(struct store *s, struct aq_str key, const struct aq_token_wish *wish,
                      struct buf *out, struct aq_error *err)
{
    return store_fetch(s, key, wish, out, err);
}

aq_status store_commit(struct store *s, const struct aq_change *changes, uint32_t count,
                       struct aq_error *err)
{
    error_clear(err);
    return host_result(&s->host, "commit", AQ_OK,
                       s->plugin->store.commit(s->self, changes, count, sizeof(*changes), err),
                       err);
}

bool store_can_refresh(const struct store *s)
{
    return s->plugin->store.lock || s->plugin->store.grant ||
           !(s->plugin->store.traits & AQ_STORE_SHARED);
}

aq_status store_refuse_refresh(struct store *s, aq_status status, const char *detail,
                               struct aq_error *err)
{
    struct aq_error why;
    if (store_can_save(s, &why) == AQ_OK) {
        error_set(&why, status, "store '%s': nothing here can renew it, put a new token there",
                  s->plugin->info.name);
    }
    return error_set(err, status, "%s (%s)", why.text, detail);
}

aq_status store_refuse_value(struct store *s, const char *what, struct aq_error *err)
{
    struct aq_error words; /* "object: ..." */
    if (store_can_save(s, &words) == AQ_OK) {
        return error_set(err, AQ_E_CORRUPT, "store '%s': %s, put a new token there",
                         s->plugin->info.name, what);
    }
    const char *end = strstr(words.text, ": ");
    return error_set(err, AQ_E_CORRUPT, "%.*s: %s, put a new token there",
                     end ? (int)(end - words.text) : (int)strlen(words.text), words.text, what);
}

aq_status store_lock(struct store *s, struct aq_error *err)
{
    if (s->locked) {
        return AQ_OK;
    }
    if (!s->plugin->store.lock) {
        return s->plugin->store.traits & AQ_STORE_SHARED
                   ? error_set(err, AQ_E_UNSUPPORTED,
                               "store '%s': others share it and it has no lock",
                               s->plugin->info.name)
                   : AQ_OK;
    }
    error_clear(err);
    aq_status st =
        host_result(&s->host, "lock", AQ_AGAIN, s->plugin->store.lock(s->self, err), err);
    s->locked = st == AQ_OK;
    return st;
}

void store_unlock(struct store *s)
{
    if (s->locked) {
        s->plugin->store.unlock(s->self);
        s->locked = false;
    }
}

aq_status store_can_save(struct store *s, struct aq_error *err)
{
    if (!s->plugin->store.can_save) {
        return AQ_OK;
    }
    error_clear(err);
    return host_result(&s->host, "can_save", AQ_OK, s->plugin->store.can_save(s->self, err), err);
}
