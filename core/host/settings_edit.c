/* SPDX-License-Identifier: Apache-2.0 */
#include "host/settings_edit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

#include <string.h>

/* Where a member is in the text. */
struct span {
    size_t start; /* behind the '{' or ',' before it */
    size_t key;   /* its opening quote */
    size_t value; /* first byte of the value */
    size_t end;   /* behind the value */
    bool found;
};

static struct span span_of(struct aq_str text, const struct json_member *member)
{
    struct span s = {
        .key = (size_t)(member->key.ptr - text.ptr) - 1,
        .value = (size_t)(member->value.ptr - text.ptr),
        .found = true,
    };
    s.end = s.value + member->value.len;
    s.start = s.key;
    while (text.ptr[s.start - 1] != '{' && text.ptr[s.start - 1] != ',') {
        s.start--; /* white space only: the text is well-formed */
    }
    return s;
}

/* Find the member (the last one if there are several) and the last of all. */
static aq_status find_member(const char *path, struct aq_str text, struct aq_str key,
                             struct span *ret, struct span *ret_last, struct aq_error *err)
{
    struct json_reader reader = json_reader(text);
    struct json_member member;
    *ret = *ret_last = (struct span){ 0 };
    bool is_object = json_object(&reader);
    while (is_object && json_next(&reader, &member)) {
        *ret_last = span_of(text, &member);
        if (json_key_is(&member, key)) {
            *ret = *ret_last;
        }
    }
    return is_object && json_finish(&reader)
               ? AQ_OK
               : error_set(err, AQ_E_INVALID,
                           "%s: not a JSON object (byte %zu: %s), correct it or move it away", path,
                           reader.at, reader.problem ? reader.problem : "it is something else");
}

aq_status settings_check_text(const char *path, struct aq_str text, struct aq_error *err)
{
    struct span ignored;
    return text.len ? find_member(path, text, AQ_STR(""), &ignored, &ignored, err) : AQ_OK;
}

static void add_part(struct buf *out, struct aq_str text, size_t from, size_t to)
{
    buf_add(out, (struct aq_str){ text.ptr + from, to - from });
}

static void add_member(struct buf *out, struct aq_str key, struct aq_str value)
{
    buf_add_json(out, key);
    buf_add(out, AQ_STR(": "));
    buf_add(out, value);
}

/* Behind the last member, and looking like it. */
static void append_member(struct aq_str text, struct aq_str key, struct aq_str value,
                          const struct span *last, struct buf *out)
{
    if (!last->found) {
        buf_add(out, AQ_STR("{\n  "));
        add_member(out, key, value);
        buf_add(out, AQ_STR("\n}\n"));
        return;
    }
    add_part(out, text, 0, last->end);
    buf_add_char(out, ',');
    add_part(out, text, last->start, last->key);
    add_member(out, key, value);
    add_part(out, text, last->end, text.len);
}

/* Without the member, and without the comma that was between it and its neighbour. */
static void cut_member(struct aq_str text, const struct span *found, const struct span *last,
                       struct buf *out)
{
    if (found->key != last->key) {
        const char *comma = memchr(text.ptr + found->end, ',', text.len - found->end);
        add_part(out, text, 0, found->start);
        add_part(out, text, (size_t)(comma - text.ptr) + 1, text.len);
        return;
    }
    bool is_first = text.ptr[found->start - 1] == '{';
    add_part(out, text, 0, found->start - (is_first ? 0 : 1));
    add_part(out, text, found->end, text.len);
}

/* *ret_again: a member was removed, and there may be another one of that name. */
static aq_status edit_once(const char *path, struct aq_str text, struct aq_str key,
                           struct aq_str value, bool *ret_again, struct buf *out,
                           struct aq_error *err)
{
    struct span found;
    struct span last;
    aq_status st = find_member(path, text, key, &found, &last, err);
    if (st != AQ_OK) {
        return st;
    }
    *ret_again = found.found && !value.ptr;
    if (!value.ptr && !found.found) {
        buf_add(out, text);
    } else if (!value.ptr) {
        cut_member(text, &found, &last, out);
    } else if (found.found) {
        add_part(out, text, 0, found.value);
        buf_add(out, value);
        add_part(out, text, found.end, text.len);
    } else {
        append_member(text, key, value, &last, out);
    }
    if (buf_status(out) == AQ_E_LIMIT) {
        return error_set(err, AQ_E_INVALID, "%s: would be larger than %d bytes, store less", path,
                         SETTINGS_FILE_MAX);
    }
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, path);
}

aq_status settings_edit(const char *path, struct aq_str text, struct aq_str key,
                        struct aq_str value, struct buf *out, struct aq_error *err)
{
    AUTO(buf) struct buf before = BUF(SETTINGS_FILE_MAX);
    aq_status st = AQ_OK;
    bool again = true;
    buf_add(out, text.len ? text : AQ_STR("{}"));
    while (again && st == AQ_OK) {
        buf_clear(&before);
        buf_add(&before, buf_str(out));
        buf_clear(out);
        st = edit_once(path, buf_str(&before), key, value, &again, out, err);
    }
    return st;
}
