/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The migrate operation. Its order is what keeps a login: lock both stores, read, compare, commit,
 * read back, and remove at the very end what is proved to be elsewhere.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "client/copies.h"

#include <amazonq/migrate.h>

enum {
    LOCK_POLL_US = 50 * 1000,        /* how often a held lock is tried again */
    LOCK_WAIT_US = 30 * 1000 * 1000, /* and for how long */
    ROUNDS = 3,                      /* of copying, when others change what was read */
    SAME_PLACE = 3,                  /* as often the locks seem to be one */
};

/* A store and its lock. */
struct side {
    struct aq_client *client;
    struct store *store;
    bool locked;
};

enum migrate_state {
    MIGRATE_LOAD, /* find the login and the other store */
    MIGRATE_LOCK, /* become the only one who changes either */
    MIGRATE_COPY, /* all the rest */
    MIGRATE_WARN, /* tell that it is in both stores now */
    MIGRATE_TELL, /* tell that it is done */
    MIGRATE_TOLD,
};

struct migrate_op {
    struct aq_op op;
    struct aq_migrate_options options;
    enum migrate_state state;
    uint64_t give_up_us;
    int one_lock; /* how often the second lock could be had as soon as the first was let go */
    struct side from, to;
    struct source_login login; /* as `from` has it */
    struct rows rows;          /* the same, byte for byte */
    struct buf profile_arn;
    struct aq_token view;
};

/* ---- load ---- */

static const char *side_name(const struct side *side)
{
    return side->store->plugin->info.name;
}

/* A token server has tokens for us, but keeps the login. */
static aq_status migrate_check_source(struct migrate_op *m, struct aq_error *err)
{
    const struct plugin *plugin;
    aq_status st = client_store_plugin(m->from.client, &plugin, err);
    return st == AQ_OK && plugin->store.grant
               ? error_set(err, AQ_E_UNSUPPORTED,
                           "store '%s': hands out tokens and no login, move that where it is kept",
                           plugin->info.name)
               : st;
}

/* What others put there, what they hand out, and what ends with this process is no place for a
 * login. */
static aq_status migrate_check_target(struct migrate_op *m, struct aq_error *err)
{
    const struct plugin *plugin;
    aq_status st = client_store_plugin(m->to.client, &plugin, err);
    const char *why = NULL;
    if (st != AQ_OK) {
        return st;
    }
    if (plugin->store.grant) {
        why = "hands out tokens and takes no login, move it to the store that its server uses";
    } else if ((plugin->store.traits & AQ_STORE_SHARED) && !plugin->store.lock) {
        why = "takes no login, name another one (--to)";
    } else if (!(plugin->store.traits & AQ_STORE_PERSISTENT)) {
        why = "forgets a login when the program ends, name another one (--to)";
    }
    return why ? error_set(err, AQ_E_UNSUPPORTED, "store '%s': %s", plugin->info.name, why) : AQ_OK;
}

static aq_status migrate_load(struct migrate_op *m, struct aq_error *err)
{
    const struct aq_token_wish wish = { .struct_size = sizeof(wish) };
    aq_status st = migrate_check_source(m, err);
    if (st == AQ_OK) {
        st = migrate_check_target(m, err);
    }
    if (st == AQ_OK) {
        st = source_find(m->from.client, &wish, &m->login, err);
    }
    if (st == AQ_OK && source_is_borrowed(m->login.source)) {
        st = error_set(err, AQ_E_UNSUPPORTED,
                       "login: another program keeps it in %s and refreshes it there, sign in to "
                       "have one of your own",
                       m->login.source->place.ptr);
    }
    if (st == AQ_OK) {
        m->from.store = m->login.store;
        st = source_store(m->to.client, m->login.source, false, &m->to.store, err);
    }
    m->give_up_us = clock_now_us() + LOCK_WAIT_US;
    m->state = MIGRATE_LOCK;
    return st;
}

/* ---- lock ---- */

static void side_unlock(struct side *side, bool forked)
{
    if (side->locked) {
        side->client->refreshing = NULL;
        side->locked = false;
        if (!forked) {
            store_unlock(side->store);
        }
    }
}

static aq_status side_lock(struct side *side, struct aq_op *op, struct aq_error *err)
{
    if (side->locked || side->client->refreshing) {
        return side->locked ? AQ_OK : AQ_AGAIN;
    }
    aq_status st = store_lock(side->store, err);
    side->locked = st == AQ_OK;
    if (side->locked) {
        side->client->refreshing = op; /* its other operations wait, too */
    }
    return st;
}

/* Where nothing can be locked nothing will be refreshed, so what is read there stays true. */
static bool migrate_can_do_without(const struct migrate_op *m, aq_status st)
{
    return st == AQ_E_UNSUPPORTED || st == AQ_E_READONLY || st == AQ_E_DENIED
               ? !(m->options.flags & AQ_MIGRATE_PURGE)
               : false;
}

