/* SPDX-License-Identifier: Apache-2.0 */
#include "host/store.h"

#include "base/error.h"
#include "base/str.h"

/* A plugin that fails without saying why still gets a text. */
static aq_status store_result(const struct store *s, aq_status st, struct aq_error *err)
{
    if (st >= 0 || (err->status == st && err->text[0] != '\0')) {
        return st;
    }
    return error_set(err, st, "store '%s': failed without saying why (%s)", s->plugin->info.name,
                     aq_status_name(st));
}

aq_status store_open(const struct plugin *plugin, const struct settings *settings,
                     struct settings_value path, struct log *log, struct store *ret,
                     struct aq_error *err)
{
    const struct host_value database = { "path", path };
    ret->plugin = plugin;
    aq_status st = host_table_init(&ret->host, plugin, settings, &database, 1, log, err);
    if (st != AQ_OK) {
        return st;
    }
    err->text[0] = '\0';
    st = store_result(ret, plugin->store.open(&ret->host.args, &ret->self, err), err);
    if (st == AQ_OK && !ret->self) {
        return error_set(err, AQ_E_PLUGIN, "store '%s': opened without an instance",
                         plugin->info.name);
    }
    return st;
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

aq_status store_get(struct store *s, struct aq_str key, struct buf *out, struct aq_error *err)
{
    struct host_sink sink = { .value = out };
    buf_clear(out);
    err->text[0] = '\0';
    aq_status st = s->plugin->store.get(s->self, key, &sink, err);
    if (st == AQ_OK && !sink.filled) {
        return error_set(err, AQ_E_PLUGIN, "store '%s': found '%.*s' without a value",
                         s->plugin->info.name, AQ_STR_ARG(key));
    }
    return st == AQ_E_NOTFOUND ? st : store_result(s, st, err);
}

aq_status store_commit(struct store *s, const struct aq_change *changes, uint32_t count,
                       struct aq_error *err)
{
    err->text[0] = '\0';
    return store_result(s, s->plugin->store.commit(s->self, changes, count, sizeof(*changes), err),
                        err);
}

aq_status store_lock(struct store *s, struct aq_error *err)
{
    if (s->locked || !s->plugin->store.lock) {
        return AQ_OK;
    }
    err->text[0] = '\0';
    aq_status st = store_result(s, s->plugin->store.lock(s->self, err), err);
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
    err->text[0] = '\0';
    return store_result(s, s->plugin->store.can_save(s->self, err), err);
}
