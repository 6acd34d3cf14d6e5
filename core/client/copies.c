/* SPDX-License-Identifier: Apache-2.0 */
#include "client/copies.h"

#include "base/alloc.h"
#include "base/str.h"

enum { COPIES_MAX = 4 }; /* no program has more names than that beside the one in use */

struct copies {
    size_t count;
    const struct source *source[COPIES_MAX];
    struct rows rows[COPIES_MAX];
};

static void copies_done(struct copies *c)
{
    for (size_t i = 0; i < COPIES_MAX; i++) { /* also of the one behind the last */
        rows_done(&c->rows[i]);
    }
    c->count = 0;
}

static bool copies_same_token(const struct rows *a, const struct rows *b)
{
    return a->present[ROW_TOKEN] && b->present[ROW_TOKEN] &&
           str_eq_secret(buf_str(&a->value[ROW_TOKEN]), buf_str(&b->value[ROW_TOKEN]));
}

/* Where the login's program may have one. */
static bool copies_may_be(struct aq_client *client, const struct source *other,
                          const struct source *source, const struct store *store)
{
    struct store *theirs = NULL;
    struct aq_error ignored;
    return str_eq(other->name, source->name) && !str_eq(other->token_key, source->token_key) &&
           source_store(client, other, true, &theirs, &ignored) == AQ_OK && theirs == store;
}

static aq_status copies_find(struct aq_client *client, const struct source *source,
                             struct store *store, const struct rows *login, struct copies *ret,
                             struct aq_error *err)
{
    const struct source *other;
    for (size_t i = 0; (other = source_at(i)) && ret->count < COPIES_MAX; i++) {
        struct rows *rows = &ret->rows[ret->count];
        if (!copies_may_be(client, other, source, store)) {
            continue;
        }
        aq_status st = rows_read(store, other, rows, err);
        if (st != AQ_OK) {
            return st;
        }
        if (copies_same_token(login, rows) || rows_are_one_login(other, login, rows)) {
            ret->source[ret->count++] = other;
        }
    }
    return AQ_OK;
}

static bool copies_have(const struct copies *c, const struct source *source)
{
    size_t i = 0;
    while (i < c->count && c->source[i] != source) {
        i++;
    }
    return i < c->count;
}

/* How much of the login is nobody else's. */
static enum row copies_end(struct aq_client *client, const struct source *source,
                           const struct store *store, const struct copies *copies)
{
    AUTO(buf) struct buf ignored = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error err;
    const struct source *other;
    for (size_t i = 0; (other = source_at(i)); i++) {
        struct store *theirs = NULL;
        if (!str_eq(other->token_key, source->token_key) && !source_is_borrowed(other) &&
            !copies_have(copies, other) &&
            source_store(client, other, true, &theirs, &err) == AQ_OK && theirs == store &&
            store_get(theirs, other->token_key, &ignored, &err) == AQ_OK) {
            return ROW_PROFILE;
        }
    }
    return ROW_COUNT;
}

aq_status copies_remove(struct aq_client *client, const struct source *source, struct store *store,
                        const struct rows *found, struct aq_error *err)
{
    AUTO(copies) struct copies c = { 0 };
    struct aq_change changes[ROW_COUNT * (1 + COPIES_MAX)];
    aq_status st = copies_find(client, source, store, found, &c, err);
    if (st != AQ_OK) {
        return st;
    }
    uint32_t count = rows_removal(source, found, copies_end(client, source, store, &c), changes);
    for (size_t i = 0; i < c.count; i++) { /* all share one profile */
        count += rows_removal(c.source[i], &c.rows[i], ROW_PROFILE, changes + count);
    }
    return store_commit(store, changes, count, err);
}
