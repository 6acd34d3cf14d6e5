/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logout operation. What is there when it begins is what goes: a refresh that comes in between
 * is followed, another login is not touched. Whoever refreshes compares before it saves, so nothing
 * comes back after the commit (save.c).
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "client/copies.h"
#include "client/keep.h"
#include "client/rows.h"
#include "host/spill.h"

#include <amazonq/logout.h>

enum {
    LOCK_POLL_US = 50 * 1000,   /* how often a held lock is tried again */
    LOCK_WAIT_US = 1000 * 1000, /* and for how long; then it goes without */
    ROUNDS = 3,                 /* of removing, when others change what was read */
};

enum logout_state {
    LOGOUT_LOAD,   /* find the login */
    LOGOUT_LOCK,   /* let a refresh come to its end */
    LOGOUT_REMOVE, /* all the rest */
    LOGOUT_WARN,   /* tell that there is another login */
    LOGOUT_TELL,   /* tell that it is done */
    LOGOUT_TOLD,
};

struct logout_op {
    struct aq_op op;
    enum logout_state state;
    uint64_t give_up_us;
    bool locked;
    const struct source *source;
    struct store *store;
    struct rows rows;   /* what was there at first */
    struct token token; /* the one that was removed; zero if it could not be read */
    struct buf profile_arn;
    const struct source *next; /* another login, or NULL */
    struct aq_token view;
};

/* ---- load ---- */

/* Tokens that others put there: the store's own words name the place. */
static aq_status logout_is_elsewhere(struct logout_op *l, struct aq_error *err)
{
    struct aq_error words;
    aq_status st = source_store(l->op.client, source_at(0), false, &l->store, err);
    if (st != AQ_OK) {
        return st;
    }
    return store_can_save(l->store, &words) == AQ_OK
               ? error_set(err, AQ_E_UNSUPPORTED,
                           "store '%s': its tokens are somebody else's, remove them there",
                           l->store->plugin->info.name)
               : error_set(err, AQ_E_UNSUPPORTED,
                           "login: none is kept here, take the token away where it comes from (%s)",
                           words.text);
}

/* Only a store that keeps a login can lose it. */
static aq_status logout_check_store(struct logout_op *l, struct aq_error *err)
{
    const struct plugin *plugin;
    aq_status st = client_store_plugin(l->op.client, &plugin, err);
    if (st != AQ_OK || plugin->store.lock) {
        return st;
    }
    if (plugin->store.grant) {
        return error_set(err, AQ_E_UNSUPPORTED,
                         "store '%s': hands out tokens and no login, log out where that is kept",
                         plugin->info.name);
    }
    return plugin->store.traits & AQ_STORE_SHARED ? logout_is_elsewhere(l, err) : AQ_OK;
}

/* A profile alone is no login. */
static bool logout_finds_login(const struct rows *rows)
{
    return rows->present[ROW_TOKEN] || rows->present[ROW_REGISTRATION];
}

/* What could not be saved is no login yet, and shall not become one by itself. */
static void logout_forget_kept(struct aq_client *client)
{
    const struct source *source;
    for (size_t i = 0; (source = source_at(i)); i++) {
        if (source->takes_login && source_is_wanted(client, source)) {
            keep_forget(client, source);
        }
    }
}

/* No login can be used. Of one that cannot be read, or that somebody has removed one half of,
 * something may be there all the same. */
static aq_status logout_load_rest(struct logout_op *l, struct aq_error *err)
{
    const struct aq_error why = *err;
    const struct source *source;
    for (size_t i = 0; (source = source_at(i)); i++) {
        aq_status st = AQ_E_NOTFOUND;
        if (source_is_wanted(l->op.client, source)) {
            st = source_store(l->op.client, source, true, &l->store, err);
        }
        if (st == AQ_OK) {
            st = rows_read(l->store, source, &l->rows, err);
        }
        if (st == AQ_OK && logout_finds_login(&l->rows)) {
            l->source = source;
            return AQ_OK;
        }
        if (st != AQ_OK && st != AQ_E_NOTFOUND) {
            return st;
        }
    }
    logout_forget_kept(l->op.client);
    return error_copy(err, &why);
}

