/* SPDX-License-Identifier: Apache-2.0 */
/* The login that the settings ask for, chosen among all that are there. */
#include "client/source.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "client/place.h"

#include <limits.h>

/* ---- none ---- */

/* Where was looked: the databases by name; nothing if the store has none. */
static void add_places(const struct aq_client *client, struct buf *out)
{
    const struct source *source = NULL;
    while ((source = source_next(client, source))) {
        AUTO(place) struct place place = { 0 };
        struct aq_error ignored;
        aq_status st = place_find(client, &client->store_plugin, source->app, &place, &ignored);
        if (st != AQ_OK || place.path.text.len == 0 ||
            str_contains(buf_str(out), place.path.text)) {
            continue;
        }
        buf_add(out, out->len ? AQ_STR(" or ") : AQ_STR(""));
        buf_add(out, place.path.text);
        if (place_is_absent(&place.text)) {
            buf_add(out, AQ_STR(" (no such file)"));
        }
    }
}

static aq_status none_in_store(const struct aq_client *client, struct aq_error *err)
{
    AUTO(buf) struct buf places = BUF(2 * PATH_MAX);
    add_places(client, &places);
    if (buf_status(&places) != AQ_OK) {
        return error_nomem(err, "login");
    }
    const struct plugin *plugin = &client->store_plugin;
    struct aq_str name = place_login(client, plugin);
    const char *option = name.len ? " --login " : "";
    if (places.len == 0) {
        return error_set(err, AQ_E_NOT_LOGGED_IN,
                         "login: none in store '%s', log in %s(q login%s%.*s)", plugin->info.name,
                         plugin->store.lock ? "" : "where it gets its tokens from ", option,
                         AQ_STR_ARG(name));
    }
    return error_set(err, AQ_E_NOT_LOGGED_IN, "login: none in %s, log in (q login%s%.*s)",
                     (const char *)places.ptr, option, AQ_STR_ARG(name));
}

static aq_status not_logged_in(const struct aq_client *client, struct aq_error *err)
{
    const struct source *source = source_next(client, NULL);
    return source_is_borrowed(source) ? error_set(err, AQ_E_NOT_LOGGED_IN, "login: none in %s, %s",
                                                  source->place.ptr, source->sign_in.ptr)
                                      : none_in_store(client, err);
}

/* ---- the best of several ---- */

struct choice {
    struct shelf shelf;         /* of all that are wanted */
    struct source_login best;   /* so far */
    bool found;                 /* there is one */
    struct aq_error problem;    /* the first thing that stood in the way of another */
    bool closed[CLIENT_STORES]; /* not to be waited for again */
};

/* The better of two is the one that expires later; of equals, the one that came first. */
static void choice_take(struct choice *c, struct source_login *candidate)
{
    if (c->found && candidate->token.expires_at_s <= c->best.token.expires_at_s) {
        source_login_done(candidate);
        return;
    }
    source_login_done(&c->best);
    c->best = *candidate;
    c->found = true;
}

/* A row that makes no sense says nothing of the next one in the same store. */
static void choice_note(struct choice *c, enum client_store slot, const struct aq_error *problem)
{
    c->closed[slot] = problem->status != AQ_E_CORRUPT;
    c->problem = c->problem.status ? c->problem : *problem;
}

/* Look at one more source. AQ_OK: go on; else that is the end, AQ_END a good one. */
static aq_status choice_look(struct choice *c, const struct source *source,
                             const struct aq_token_wish *wish, struct aq_error *err)
{
    struct source_login candidate;
    struct store *store;
    enum client_store slot = shelf_slot(&c->shelf, source);
    if (c->closed[slot]) {
        return AQ_OK;
    }
    aq_status st = shelf_store(&c->shelf, source, true, &store, err);
    if (st == AQ_OK) {
        st = source_load(source, store, wish, &candidate, err);
    }
    if (st == AQ_E_NOTFOUND) { /* perhaps there is no such file, and need not be looked for again */
        c->closed[slot] = !store_is_open(&c->shelf.client->stores[slot]);
        return AQ_OK;
    }
    if (st == AQ_OK) {
        choice_take(c, &candidate);
    } else {
        choice_note(c, slot, err);
    }
    bool once = c->shelf.plugin->store.grant; /* not made to do again what it did, or could not */
    return !once ? AQ_OK : st == AQ_OK ? AQ_END : st;
}

/* Problems count only if there is no login at all. */
static aq_status choice_end(struct choice *c, struct source_login *ret, struct aq_error *err)
{
    struct aq_client *client = c->shelf.client;
    if (!c->found) {
        return c->problem.status ? error_copy(err, &c->problem) : not_logged_in(client, err);
    }
    if (c->problem.status) { /* the other login may be the better one */
        log_add(&client->log, LOG_WARN, str_from(c->problem.text));
    }
    *ret = c->best;
    return AQ_OK;
}

aq_status source_find(struct aq_client *client, const struct aq_token_wish *wish,
                      struct source_login *ret, struct aq_error *err)
{
    struct choice choice = { 0 };
    const struct source *source = source_next(client, NULL);
    if (!source) {
        return source_unknown(client, err);
    }
    aq_status st = shelf_find(client, source, &choice.shelf, err);
    for (; st == AQ_OK && source; source = source_next(client, source)) {
        st = choice_look(&choice, source, wish, err);
    }
    return st == AQ_OK || st == AQ_END ? choice_end(&choice, ret, err) : st;
}
