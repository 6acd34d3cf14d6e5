/* SPDX-License-Identifier: Apache-2.0 */
#include "host/store.h"

#include "base/error.h"
#include "base/str.h"

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
    error_clear(err);
    st = host_result(plugin, plugin->store.open(&ret->host.args, &ret->self, err), err);
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
    error_clear(err);
    aq_status st = s->plugin->store.get(s->self, key, &sink, err);
    if (st == AQ_OK && !sink.filled) {
        return error_set(err, AQ_E_PLUGIN, "store '%s': found '%.*s' without a value",
                         s->plugin->info.name, AQ_STR_ARG(key));
    }
    return st == AQ_E_NOTFOUND ? st : host_result(s->plugin, st, err);
}

aq_status store_commit(struct store *s, const struct aq_change *changes, uint32_t count,
                       struct aq_error *err)
{
    error_clear(err);
    return host_result(
        s->plugin, s->plugin->store.commit(s->self, changes, count, sizeof(*changes), err), err);
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
    aq_status st = host_result(s->plugin, s->plugin->store.lock(s->self, err), err);
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
    return host_result(s->plugin, s->plugin->store.can_save(s->self, err), err);
}
