/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/profiles.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

enum {
    ARN_MAX = 1024,     /* bytes */
    NAME_MAX_LEN = 512, /* bytes */
    TEXT_MAX = PROFILES_MAX * (ARN_MAX + NAME_MAX_LEN),
};

void profiles_done(struct profiles *p)
{
    alloc_free(p->list, p->cap * sizeof(*p->list));
    buf_done(&p->text);
    buf_done(&p->next_token);
    *p = (struct profiles){ 0 };
}

static aq_status no_list(struct aq_error *err)
{
    return error_set(
        err, AQ_E_PROTOCOL,
        "service: the answer is no list of profiles, check the endpoint and the proxy");
}

static aq_status too_many(struct aq_error *err)
{
    return error_set(err, AQ_E_LIMIT, "service: answered with more than %d profiles", PROFILES_MAX);
}

/* Room for all of them at once: what was handed out stays where it is. */
static bool profiles_reserve(struct profiles *p)
{
    if (p->list) {
        return true;
    }
    p->text = (struct buf)BUF(TEXT_MAX);
    p->next_token = (struct buf)BUF(ARN_MAX);
    p->list = alloc_array(PROFILES_MAX, sizeof(*p->list));
    p->cap = p->list ? PROFILES_MAX : 0;
    return p->list && buf_reserve(&p->text, TEXT_MAX);
}

/* A string member of json, decoded to the end of text. False if it is too long. */
static bool take_text(struct aq_str json, struct aq_str key, size_t max, struct buf *text,
                      struct aq_str *ret)
{
    struct json_member m;
    *ret = (struct aq_str){ NULL, 0 };
    if (!json_find(json, key, &m) || m.type != JSON_STRING) {
        return true;
    }
    if (m.value.len > max || !buf_reserve(text, m.value.len)) {
        return false;
    }
    char *at = (char *)text->ptr + text->len;
    *ret = (struct aq_str){ at, json_string_decode(&m, at) };
    text->len += ret->len;
    return true;
}

static aq_status profiles_add(struct profiles *p, struct aq_str json, struct aq_error *err)
{
    struct aq_profile profile = { .struct_size = sizeof(profile) };
    if (p->count == p->cap) {
        return too_many(err);
    }
    if (!take_text(json, AQ_STR("arn"), ARN_MAX, &p->text, &profile.arn) ||
        !take_text(json, AQ_STR("profileName"), NAME_MAX_LEN, &p->text, &profile.name)) {
        return no_list(err);
    }
    if (str_is_token(profile.arn) && !profiles_find(p, profile.arn)) {
        p->list[p->count++] = profile;
    }
    return AQ_OK;
}

/* An absent, empty or repeated token: this was the last page. */
static aq_status profiles_turn(struct profiles *p, struct aq_str json, struct aq_error *err)
{
    AUTO(buf) struct buf token = BUF(ARN_MAX);
    struct aq_str next;
    if (!take_text(json, AQ_STR("nextToken"), ARN_MAX, &token, &next)) {
        return buf_status(&token) == AQ_E_NOMEM ? error_nomem(err, "profiles") : no_list(err);
    }
    bool repeated = str_eq(next, buf_str(&p->next_token));
    buf_clear(&p->next_token);
    buf_add(&p->next_token, repeated ? AQ_STR("") : next);
    return buf_status(&p->next_token) == AQ_OK ? AQ_OK : error_nomem(err, "profiles");
}

aq_status profiles_add_page(struct profiles *p, struct aq_str json, struct aq_error *err)
{
    struct json_member list, element;
    if (!profiles_reserve(p)) {
        return error_nomem(err, "profiles");
    }
    if (!json_find(json, AQ_STR("profiles"), &list) || list.type != JSON_ARRAY) {
        return no_list(err);
    }
    struct json_reader r = json_reader(list.value);
    json_array(&r);
    while (json_next(&r, &element)) {
        aq_status st = profiles_add(p, element.value, err);
        if (st != AQ_OK) {
            return st;
        }
    }
    return profiles_turn(p, json, err);
}

void profiles_body(const struct profiles *p, struct buf *out)
{
    buf_add_char(out, '{');
    if (p->next_token.len) {
        buf_add(out, AQ_STR("\"nextToken\":"));
        buf_add_json(out, buf_str(&p->next_token));
    }
    buf_add_char(out, '}');
}

struct aq_profile *profiles_find(const struct profiles *p, struct aq_str arn)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (str_eq(p->list[i].arn, arn)) {
            return &p->list[i];
        }
    }
    return NULL;
}

void profiles_row(const struct aq_profile *profile, struct buf *out)
{
    buf_add(out, AQ_STR("{\"arn\":"));
    buf_add_json(out, profile->arn);
    buf_add(out, AQ_STR(",\"profile_name\":"));
    buf_add_json(out, profile->name);
    buf_add_char(out, '}');
}