static aq_status logout_load(struct logout_op *l, struct aq_error *err)
{
    const struct aq_token_wish wish = { .struct_size = sizeof(wish) };
    AUTO(source_login) struct source_login login = { 0 };
    aq_status st = logout_check_store(l, err);
    if (st == AQ_OK) {
        st = source_find(l->op.client, &wish, &login, err);
    }
    if (st == AQ_OK && source_is_borrowed(login.source)) {
        return error_set(err, AQ_E_UNSUPPORTED,
                         login.source->kind == TOKEN_API_KEY
                             ? "login: it is not kept here, unset %s"
                             : "login: another program keeps it in %s, and is the one to remove it",
                         login.source->place.ptr);
    }
    if (st == AQ_OK) {
        l->source = login.source;
        l->store = login.store;
        st = rows_read(l->store, l->source, &l->rows, err);
    } else if (st == AQ_E_NOT_LOGGED_IN || st == AQ_E_CORRUPT) {
        st = logout_load_rest(l, err);
    }
    if (st == AQ_OK && login.source) {
        st = source_profile(&login, &l->profile_arn, NULL, err);
    }
    l->give_up_us = clock_now_us() + LOCK_WAIT_US;
    l->state = LOGOUT_LOCK;
    return st;
}

/* ---- lock ---- */

static void logout_unlock(struct logout_op *l, bool forked)
{
    if (l->locked) {
        l->op.client->refreshing = NULL;
        l->locked = false;
        if (!forked) {
            store_unlock(l->store);
        }
    }
}

/* With the lock nobody saves behind our back. A refresh whose service does not answer is not worth
 * waiting for: what it brings is compared, and dropped. */
static aq_status logout_lock(struct logout_op *l, struct aq_error *err)
{
    uint64_t now_us = clock_now_us();
    aq_status st = l->op.client->refreshing ? AQ_AGAIN : store_lock(l->store, err);
    l->locked = st == AQ_OK;
    if (l->locked) {
        l->op.client->refreshing = &l->op;
    }
    if (st == AQ_AGAIN && now_us < l->give_up_us) {
        op_wake_at(&l->op, now_us + LOCK_POLL_US);
        return AQ_AGAIN;
    }
    op_wake_at(&l->op, CLOCK_NEVER);
    l->state = LOGOUT_REMOVE;
    return st == AQ_AGAIN || st == AQ_E_NOTFOUND ? AQ_OK : st;
}

/* ---- remove ---- */

static bool logout_is_unchanged(const struct logout_op *l, const struct rows *found, enum row row)
{
    return l->rows.present[row] && found->present[row] &&
           str_eq(buf_str(&l->rows.value[row]), buf_str(&found->value[row]));
}

/* A refresh may have replaced the token, or another program's failure removed it. Without a
 * registration a new token can be told from a new login by nobody. */
static bool logout_is_same_login(const struct logout_op *l, const struct rows *found)
{
    if (l->source->registration_key.len == 0) {
        return true;
    }
    if (found->present[ROW_REGISTRATION]) {
        return logout_is_unchanged(l, found, ROW_REGISTRATION) ||
               rows_are_one_login(l->source, &l->rows, found);
    }
    return !found->present[ROW_TOKEN] || logout_is_unchanged(l, found, ROW_TOKEN);
}

/* Of a row that cannot be read nobody has refreshed anything, so there is no more to know of it. */
static aq_status logout_note_token(struct logout_op *l, const struct rows *found,
                                   struct aq_error *err)
{
    token_done(&l->token);
    aq_status st =
        token_parse(l->source->token_key, buf_str(&found->value[ROW_TOKEN]), &l->token, err);
    return st == AQ_E_NOMEM ? st : AQ_OK;
}

/* AQ_AGAIN: it is not what was read any more. */
static aq_status logout_round(struct logout_op *l, struct aq_error *err)
{
    AUTO(rows) struct rows found = { 0 };
    AUTO(rows) struct rows left = { 0 };
    aq_status st = rows_read(l->store, l->source, &found, err);
    if (st != AQ_OK || !logout_finds_login(&found)) {
        return st; /* nothing: somebody else was faster */
    }
    if (!logout_is_same_login(l, &found)) {
        return error_set(err, AQ_E_CHANGED,
                         "login: another one was made meanwhile, nothing was removed; log out "
                         "again if you mean that one");
    }
    st = logout_note_token(l, &found, err);
    if (st != AQ_OK) {
        return st;
    }
    st = copies_remove(l->op.client, l->source, l->store, &found, err);
    if (st == AQ_OK || st == AQ_E_CHANGED) {
        return st == AQ_OK ? AQ_OK : AQ_AGAIN;
    }
    const struct aq_error why = *err; /* but what can be read is what counts */
    return rows_read(l->store, l->source, &left, err) == AQ_OK && !logout_finds_login(&left)
               ? AQ_OK
               : error_copy(err, &why);
}

