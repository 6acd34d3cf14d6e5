/* SPDX-License-Identifier: Apache-2.0 */
#include "client/copies.h"

#include "base/alloc.h"
#include "base/str.h"

enum { COPIES_MAX = 4 }; /* no program has more names than that beside the one in use */

/* What else is in the store of a login. */
struct copies {
    size_t count;
    const struct source *source[COPIES_MAX];
    struct rows rows[COPIES_MAX];
    bool has_other; /* a login that is none of them */
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

/* True if a login under another name than this one's would be in the same store. */
static bool copies_is_beside(struct aq_client *client, const struct source *other,
                             const struct source *source, const struct store *store)
{
    struct store *theirs = NULL;
    struct aq_error ignored;
    return !str_eq(other->token_key, source->token_key) &&
           source_store(client, other, true, &theirs, &ignored) == AQ_OK && theirs == store;
}

/* A row of the login's own program: a copy, somebody else's login, or nothing. */
static aq_status copies_add(struct copies *c, const struct source *other, struct store *store,
                            const struct rows *login, struct aq_error *err)
{
    struct rows *rows = &c->rows[c->count];
    aq_status st = rows_read(store, other, rows, err);
    if (st != AQ_OK) {
        return st;
    }
    if (copies_same_token(login, rows) || rows_are_one_login(other, login, rows)) {
        c->source[c->count++] = other;
    } else {
        c->has_other = c->has_other || rows->present[ROW_TOKEN];
    }
    return AQ_OK;
}

/* One that cannot be read is none: what it is worth is for its own program to say. */
static bool copies_is_login(struct store *store, const struct source *other)
{
    AUTO(buf) struct buf ignored = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error err;
    return store_get(store, other->token_key, &ignored, &err) == AQ_OK;
}

static aq_status copies_find(struct aq_client *client, const struct source *source,
                             struct store *store, const struct rows *login, struct copies *ret,
                             struct aq_error *err)
{
    const struct source *other;
    aq_status st = AQ_OK;
    for (size_t i = 0; st == AQ_OK && (other = source_at(i)); i++) {
        if (!copies_is_beside(client, other, source, store)) {
            continue;
        }
        if (str_eq(other->name, source->name) && ret->count < COPIES_MAX) {
            st = copies_add(ret, other, store, login, err);
        } else if (!ret->has_other && !source_is_borrowed(other)) {
            ret->has_other = copies_is_login(store, other);
        }
    }
    return st;
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
    uint32_t count = rows_removal(source, found, c.has_other ? ROW_PROFILE : ROW_COUNT, changes);
    for (size_t i = 0; i < c.count; i++) { /* all share one profile */
        count += rows_removal(c.source[i], &c.rows[i], ROW_PROFILE, changes + count);
    }
    return store_commit(store, changes, count, err);
}
