/* SPDX-License-Identifier: Apache-2.0 */
/* An open store: a plugin, its host table and its instance, behind calls that cannot be misused. */
#ifndef AQ_HOST_STORE_H
#define AQ_HOST_STORE_H

#include "host/host_table.h"

struct store {
    const struct plugin *plugin;
    struct host_table host;
    void *self;
    bool locked;
};

/* Open an instance. `values`, count of them, are the core's for settings that the plugin may
 * declare, such as `path`. *ret must be zeroed and must not move; store_close gives everything back
 * either way. */
aq_status store_open(const struct plugin *plugin, const struct settings *settings,
                     const struct host_value *values, uint32_t count, struct log *log,
                     struct store *ret, struct aq_error *err);
void store_close(struct store *s);

/* In a forked child: forget the instance without touching it. */
void store_abandon(struct store *s);

bool store_is_open(const struct store *s);

/* Replace the content of out by the value. */
aq_status store_get(struct store *s, struct aq_str key, struct buf *out, struct aq_error *err);

/* True if the store is a token server: ask it for tokens with store_grant. */
bool store_grants(const struct store *s);

/* As store_get, for a token that meets the wish. AQ_AGAIN: not there yet, call it again. */
aq_status store_grant(struct store *s, struct aq_str key, const struct aq_token_wish *wish,
                      struct buf *out, struct aq_error *err);
aq_status store_commit(struct store *s, const struct aq_change *changes, uint32_t count,
                       struct aq_error *err);

/* Tokens in it can be refreshed, by us or by a token server. If not, somebody else keeps them
 * fresh: others share the store, and it has no lock under which that could be done here. */
bool store_can_refresh(const struct store *s);

/* Why not, with `detail` in brackets: the store's own words about its place and what to do there.
 */
aq_status store_refuse_refresh(struct store *s, aq_status status, const char *detail,
                               struct aq_error *err);

/* A value in it that makes no sense, where others put it: the place in the store's words, `what` is
 * wrong, what to do. */
aq_status store_refuse_value(struct store *s, const char *what, struct aq_error *err);

/* AQ_OK also when the store has no lock and nobody shares it. */
aq_status store_lock(struct store *s, struct aq_error *err);
void store_unlock(struct store *s);

/* AQ_OK also when the store cannot tell. */
aq_status store_can_save(struct store *s, struct aq_error *err);

#endif
