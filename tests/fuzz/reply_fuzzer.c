/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a broker's reply: its members are parts of it, their texts fit, and whatever the
 * library's own reader takes for an object of version 1 is one here, too. */
#include "base/json.h"
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "reply.h"

static void check_part(struct aq_str whole, struct aq_str part)
{
    char text[64];
    if (part.len) {
        PROMISE(part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
    }
    size_t len = reply_text(part, text, sizeof(text));
    PROMISE(len < sizeof(text) && text[len] == '\0');
}

/* Sound, of version 1, and without a key that is written in another way than we do. */
static bool is_plain_success(struct aq_str line)
{
    struct json_reader r = json_reader(line);
    struct json_member m;
    struct aq_str v = { NULL, 0 };
    bool plain = json_object(&r);
    while (json_next(&r, &m)) {
        plain = plain && !str_contains(m.key, AQ_STR("\\")) && !str_eq(m.key, AQ_STR("error"));
        v = str_eq(m.key, AQ_STR("v")) ? m.value : v;
    }
    return json_finish(&r) && plain && str_eq(v, AQ_STR("1"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aq_str line = { (const char *)data, size };
    struct reply r;
    struct aq_error err;
    if (size == 0 || memchr(data, '\n', size)) {
        return 0;
    }
    aq_status st = reply_read(line, &r, &err);
    PROMISE(st == AQ_OK || !is_plain_success(line));
    if (st != AQ_OK) {
        PROMISE(st < 0 && err.status == st);
        PROMISE(strnlen(err.text, sizeof(err.text)) < sizeof(err.text) && err.text[0] != '\0');
    }
    check_part(line, r.access_token);
    check_part(line, r.source);
    check_part(line, r.warning);
    return 0;
}
