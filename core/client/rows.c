/* SPDX-License-Identifier: Apache-2.0 */
#include "client/rows.h"

#include "base/alloc.h"
#include "base/str.h"

void rows_done(struct rows *rows)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        buf_done(&rows->value[i]);
    }
}

static struct aq_str rows_key(const struct source *source, enum row row)
{
    switch (row) {
    case ROW_TOKEN:
        return source->token_key;
    case ROW_REGISTRATION:
        return source->registration_key;
    case ROW_PROFILE:
        return source->profile_key;
    default:
        return AQ_STR("api.selectedCustomization");
    }
}

aq_status rows_read(struct store *store, const struct source *source, struct rows *ret,
                    struct aq_error *err)
{
    for (enum row i = 0; i < ROW_COUNT; i++) {
        ret->value[i].max = AQ_STORE_VALUE_MAX;
        struct aq_str key = rows_key(source, i);
        aq_status st = key.len ? store_get(store, key, &ret->value[i], err) : AQ_E_NOTFOUND;
        if (st != AQ_OK && st != AQ_E_NOTFOUND) {
            return st;
        }
        ret->present[i] = st == AQ_OK;
    }
    return AQ_OK;
}

bool rows_equal(const struct rows *a, const struct rows *b)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (a->present[i] != b->present[i] ||
            !str_eq(buf_str(&a->value[i]), buf_str(&b->value[i]))) {
            return false;
        }
    }
    return true;
}

bool rows_are_one_login(const struct source *source, const struct rows *a, const struct rows *b)
{
    AUTO(registration) struct registration of_a = { 0 };
    AUTO(registration) struct registration of_b = { 0 };
    struct aq_str key = source->registration_key;
    return key.len && a->present[ROW_REGISTRATION] && b->present[ROW_REGISTRATION] &&
           registration_parse(key, buf_str(&a->value[ROW_REGISTRATION]), &of_a, NULL) == AQ_OK &&
           registration_parse(key, buf_str(&b->value[ROW_REGISTRATION]), &of_b, NULL) == AQ_OK &&
           str_eq(of_a.client_id, of_b.client_id);
}

static struct aq_change rows_change(const struct source *source, const struct rows *found,
                                    enum row row)
{
    return (struct aq_change){
        .key = rows_key(source, row),
        .expect = found->present[row] ? AQ_EXPECT_VALUE : AQ_EXPECT_ABSENT,
        .expected = buf_bytes(&found->value[row]),
        .action = AQ_CHANGE_REMOVE,
    };
}

aq_status rows_replace(struct store *store, const struct source *source, const struct rows *found,
                       const struct rows *wanted, struct aq_error *err)
{
    struct aq_change changes[ROW_COUNT];
    uint32_t count = 0;
    for (enum row i = 0; i < ROW_COUNT; i++) {
        if (rows_key(source, i).len == 0) {
            continue;
        }
        changes[count] = rows_change(source, found, i);
        if (wanted->present[i]) {
            changes[count].action = AQ_CHANGE_PUT;
            changes[count].value = buf_bytes(&wanted->value[i]);
        }
        count++;
    }
    return store_commit(store, changes, count, err);
}

uint32_t rows_removal(const struct source *source, const struct rows *found, enum row end,
                      struct aq_change ret[ROW_COUNT])
{
    uint32_t count = 0;
    for (enum row i = 0; i < end; i++) {
        if (rows_key(source, i).len) {
            ret[count++] = rows_change(source, found, i);
        }
    }
    return count;
}