/* Both or none: two migrations in opposite directions must not wait for each other. */
static aq_status migrate_wait(struct migrate_op *m, struct aq_error *err)
{
    uint64_t now_us = clock_now_us();
    side_unlock(&m->from, false);
    side_unlock(&m->to, false);
    if (now_us >= m->give_up_us) {
        return error_set(err, AQ_E_BUSY,
                         "login: store '%s' or '%s' is locked by somebody who refreshes and does "
                         "not come to an end, try again",
                         side_name(&m->from), side_name(&m->to));
    }
    op_wake_at(&m->op, now_us + LOCK_POLL_US);
    return AQ_AGAIN;
}

/* The second lock is held: by somebody, or by ourselves, if both stores are the same place. Then it
 * is free as soon as we let go of the first. */
static aq_status migrate_is_locked(struct migrate_op *m, struct aq_error *err)
{
    side_unlock(&m->from, false);
    m->one_lock += side_lock(&m->to, &m->op, err) == AQ_OK;
    return m->one_lock < SAME_PLACE
               ? migrate_wait(m, err)
               : error_set(err, AQ_E_INVALID,
                           "login: stores '%s' and '%s' are the same place, name another one",
                           side_name(&m->from), side_name(&m->to));
}

static aq_status migrate_lock(struct migrate_op *m, struct aq_error *err)
{
    aq_status st = side_lock(&m->from, &m->op, err);
    if (st == AQ_AGAIN) {
        return migrate_wait(m, err);
    }
    if (st == AQ_OK || migrate_can_do_without(m, st)) {
        st = side_lock(&m->to, &m->op, err);
        st = st == AQ_E_NOTFOUND ? AQ_OK : st; /* it is made by the first commit */
    }
    if (st == AQ_AGAIN) {
        return migrate_is_locked(m, err);
    }
    op_wake_at(&m->op, CLOCK_NEVER);
    m->state = MIGRATE_COPY;
    return st;
}

/* ---- copy ---- */

/* Nothing may be lost by putting ours in the place of what was found. */
static aq_status migrate_check_found(const struct migrate_op *m, const struct rows *found,
                                     struct aq_error *err)
{
    AUTO(token) struct token token = { 0 };
    if (!found->present[ROW_TOKEN] || (m->options.flags & AQ_MIGRATE_REPLACE)) {
        return AQ_OK;
    }
    aq_status st =
        token_parse(m->login.source->token_key, buf_str(&found->value[ROW_TOKEN]), &token, err);
    if (st != AQ_OK) {
        return st == AQ_E_NOTFOUND ? AQ_OK : st;
    }
    if (!rows_are_one_login(m->login.source, &m->rows, found)) {
        return error_set(err, AQ_E_CHANGED,
                         "login: store '%s' holds another one, valid until %.*s; nothing was "
                         "changed, allow it to be replaced (--replace) or log out there",
                         side_name(&m->to), AQ_STR_ARG(token.expires_at));
    }
    return token.expires_at_s <= m->login.token.expires_at_s
               ? AQ_OK
               : error_set(err, AQ_E_CHANGED,
                           "login: store '%s' holds a newer state of it, valid until %.*s; nothing "
                           "was changed, allow it to be replaced (--replace) or keep that one",
                           side_name(&m->to), AQ_STR_ARG(token.expires_at));
}

/* Whatever a commit has said: what can be read is what counts. */
static aq_status migrate_verify(struct migrate_op *m, struct aq_error *err)
{
    AUTO(rows) struct rows found = { 0 };
    aq_status st = rows_read(m->to.store, m->login.source, &found, err);
    if (st != AQ_OK) {
        return st;
    }
    return rows_equal(&found, &m->rows)
               ? AQ_OK
               : error_set(err, AQ_E_CHANGED,
                           "login: store '%s' does not hold what was copied to it, nothing was "
                           "removed, try again",
                           side_name(&m->to));
}

