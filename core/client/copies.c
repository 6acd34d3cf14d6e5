/* SPDX-License-Identifier: Apache-2.0 */
#include "client/copies.h"

#include "base/str.h"

void copies_done(struct copies *c)
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

aq_status copies_find(struct aq_client *client, const struct source *source, struct store *store,
                      const struct rows *login, struct copies *ret, struct aq_error *err)
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

bool copies_have(const struct copies *c, const struct source *source)
{
    size_t i = 0;
    while (i < c->count && c->source[i] != source) {
        i++;
    }
    return i < c->count;
}

aq_status copies_remove(const struct copies *c, struct store *store, const struct source *source,
                        const struct rows *found, enum row end, struct aq_error *err)
{
    struct aq_change changes[ROW_COUNT * (1 + COPIES_MAX)];
    uint32_t count = rows_removal(source, found, end, changes);
    for (size_t i = 0; i < c->count; i++) { /* all share one profile */
        count += rows_removal(c->source[i], &c->rows[i], ROW_PROFILE, changes + count);
    }
    return store_commit(store, changes, count, err);
}
