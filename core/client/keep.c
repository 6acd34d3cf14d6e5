/* SPDX-License-Identifier: Apache-2.0 */
#include "client/keep.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "client/place.h"
#include "host/spill.h"

enum {
    LOCK_POLL_US = 50 * 1000,  /* how often a held lock is tried again */
    SAVE_POLL_US = 250 * 1000, /* the same for a failed save */
    ROWS_MAX = 8,              /* of one login */
};

/* ---- life ---- */

void keep_begin(struct keep *k, struct aq_op *op, const struct source *source, struct store *store)
{
    *k = (struct keep){
        .op = op,
        .source = source,
        .store = store,
        .until_us = clock_now_us() + KEEP_LOCK_US,
        .rows = BUF(AQ_STORE_VALUE_MAX),
        .spill = BUF(SPILL_PATH_MAX),
    };
}

static void keep_unlock(struct keep *k, bool forked)
{
    if (k->op && k->op->client->refreshing == k->op) {
        k->op->client->refreshing = NULL;
        if (!forked) {
            store_unlock(k->store);
        }
    }
}

void keep_done(struct keep *k, bool forked)
{
    keep_unlock(k, forked);
    buf_done(&k->rows);
    buf_done(&k->spill);
}

/* ---- lock ---- */

static aq_status keep_again(struct keep *k, uint64_t in_us)
{
    k->again_us = clock_now_us() + in_us;
    return AQ_AGAIN;
}

/* Become the only one who changes the login. A store that is not there yet has nobody in it. */
static aq_status keep_lock(struct keep *k, struct aq_error *err)
{
    struct aq_client *client = k->op->client;
    aq_status st = AQ_AGAIN;
    if (client->refreshing == k->op) {
        return AQ_OK;
    }
    if (!client->refreshing) {
        st = store_lock(k->store, err);
    }
    if (st == AQ_OK) {
        client->refreshing = k->op;
    }
    if (st != AQ_AGAIN) {
        return st == AQ_E_NOTFOUND ? AQ_OK : st;
    }
    if (clock_now_us() < k->until_us) {
        return keep_again(k, LOCK_POLL_US);
    }
    return error_set(err, AQ_E_BUSY,
                     "login: another process is changing it and does not come to an end, try "
                     "again");
}

/* What is there now is looked up first, as can_save wants it. */
static aq_status keep_check(struct keep *k, struct aq_error *err)
{
    AUTO(buf) struct buf row = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = store_get(k->store, k->source->token_key, &row, err);
    return st == AQ_OK || st == AQ_E_NOTFOUND || st == AQ_E_CORRUPT ? store_can_save(k->store, err)
                                                                    : st;
}

aq_status keep_prove(struct keep *k, struct aq_error *err)
{
    aq_status st = keep_lock(k, err);
    if (st == AQ_OK) {
        st = keep_check(k, err);
        keep_unlock(k, false);
    }
    return st;
}

/* ---- rows ---- */

void keep_clear(struct keep *k)
{
    buf_clear(&k->rows);
    buf_add(&k->rows, AQ_STR("{}"));
}

/* In place of the last brace. */
static void keep_add_key(struct keep *k, struct aq_str key)
{
    k->rows.len -= k->rows.len > 0;
    if (k->rows.len > 1) {
        buf_add_char(&k->rows, ',');
    }
    buf_add_json(&k->rows, key);
    buf_add_char(&k->rows, ':');
}

void keep_add(struct keep *k, struct aq_str key, struct aq_str json)
{
    keep_add_key(k, key);
    buf_add(&k->rows, json.len ? json : AQ_STR("null"));
    buf_add_char(&k->rows, '}');
}

void keep_add_text(struct keep *k, struct aq_str key, struct aq_str text)
{
    keep_add_key(k, key);
    buf_add_json(&k->rows, text);
    buf_add_char(&k->rows, '}');
}

struct aq_str keep_row(const struct keep *k, struct aq_str key)
{
    struct json_member m;
    return json_find(buf_str(&k->rows), key, &m) && m.type != JSON_NULL
               ? m.value
               : (struct aq_str){ NULL, 0 };
}

/* A login that somebody else has made meanwhile is older than this one, so it may go. */
static aq_status keep_commit(struct keep *k, struct aq_error *err)
{
    struct aq_change changes[ROWS_MAX];
    uint32_t count = 0;
    struct json_reader r = json_reader(buf_str(&k->rows));
    struct json_member m;
    if (buf_status(&k->rows) != AQ_OK) {
        return error_nomem(err, "login");
    }
    json_object(&r);
    while (count < ROWS_MAX && json_next(&r, &m)) {
        bool gone = m.type == JSON_NULL;
        changes[count++] = (struct aq_change){
            .key = m.key, /* none of ours has anything to escape */
            .expect = AQ_EXPECT_ANY,
            .action = gone ? AQ_CHANGE_REMOVE : AQ_CHANGE_PUT,
            .value = gone ? (struct aq_bytes){ NULL, 0 } : str_bytes(m.value),
        };
    }
    return store_commit(k->store, changes, count, err);
}

