/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any answer to one of the requests that make a login: a byte says to which, a byte is the status,
 * then the header x-amzn-errortype with its length in front, then the body. What is taken can be
 * shown, sent and stored, and is read again by whoever reads a login; no text repeats the body.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "wire/signin.h"

enum { NOW_S = 1748784896 };

static void registration_check(struct registration *r)
{
    AUTO(buf) struct buf row = BUF(0);
    AUTO(registration) struct registration again = { 0 };
    r->region = AQ_STR("us-east-1");
    if (signin_registration_row(r, &row, NULL) == AQ_OK) {
        PROMISE(registration_parse(AQ_STR("key"), buf_str(&row), &again, NULL) == AQ_OK);
        PROMISE(str_eq(again.client_id, r->client_id));
        PROMISE(str_eq(again.client_secret, r->client_secret));
        PROMISE(again.expires_at_s == r->expires_at_s);
        PROMISE(signin_registration_fits(&again, buf_str(&row), r->region, 0) ==
                (r->expires_at_s > 60));
    }
}

static void device_check(const struct signin_device *d)
{
    PROMISE(str_is_token(d->device_code) && str_is_token(d->user_code));
    PROMISE(str_is_token(d->url) && str_is_token(d->short_url));
    PROMISE(str_starts(d->url, AQ_STR("https://")) || str_starts(d->url, AQ_STR("http://")));
    PROMISE(d->lifetime_s >= 1 && d->lifetime_s <= SIGNIN_LIFETIME_MAX_S);
    PROMISE(d->interval_s >= 1 && d->interval_s <= d->lifetime_s);
}

static void tokens_check(const struct oidc_tokens *t)
{
    AUTO(buf) struct buf row = BUF(0);
    AUTO(token) struct token again = { 0 };
    int64_t expires_at_s = NOW_S + t->expires_in_s;
    PROMISE(signin_token_row(t, expires_at_s, AQ_STR("us-east-1"), AQ_STR(""),
                             TOKEN_FLOW_DEVICE_CODE, &row, NULL) == AQ_OK);
    PROMISE(token_parse(AQ_STR("key"), buf_str(&row), &again, NULL) == AQ_OK);
    PROMISE(str_eq(again.access_token, t->access_token));
    PROMISE(str_eq(again.refresh_token, t->refresh_token));
    PROMISE(again.expires_at_s == expires_at_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int16_t codes[] = { 200, 200, 200, 201, 400, 400, 400, 401,
                                     404, 407, 429, 302, 500, 503, 0,   -1 };
    struct script script = { data, size };
    unsigned request = script_byte(&script) % 3;
    const struct signin_answer answer = {
        .http = codes[script_byte(&script) % (sizeof(codes) / sizeof(codes[0]))],
        .error_type = str_of_bytes(script_piece(&script)),
        .body = str_of_bytes(script_rest(&script, script.len)),
    };
    AUTO(registration) struct registration registration = { 0 };
    AUTO(signin_device) struct signin_device device = { 0 };
    AUTO(oidc_tokens) struct oidc_tokens tokens = { 0 };
    struct aq_error err;
    enum signin_outcome outcome = request == 0   ? signin_registered(&answer, &registration, &err)
                                  : request == 1 ? signin_device_granted(&answer, &device, &err)
                                                 : signin_granted(&answer, &tokens, &err);
    if (outcome != SIGNIN_OK) {
        PROMISE(err.status < 0);
        PROMISE(!strstr(err.text, "canary"));
        error_text_check(&err);
    } else if (request == 0) {
        registration_check(&registration);
    } else if (request == 1) {
        device_check(&device);
    } else {
        tokens_check(&tokens);
    }
    PROMISE(outcome != SIGNIN_OK || (answer.http >= 200 && answer.http <= 299));
    return 0;
}
