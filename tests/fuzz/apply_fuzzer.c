/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any update of any stored login: the new access token and refresh token, each with its length in
 * front, four bytes for the time, then the login. The members that change have the new values,
 * everything else is the same to the byte, and the result can be read.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "wire/timestamp.h"
#include "wire/token.h"

enum { KEYS = 3 };

/* What a member must say afterwards. */
struct wish {
    struct aq_str key;
    struct aq_str value; /* empty: as it was */
    struct aq_str old;   /* the value that is replaced; empty: a member is added */
};

/* True if m is written anew. Texts that are no UTF-8 are repaired, so only good ones are compared.
 */
static bool wish_check(const struct wish wishes[KEYS], const struct json_member *was,
                       const struct json_member *is)
{
    for (int i = 0; i < KEYS; i++) {
        if (wishes[i].value.len && json_key_is(is, wishes[i].key) &&
            (!was || was->value.ptr == wishes[i].old.ptr)) {
            AUTO(buf) struct buf scratch = BUF(0);
            PROMISE(is->type == JSON_STRING);
            PROMISE(!utf8_valid((const uint8_t *)wishes[i].value.ptr, wishes[i].value.len) ||
                    str_eq(json_text(is, &scratch), wishes[i].value));
            return true;
        }
    }
    return false;
}

/* Step through both texts: what is not wished for is the same, also between the members. */
static void texts_check(struct aq_str before, struct aq_str after, const struct wish wishes[KEYS])
{
    struct json_reader old = json_reader(before);
    struct json_reader new = json_reader(after);
    struct json_member was;
    struct json_member is;
    PROMISE(json_object(&old) && json_object(&new));
    size_t from = old.at;
    size_t from_new = new.at;
    PROMISE(from == from_new && memcmp(before.ptr, after.ptr, from) == 0);
    while (json_next(&old, &was)) {
        PROMISE(json_next(&new, &is));
        struct aq_str gap = { before.ptr + from, old.at - was.value.len - from };
        struct aq_str same = { after.ptr + from_new, new.at - is.value.len - from_new };
        PROMISE(str_eq(gap, same));
        PROMISE(wish_check(wishes, &was, &is) || str_eq(was.value, is.value));
        from = old.at;
        from_new = new.at;
    }
    while (json_next(&new, &is)) {
        PROMISE(wish_check(wishes, NULL, &is));
    }
    PROMISE(json_finish(&old) && json_finish(&new));
    PROMISE(str_ends(after, (struct aq_str){ before.ptr + from, before.len - from }));
}

static void applied_check(struct aq_str before, const struct token_update *update,
                          struct aq_str after)
{
    char time[TIMESTAMP_TEXT_MAX];
    AUTO(token) struct token was = { 0 };
    AUTO(token) struct token is = { 0 };
    struct wish wishes[KEYS] = { { AQ_STR("access_token"), update->access_token, { NULL, 0 } },
                                 { AQ_STR("refresh_token"), update->refresh_token, { NULL, 0 } },
                                 { AQ_STR("expires_at"), AQ_STR(""), { NULL, 0 } } };
    PROMISE(timestamp_format(update->expires_at_s, time));
    wishes[2].value = str_from(time);
    for (int i = 0; i < KEYS; i++) {
        struct json_member m;
        wishes[i].old = json_find(before, wishes[i].key, &m) ? m.value : AQ_STR("");
        wishes[i].old.ptr = wishes[i].old.len ? wishes[i].old.ptr : NULL;
    }
    texts_check(before, after, wishes);

    /* a login that could be read, and a token that can travel: it can still be read */
    if (str_is_token(update->access_token) &&
        token_parse(AQ_STR("key"), before, &was, NULL) == AQ_OK) {
        PROMISE(token_parse(AQ_STR("key"), after, &is, NULL) == AQ_OK);
        PROMISE(str_eq(is.access_token, update->access_token));
        PROMISE(update->refresh_token.len || str_eq(is.refresh_token, was.refresh_token));
        PROMISE(is.expires_at_s == update->expires_at_s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = { data, size };
    AUTO(buf) struct buf out = BUF(0);
    AUTO(buf) struct buf again = BUF(0);
    struct aq_error err;
    struct token_update update = { .access_token = str_of_bytes(script_piece(&script)),
                                   .refresh_token = str_of_bytes(script_piece(&script)) };
    uint32_t time = 0;
    for (int i = 0; i < 4; i++) {
        time = time << 8 | script_byte(&script);
    }
    update.expires_at_s = (int64_t)time * 64; /* up to the year 10680 */
    if (update.access_token.len == 0) {
        update.access_token = AQ_STR("new");
    }
    struct aq_str json = str_of_bytes(script_rest(&script, script.len));

    aq_status st = token_apply(json, &update, &out, &err);
    if (st == AQ_OK) {
        applied_check(json, &update, buf_str(&out));
        PROMISE(token_apply(buf_str(&out), &update, &again, NULL) == AQ_OK);
        PROMISE(str_eq(buf_str(&out), buf_str(&again)));
    } else {
        struct json_reader r = json_reader(json);
        char text[TIMESTAMP_TEXT_MAX];
        bool object = json_object(&r) && json_finish(&r);
        PROMISE(st == (object ? AQ_E_INVALID : AQ_E_CORRUPT));
        PROMISE(!object || !timestamp_format(update.expires_at_s, text));
        PROMISE(out.len == 0);
        error_text_check(&err);
    }
    return 0;
}
