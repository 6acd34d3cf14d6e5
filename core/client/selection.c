/* SPDX-License-Identifier: Apache-2.0 */
#include "client/selection.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "wire/profiles.h"

enum { ROUNDS = 3 }; /* of saving, when others change what was read */

#define CUSTOMIZATION_KEY AQ_STR("api.selectedCustomization")

aq_status selection_begin(struct selection *s, const struct source *source, struct store *store,
                          struct aq_error *err)
{
    s->source = source;
    s->store = store;
    return store_grants(store) ? AQ_OK : rows_read(store, source, &s->login, err);
}

void selection_done(struct selection *s)
{
    rows_done(&s->login);
}

/* ---- the same login ---- */

static bool row_is_unchanged(const struct rows *a, const struct rows *b, enum row row)
{
    return a->present[row] == b->present[row] &&
           str_eq(buf_str(&a->value[row]), buf_str(&b->value[row]));
}

/* What no refresh changes. */
static bool tokens_are_of_one_login(struct aq_str key, struct aq_str json_a, struct aq_str json_b)
{
    struct token a = { 0 };
    struct token b = { 0 };
    bool same = token_parse(key, json_a, &a, NULL) == AQ_OK &&
                token_parse(key, json_b, &b, NULL) == AQ_OK && str_eq(a.start_url, b.start_url) &&
                str_eq(a.region, b.region) && str_eq(a.issuer_url, b.issuer_url) &&
                str_eq(a.client_id, b.client_id);
    token_done(&a);
    token_done(&b);
    return same;
}

static bool selection_is_for(const struct selection *s, const struct rows *found)
{
    bool same_registration = row_is_unchanged(&s->login, found, ROW_REGISTRATION) ||
                             rows_are_one_login(s->source, &s->login, found);
    bool same_token =
        row_is_unchanged(&s->login, found, ROW_TOKEN) ||
        tokens_are_of_one_login(s->source->token_key, buf_str(&s->login.value[ROW_TOKEN]),
                                buf_str(&found->value[ROW_TOKEN]));
    return found->present[ROW_TOKEN] && same_registration && same_token;
}

/* ---- saving ---- */

/* Only the expectation is checked. */
static struct aq_change keep_row(struct aq_str key, const struct rows *found, enum row row)
{
    return (struct aq_change){
        .key = key,
        .expect = found->present[row] ? AQ_EXPECT_VALUE : AQ_EXPECT_ABSENT,
        .expected = buf_bytes(&found->value[row]),
        .action = AQ_CHANGE_KEEP,
    };
}

/* The rows of the login stay as they were found, or nothing is written. */
static aq_status selection_commit(const struct selection *s, const struct rows *found,
                                  struct aq_str row, struct aq_error *err)
{
    const struct source *source = s->source;
    const struct aq_change changes[] = {
        { .key = source->profile_key, .action = AQ_CHANGE_PUT, .value = str_bytes(row) },
        { .key = CUSTOMIZATION_KEY, .action = AQ_CHANGE_REMOVE }, /* of another profile */
        keep_row(source->token_key, found, ROW_TOKEN),
        keep_row(source->registration_key, found, ROW_REGISTRATION),
    };
    const uint32_t count = sizeof(changes) / sizeof(changes[0]);
    return store_commit(s->store, changes, source->registration_key.len ? count : count - 1, err);
}

static aq_status selection_try(const struct selection *s, struct aq_str row, struct aq_error *err)
{
    AUTO(rows) struct rows found = { 0 };
    aq_status st = rows_read(s->store, s->source, &found, err);
    if (st == AQ_OK) {
        st = store_can_save(s->store, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    if (!selection_is_for(s, &found)) {
        return error_set(err, AQ_E_CHANGED,
                         "login: changed meanwhile, no profile was saved; choose again");
    }
    st = selection_commit(s, &found, row, err);
    return st == AQ_E_CHANGED ? AQ_AGAIN : st;
}

aq_status selection_save(struct selection *s, const struct aq_profile *profile,
                         struct aq_error *err)
{
    AUTO(buf) struct buf row = BUF(AQ_STORE_VALUE_MAX);
    aq_status st = AQ_AGAIN;
    profiles_row(profile, &row);
    if (buf_status(&row) != AQ_OK) {
        return error_nomem(err, "profile");
    }
    for (int round = 0; round < ROUNDS && st == AQ_AGAIN; round++) {
        st = selection_try(s, buf_str(&row), err);
    }
    return st != AQ_AGAIN ? st
                          : error_set(err, AQ_E_CHANGED,
                                      "login: another program keeps changing it, no profile was "
                                      "saved; choose again");
}