/* Put the rows into the other store, unless they are there. */
static aq_status migrate_put(struct migrate_op *m, struct aq_error *err)
{
    AUTO(rows) struct rows found = { 0 };
    struct aq_error why;
    aq_status st = rows_read(m->to.store, m->login.source, &found, err);
    if (st != AQ_OK || rows_equal(&found, &m->rows)) {
        return st;
    }
    st = migrate_check_found(m, &found, err);
    if (st == AQ_OK) {
        st = store_can_save(m->to.store, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    st = rows_replace(m->to.store, m->login.source, &found, &m->rows, &why);
    if (migrate_verify(m, err) == AQ_OK) {
        return AQ_OK;
    }
    return st == AQ_OK ? err->status : st == AQ_E_CHANGED ? AQ_AGAIN : error_copy(err, &why);
}

/* What is proved to be elsewhere may go. AQ_AGAIN: it is not what was copied any more. */
static aq_status migrate_purge(struct migrate_op *m, struct aq_error *err)
{
    aq_status st = store_can_save(m->from.store, err);
    if (st == AQ_OK) {
        st = copies_remove(m->from.client, m->login.source, m->from.store, &m->rows, err);
    }
    return st == AQ_E_CHANGED ? AQ_AGAIN : st;
}

/* Read it again, now that nobody of us changes it. AQ_AGAIN: another program just has. */
static aq_status migrate_read(struct migrate_op *m, struct aq_error *err)
{
    bool changed;
    aq_status st = source_reload(&m->login, &changed, err);
    if (st == AQ_E_NOTFOUND) {
        return error_set(err, AQ_E_NOT_LOGGED_IN,
                         "login: was removed while it was being migrated, sign in again");
    }
    if (st == AQ_OK) {
        st = rows_read(m->from.store, m->login.source, &m->rows, err);
    }
    if (st == AQ_OK) {
        buf_clear(&m->profile_arn);
        st = source_profile(&m->login, &m->profile_arn, NULL, err);
    }
    return st == AQ_OK && !str_eq(buf_str(&m->rows.value[ROW_TOKEN]), buf_str(&m->login.json))
               ? AQ_AGAIN
               : st;
}

static aq_status migrate_round(struct migrate_op *m, struct aq_error *err)
{
    aq_status st = migrate_read(m, err);
    if (st == AQ_OK) {
        st = migrate_put(m, err);
    }
    if (st == AQ_OK && (m->options.flags & AQ_MIGRATE_PURGE)) {
        st = migrate_purge(m, err);
    }
    return st;
}

static aq_status migrate_copy(struct migrate_op *m, struct aq_error *err)
{
    aq_status st = AQ_AGAIN;
    for (int round = 0; round < ROUNDS && st == AQ_AGAIN; round++) {
        st = migrate_round(m, err);
    }
    side_unlock(&m->from, false);
    side_unlock(&m->to, false);
    if (st == AQ_AGAIN) {
        return error_set(
            err, AQ_E_CHANGED,
            "login: another program keeps changing it, nothing was removed, try again");
    }
    bool is_in_both = !(m->options.flags & AQ_MIGRATE_PURGE) && m->login.token.refresh_token.len;
    m->state = is_in_both ? MIGRATE_WARN : MIGRATE_TELL;
    return st;
}

/* ---- tell ---- */

static const struct aq_event *migrate_warning(struct migrate_op *m, struct aq_error *scratch)
{
    struct aq_event *event = op_event(&m->op, AQ_EVENT_WARNING);
    error_set(
        scratch, AQ_OK,
        "login: is in both stores now, and the first refresh in one of them may end it in the "
        "other; use one, and remove it from '%s' (--purge)",
        side_name(&m->from));
    event->text = str_from(scratch->text);
    m->state = MIGRATE_TELL;
    return event;
}

static const struct aq_event *migrate_event(struct migrate_op *m)
{
    struct aq_event *event = op_event(&m->op, AQ_EVENT_MIGRATED);
    source_view(m->to.client, m->login.source, m->to.store, &m->login.token,
                buf_str(&m->profile_arn), &m->view);
    event->token = &m->view;
    event->name = str_from(side_name(&m->from));
    m->state = MIGRATE_TOLD;
    return event;
}

/* ---- the operation ---- */

static aq_status migrate_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    static aq_status (*const steps[])(struct migrate_op *, struct aq_error *) = {
        [MIGRATE_LOAD] = migrate_load,
        [MIGRATE_LOCK] = migrate_lock,
        [MIGRATE_COPY] = migrate_copy,
    };
    struct migrate_op *m = (struct migrate_op *)op;
    aq_status st = client_check(m->to.client, err);
    while (st == AQ_OK && m->state <= MIGRATE_COPY) {
        st = steps[m->state](m, err);
    }
    if (st != AQ_OK) {
        return st < 0 ? op_end(op, st, err) : st;
    }
    if (m->state == MIGRATE_TOLD) {
        return AQ_END;
    }
    *ret = m->state == MIGRATE_WARN ? migrate_warning(m, &op->error) : migrate_event(m);
    return AQ_OK;
}

static void migrate_done(struct aq_op *op, bool forked)
{
    struct migrate_op *m = (struct migrate_op *)op;
    side_unlock(&m->from, forked);
    side_unlock(&m->to, forked);
    source_login_done(&m->login);
    rows_done(&m->rows);
    buf_done(&m->profile_arn);
}

static const struct op_class migrate_class = {
    .may_block = true,
    .next = migrate_next,
    .done = migrate_done,
    .size = sizeof(struct migrate_op),
};

aq_status aq_migrate_start(struct aq_client *from, struct aq_client *to,
                           const struct aq_migrate_options *options, struct aq_op **ret,
                           struct aq_error *err)
{
    struct aq_migrate_options known = AQ_MIGRATE_OPTIONS_INIT;
    aq_status st = client_usable(from, err);
    if (st == AQ_OK) {
        st = client_usable(to, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    if (options && !options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "migrate options: struct_size is not set");
    }
    if (from == to) {
        return error_set(err, AQ_E_INVALID, "migrate: from and to are one client, make two");
    }
    struct migrate_op *m = (struct migrate_op *)op_new(from, &migrate_class, NULL);
    if (!m) {
        return error_nomem(err, "migrate operation");
    }
    m->options = known;
    m->from.client = from;
    m->to.client = to;
    op_ready(&m->op);
    *ret = &m->op;
    return AQ_OK;
}
