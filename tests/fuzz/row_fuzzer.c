/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the value of a row: the store gives back what was put there, without blanks at its
 * end, or refuses to take it; and a login in it can be read, renewed and read again, from the
 * database each time. */
#include "base/alloc.h"
#include "fuzz/store.h"
#include "wire/token.h"

static const struct token_update update = {
    .access_token = AQ_STR_INIT("new"),
    .refresh_token = AQ_STR_INIT("newer"),
    .expires_at_s = 1748784896,
};

static struct aq_str value_of(const struct plugin_entry *entry)
{
    return (struct aq_str){ (const char *)entry->value, entry->value_len };
}

static struct aq_str without_blanks(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] == ' ') {
        len--;
    }
    return (struct aq_str){ text, len };
}

/* Renew the login as a refresh does, and read what is stored then. */
static void renew_check(struct store *s, struct aq_str json)
{
    AUTO(buf) struct buf out = BUF(0);
    AUTO(token) struct token t = { 0 };
    struct plugin_entry *found;
    struct aq_error err;
    PROMISE(token_apply(json, &update, &out, NULL) == AQ_OK);
    const struct aq_change change = { .key = TOKEN_KEY,
                                      .expect = AQ_EXPECT_VALUE,
                                      .action = AQ_CHANGE_PUT,
                                      .expected = str_bytes(json),
                                      .value = buf_bytes(&out) };
    PROMISE(s->ops->commit(s->self, &change, 1, sizeof(change), &err) == AQ_OK);
    PROMISE(store_get(s, TOKEN_KEY, &found) == AQ_OK);
    PROMISE(token_parse(TOKEN_KEY, value_of(found), &t, NULL) == AQ_OK);
    PROMISE(str_eq(t.access_token, update.access_token));
    PROMISE(str_eq(t.refresh_token, update.refresh_token));
    plugin_entries_free(found);
}

static void value_check(struct store *s, struct aq_str json)
{
    AUTO(token) struct token t = { 0 };
    AUTO(registration) struct registration r = { 0 };
    struct aq_error err;
    aq_status st = registration_parse(TOKEN_KEY, json, &r, &err);
    PROMISE(st == AQ_OK || st == AQ_E_NOTFOUND || st == AQ_E_CORRUPT);
    st = token_parse(TOKEN_KEY, json, &t, &err);
    PROMISE(st == AQ_OK || st == AQ_E_NOTFOUND || st == AQ_E_CORRUPT);
    if (st == AQ_OK) {
        renew_check(s, json);
    } else {
        error_text_check(&err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store s;
    struct plugin_entry *found;
    store_open(&s);
    if (store_put(&s, TOKEN_KEY, (struct aq_bytes){ data, size }) == AQ_OK) {
        PROMISE(store_get(&s, TOKEN_KEY, &found) == AQ_OK);
        PROMISE(str_eq(value_of(found), without_blanks((const char *)data, size)));
        value_check(&s, value_of(found));
        plugin_entries_free(found);
    }
    store_close(&s);
    return 0;
}