/* With two programs signed in the other one's login is used now, to somebody's surprise. */
static const struct source *logout_find_next(struct logout_op *l)
{
    const struct aq_token_wish wish = { .struct_size = sizeof(wish) };
    AUTO(source_login) struct source_login login = { 0 };
    struct aq_error ignored;
    return source_find(l->op.client, &wish, &login, &ignored) == AQ_OK ? login.source : NULL;
}

static aq_status logout_remove(struct logout_op *l, struct aq_error *err)
{
    aq_status st = AQ_AGAIN;
    for (int round = 0; round < ROUNDS && st == AQ_AGAIN; round++) {
        st = logout_round(l, err);
    }
    if (st == AQ_AGAIN) {
        st = error_set(err, AQ_E_CHANGED,
                       "login: another program keeps changing it, nothing was removed, try again");
    }
    if (st == AQ_OK) {
        spill_remove(l->source->token_key, l->token.refresh_token);
        keep_forget(l->op.client, l->source);
        l->next = logout_find_next(l);
    }
    logout_unlock(l, false);
    l->state = l->next ? LOGOUT_WARN : LOGOUT_TELL;
    return st;
}

/* ---- tell ---- */

static const struct aq_event *logout_warning(struct logout_op *l, struct aq_error *scratch)
{
    struct aq_event *event = op_event(&l->op, AQ_EVENT_WARNING);
    error_set(scratch, AQ_OK,
              "login: '%.*s' is there, too, and is used from now on; log out of it as well "
              "(--source %.*s) if you are done",
              AQ_STR_ARG(l->next->name), AQ_STR_ARG(l->next->name));
    event->text = str_from(scratch->text);
    l->state = LOGOUT_TELL;
    return event;
}

/* The login as it was, without its secrets. */
static const struct aq_event *logout_event(struct logout_op *l)
{
    struct aq_event *event = op_event(&l->op, AQ_EVENT_LOGGED_OUT);
    source_view(l->op.client, l->source, l->store, &l->token, buf_str(&l->profile_arn), &l->view);
    l->view.access_token = l->view.refresh_token = AQ_STR("");
    event->token = &l->view;
    l->state = LOGOUT_TOLD;
    return event;
}

/* ---- the operation ---- */

static aq_status logout_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    static aq_status (*const steps[])(struct logout_op *, struct aq_error *) = {
        [LOGOUT_LOAD] = logout_load,
        [LOGOUT_LOCK] = logout_lock,
        [LOGOUT_REMOVE] = logout_remove,
    };
    struct logout_op *l = (struct logout_op *)op;
    aq_status st = AQ_OK;
    while (st == AQ_OK && l->state <= LOGOUT_REMOVE) {
        st = steps[l->state](l, err);
    }
    if (st != AQ_OK) {
        return st < 0 ? op_end(op, st, err) : st;
    }
    if (l->state == LOGOUT_TOLD) {
        return AQ_END;
    }
    *ret = l->state == LOGOUT_WARN ? logout_warning(l, &op->error) : logout_event(l);
    return AQ_OK;
}

static void logout_done(struct aq_op *op, bool forked)
{
    struct logout_op *l = (struct logout_op *)op;
    logout_unlock(l, forked);
    rows_done(&l->rows);
    token_done(&l->token);
    buf_done(&l->profile_arn);
}

static const struct op_class logout_class = {
    .may_block = true,
    .next = logout_next,
    .done = logout_done,
    .size = sizeof(struct logout_op),
};

aq_status aq_logout_start(struct aq_client *client, const struct aq_logout_options *options,
                          struct aq_op **ret, struct aq_error *err)
{
    struct aq_logout_options known = AQ_LOGOUT_OPTIONS_INIT;
    aq_status st = client_usable(client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (options && !options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "logout options: struct_size is not set");
    }
    struct aq_op *op = op_new(client, &logout_class, NULL);
    if (!op) {
        return error_nomem(err, "logout operation");
    }
    op_ready(op);
    *ret = op;
    return AQ_OK;
}