/* Whatever a commit has said: what can be read is what counts. */
static bool keep_is_saved(struct keep *k)
{
    AUTO(buf) struct buf row = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error ignored;
    struct aq_str token = keep_row(k, k->source->token_key);
    return token.len && store_get(k->store, k->source->token_key, &row, &ignored) == AQ_OK &&
           str_eq_secret(buf_str(&row), token);
}

/* ---- the file ---- */

/*
 * What a file is bound to. No refresh token is replaced by a new login: its file is found by where
 * the login shall be. Once, all collections of a store had one file, which the first of them to
 * look for it gets.
 */
struct binding {
    struct buf place;
    size_t once_len; /* of the place, as all of it was then */
};

static void binding_done(struct binding *b)
{
    buf_done(&b->place);
}

static struct aq_str binding_once(const struct binding *b)
{
    return (struct aq_str){ (const char *)b->place.ptr, b->once_len };
}

static aq_status keep_bind(struct aq_client *client, const struct source *source,
                           struct binding *ret, struct aq_error *err)
{
    const struct plugin *plugin;
    AUTO(place) struct place place = { 0 };
    aq_status st = client_store_plugin(client, &plugin, err);
    if (st == AQ_OK) {
        st = place_find(client, plugin, source->app, &place, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    buf_printf(&ret->place, "a new login\n%s\n%.*s\n%.*s", plugin->info.name,
               AQ_STR_ARG(place.path.text), AQ_STR_ARG(place.login.text));
    ret->once_len = ret->place.len;
    place_describe(client, &place, &ret->place);
    return buf_status(&ret->place) == AQ_OK ? AQ_OK : error_nomem(err, "login");
}

static void keep_spill(struct keep *k)
{
    AUTO(binding) struct binding bound_to = { 0 };
    struct aq_error why;
    if (k->spill.len) {
        return;
    }
    aq_status st = keep_bind(k->op->client, k->source, &bound_to, &why);
    if (st == AQ_OK) {
        st = spill_write(k->source->token_key, buf_str(&bound_to.place), buf_str(&k->rows),
                         &k->spill, &why);
    }
    if (st != AQ_OK) {
        log_add(&k->op->client->log, LOG_ERROR, str_from(why.text));
    }
}

static aq_status keep_read_file(const struct keep *k, struct buf *out, struct aq_error *err)
{
    AUTO(binding) struct binding bound_to = { 0 };
    const struct aq_str key = k->source->token_key;
    aq_status st = keep_bind(k->op->client, k->source, &bound_to, err);
    if (st == AQ_OK) {
        st = spill_read(key, buf_str(&bound_to.place), out, err);
    }
    return st == AQ_E_NOTFOUND ? spill_read(key, binding_once(&bound_to), out, err) : st;
}

/* Another login in this place may have replaced or removed the file meanwhile. */
static void keep_spill_again(struct keep *k)
{
    AUTO(buf) struct buf rows = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error ignored;
    if (keep_read_file(k, &rows, &ignored) != AQ_OK ||
        !str_eq_secret(buf_str(&rows), buf_str(&k->rows))) {
        buf_clear(&k->spill);
        keep_spill(k);
    }
}

void keep_forget(struct aq_client *client, const struct source *source)
{
    AUTO(binding) struct binding bound_to = { 0 };
    struct aq_error ignored;
    if (keep_bind(client, source, &bound_to, &ignored) == AQ_OK) {
        spill_remove(source->token_key, buf_str(&bound_to.place));
        spill_remove(source->token_key, binding_once(&bound_to));
    }
}

aq_status keep_recover(struct keep *k, struct aq_error *err)
{
    aq_status st = keep_read_file(k, &k->rows, err);
    return st == AQ_OK && !json_valid(buf_str(&k->rows)) ? AQ_E_NOTFOUND : st;
}

/* ---- saving ---- */

static aq_status keep_give_up(struct keep *k, struct aq_error *err)
{
    const struct aq_error why = *err;
    keep_spill_again(k);
    return k->spill.len
               ? error_set(err, why.status,
                           "login: made, but kept in %s because it cannot be saved, %s; log in "
                           "again to have it saved",
                           (const char *)k->spill.ptr, why.text)
               : error_set(err, why.status, "login: made, but NOT saved, %s; log in again",
                           why.text);
}

static aq_status keep_save(struct keep *k, struct aq_error *err)
{
    aq_status st = keep_lock(k, err);
    if (st != AQ_OK) {
        return st;
    }
    st = keep_check(k, err);
    if (st == AQ_OK) {
        st = keep_commit(k, err);
    }
    return st != AQ_OK && keep_is_saved(k) ? AQ_OK : st;
}

aq_status keep_run(struct keep *k, struct aq_error *err)
{
    aq_status st = keep_save(k, err);
    if (st == AQ_OK) {
        keep_unlock(k, false);
        keep_forget(k->op->client, k->source);
        return AQ_OK;
    }
    keep_spill(k); /* before anything else happens */
    if (st != AQ_AGAIN) {
        st = clock_now_us() < k->until_us ? keep_again(k, SAVE_POLL_US) : keep_give_up(k, err);
    }
    if (st != AQ_AGAIN) {
        keep_unlock(k, false);
    }
    return st;
}
