/* SPDX-License-Identifier: Apache-2.0 */
/* store-sqlite on a file of a private folder, loaded as the library loads it. */
#ifndef AQ_TESTS_FUZZ_STORE_H
#define AQ_TESTS_FUZZ_STORE_H

#include "base/str.h"
#include "fuzz/folder.h"
#include "plugins/host.h"

#define TOKEN_KEY AQ_STR("codewhisperer:odic:token")

struct store {
    struct plugin_host host;
    const struct aq_store_ops *ops;
    void *self;
};

/* The path of the database. */
static inline const char *store_path(void)
{
    static char path[128];
    if (!path[0]) {
        snprintf(path, sizeof(path), "%s/data.sqlite3", folder_path());
    }
    return path;
}

static inline void store_open(struct store *s)
{
    const struct plugin_setting settings[] = { { "path", store_path() },
                                               { "busy_timeout_ms", "0" },
                                               { NULL, NULL } };
    plugin_host_load(&s->host, "store-sqlite", settings);
    s->ops = s->host.plugin->store;
    PROMISE(s->ops->open(&s->host.args, &s->self, NULL) == AQ_OK);
}

static inline void store_close(struct store *s)
{
    s->ops->close(s->self);
    plugin_host_done(&s->host);
}

/* A failure is one of those a store may have, and says so. */
static inline aq_status store_result(aq_status st, const struct aq_error *err)
{
    if (st != AQ_OK) {
        PROMISE(st == AQ_E_NOTFOUND || st == AQ_E_CHANGED || st == AQ_E_BUSY ||
                st == AQ_E_READONLY || st == AQ_E_DENIED || st == AQ_E_CORRUPT || st == AQ_E_IO ||
                st == AQ_E_UNAVAILABLE || st == AQ_E_INVALID ||
                st == AQ_E_NOMEM); /* what SQLite says of a length that is a lie */
        if (st != AQ_E_NOTFOUND) {
            PROMISE(err->status == st);
            error_text_check(err);
        }
    }
    return st;
}

/* One value; *ret is for plugin_entries_free and NULL unless AQ_OK. */
static inline aq_status store_get(struct store *s, struct aq_str key, struct plugin_entry **ret)
{
    struct aq_error err;
    *ret = NULL;
    aq_status st = store_result(s->ops->get(s->self, key, ret, &err), &err);
    PROMISE((st == AQ_OK) == (*ret != NULL));
    PROMISE(!*ret || !(*ret)->next);
    return st;
}

static inline aq_status store_put(struct store *s, struct aq_str key, struct aq_bytes value)
{
    const struct aq_change change = {
        .key = key, .expect = AQ_EXPECT_ANY, .action = AQ_CHANGE_PUT, .value = value
    };
    struct aq_error err;
    return store_result(s->ops->commit(s->self, &change, 1, sizeof(change), &err), &err);
}

#endif
