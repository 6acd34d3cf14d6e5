/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any request to the callback of a login: a byte chooses whether it is taken as it is, or put into
 * the place of one part of the right request. Only who knows the state wins; a code that is taken
 * can be sent on; cut anywhere, a request is not worth more than the whole.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "wire/callback.h"

static const struct callback wanted = { AQ_STR_INIT("127.0.0.1:4711"),
                                        AQ_STR_INIT("dGhlIHN0YXRlIG9mIGl0") };

/* The right request, in parts. */
static const char *const parts[] = {
    "GET",
    " ",
    "/oauth/callback",
    "?",
    "code=abc",
    "&",
    "state=dGhlIHN0YXRlIG9mIGl0",
    " HTTP/1.1",
    "\r\n",
    "host: 127.0.0.1:4711",
    "\r\n",
    "\r\n",
};

enum { PART_COUNT = sizeof(parts) / sizeof(parts[0]) };

static void request_make(unsigned at, struct aq_str replacement, struct buf *out)
{
    for (unsigned i = 0; i < PART_COUNT; i++) {
        buf_add(out, i == at ? replacement : str_from(parts[i]));
    }
}

static void verdict_check(enum callback_verdict verdict, struct aq_str request, struct aq_str value)
{
    bool won = verdict == CALLBACK_CODE || verdict == CALLBACK_DENIED;
    PROMISE(won == (value.len > 0));
    PROMISE(verdict != CALLBACK_MORE || request.len < CALLBACK_REQUEST_MAX);
    PROMISE(verdict != CALLBACK_CODE || str_is_token(value));
    if (won) {
        PROMISE(str_starts(request, AQ_STR("GET /oauth/callback?")));
        PROMISE(str_contains(request, wanted.host));
        PROMISE(str_contains(request, AQ_STR("state=")));
    }
    for (size_t i = 0; verdict == CALLBACK_DENIED && i < value.len; i++) {
        PROMISE((value.ptr[i] >= 'a' && value.ptr[i] <= 'z') || value.ptr[i] == '_');
    }
}

/* Bytes that are still to come are never counted on, and never turn junk into anything else. */
static void cuts_check(enum callback_verdict whole, struct aq_str request, size_t cut)
{
    AUTO(buf) struct buf value = BUF(0);
    struct aq_str front = { request.ptr, cut < request.len ? cut : request.len };
    enum callback_verdict verdict = callback_judge(&wanted, front, &value);
    PROMISE(verdict == CALLBACK_MORE || verdict == whole ||
            (whole == CALLBACK_JUNK && request.len >= CALLBACK_REQUEST_MAX));
}

static void answer_check(enum callback_verdict verdict)
{
    AUTO(buf) struct buf answer = BUF(0);
    callback_answer(verdict, &answer);
    PROMISE(str_starts(buf_str(&answer), AQ_STR("HTTP/1.1 ")));
    PROMISE(!str_contains(buf_str(&answer), wanted.state));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = { data, size };
    AUTO(buf) struct buf request = BUF(0);
    AUTO(buf) struct buf value = BUF(0);
    unsigned at = script_byte(&script) % (PART_COUNT + 1);
    size_t cut = script_byte(&script);
    struct aq_str text = str_of_bytes(script_rest(&script, script.len));
    if (at == PART_COUNT) {
        buf_add(&request, text);
    } else {
        request_make(at, text, &request);
    }
    enum callback_verdict verdict = callback_judge(&wanted, buf_str(&request), &value);
    verdict_check(verdict, buf_str(&request), buf_str(&value));
    cuts_check(verdict, buf_str(&request), cut);
    if (verdict != CALLBACK_MORE) {
        answer_check(verdict);
    }
    return 0;
}
