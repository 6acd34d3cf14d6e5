/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a stored login: what is read can be used, and an update of it can be read back, with
 * everything else as it was. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "wire/token.h"

static const struct token_update update = {
    .access_token = AQ_STR_INIT("new"),
    .refresh_token = AQ_STR_INIT("newer"),
    .expires_at_s = 1748784896,
};

static void update_check(struct aq_str json, const struct token *old)
{
    AUTO(buf) struct buf out = BUF(0);
    AUTO(buf) struct buf again = BUF(0);
    AUTO(token) struct token t = { 0 };
    PROMISE(token_apply(json, &update, &out, NULL) == AQ_OK);
    PROMISE(json_valid(buf_str(&out)));
    PROMISE(token_parse(AQ_STR("key"), buf_str(&out), &t, NULL) == AQ_OK);
    PROMISE(str_eq(t.access_token, update.access_token));
    PROMISE(str_eq(t.refresh_token, update.refresh_token));
    PROMISE(t.expires_at_s == update.expires_at_s);
    PROMISE(str_eq(t.region, old->region));
    PROMISE(str_eq(t.start_url, old->start_url));
    PROMISE(t.flow == old->flow);
    PROMISE(token_apply(buf_str(&out), &update, &again, NULL) == AQ_OK);
    PROMISE(str_eq(buf_str(&out), buf_str(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct aq_str json = { (const char *)data, size };
    AUTO(token) struct token t = { 0 };
    AUTO(registration) struct registration r = { 0 };
    AUTO(buf) struct buf out = BUF(0);
    struct aq_error err;

    aq_status st = token_parse(AQ_STR("key"), json, &t, &err);
    PROMISE(st == AQ_OK || st == AQ_E_NOTFOUND || st == AQ_E_CORRUPT);
    if (st == AQ_OK) {
        PROMISE(str_is_token(t.access_token));
        update_check(json, &t);
    }
    st = registration_parse(AQ_STR("key"), json, &r, &err);
    PROMISE(st == AQ_OK || st == AQ_E_NOTFOUND || st == AQ_E_CORRUPT);
    PROMISE(st != AQ_OK || (r.client_id.len && r.client_secret.len));
    st = token_apply(json, &update, &out, &err);
    PROMISE(st == AQ_E_CORRUPT || (st == AQ_OK && json_valid(buf_str(&out))));
    return 0;
}
