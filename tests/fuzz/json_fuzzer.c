/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON: the reader and the validator agree, members lie inside the text in order, and
 * what is decoded is valid UTF-8 that is never longer than it was written. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "fuzz/fuzzer.h"

static void member_check(const struct json_member *m)
{
    PROMISE(json_valid(m->value));
    char *text = malloc(m->value.len);
    size_t len = json_string_decode(m, text);
    PROMISE(len <= m->value.len);
    PROMISE(utf8_valid((const uint8_t *)text, len));
    if (m->type == JSON_STRING && !m->escaped) {
        PROMISE(str_eq(json_string_plain(m), (struct aq_str){ text, len }));
    }
    free(text);
    int64_t i;
    PROMISE(!json_int(m, &i) || m->type == JSON_NUMBER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct aq_str text = { (const char *)data, size };
    struct json_reader r = json_reader(text);
    struct json_member m;
    struct json_member found;
    const char *behind = text.ptr;

    bool container = json_object(&r) || json_array(&r);
    while (json_next(&r, &m)) {
        PROMISE(m.value.ptr > behind);
        behind = m.value.ptr + m.value.len;
        PROMISE(behind <= text.ptr + text.len);
        member_check(&m);
    }
    bool valid = json_finish(&r);
    PROMISE(valid == (container && json_valid(text)));
    PROMISE(valid == (r.problem == NULL));
    PROMISE(r.at <= size);
    PROMISE(!json_find(text, AQ_STR("content"), &found) || valid);
    return 0;
}
