/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/aws_reply.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/timestamp.h"

enum { PROBLEM_MAX = 64 };

/* --- the key --- */

aq_status aws_key_set(struct aws_key *key, struct aq_str id, struct aq_str secret,
                      struct aq_str session_token, struct aq_error *err)
{
    aws_key_done(key);
    buf_add(&key->access_key_id, id);
    buf_add(&key->secret_access_key, secret);
    buf_add(&key->session_token, session_token);
    const struct buf *const parts[] = { &key->access_key_id, &key->secret_access_key,
                                        &key->session_token };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (buf_status(parts[i]) != AQ_OK) {
            return error_nomem(err, "access key");
        }
    }
    return AQ_OK;
}

void aws_key_done(struct aws_key *key)
{
    buf_done(&key->access_key_id);
    buf_done(&key->secret_access_key);
    buf_done(&key->session_token);
    key->expires_at_s = 0;
}

void aws_key_view(const struct aws_key *key, struct aq_str source, struct aq_access_key *ret)
{
    *ret = (struct aq_access_key){
        .struct_size = sizeof(*ret),
        .access_key_id = buf_str(&key->access_key_id),
        .secret_access_key = buf_str(&key->secret_access_key),
        .session_token = buf_str(&key->session_token),
        .expires_at_s = key->expires_at_s,
        .source = source,
    };
}

/* --- what they have in common --- */

struct parts {
    struct aq_str id, secret, session_token, expiration;
};

static aq_status finish(const char *object, const struct parts *parts, struct aws_key *ret,
                        struct aq_error *err)
{
    int64_t expires_at_s = 0;
    if (parts->id.len == 0 || parts->secret.len == 0) {
        return error_set(err, AQ_E_CORRUPT,
                         "%s: gave no access key (AccessKeyId and SecretAccessKey)", object);
    }
    if (parts->expiration.len && !timestamp_parse(parts->expiration, &expires_at_s)) {
        return error_set(err, AQ_E_CORRUPT, "%s: gave an access key whose Expiration is no time",
                         object);
    }
    aq_status st = aws_key_set(ret, parts->id, parts->secret, parts->session_token, err);
    ret->expires_at_s = expires_at_s;
    return st;
}

/* --- JSON --- */

/* A text as it stands there, or decoded: some writers put an escape before a slash or for a plus.
 * There is room in texts, which the view points into. */
static bool take(const struct json_member *m, const char *key, struct buf *texts,
                 struct aq_str *ret)
{
    if (m->type != JSON_STRING || !json_key_is(m, str_from(key))) {
        return false;
    }
    char *at = (char *)texts->ptr + texts->len;
    *ret = (struct aq_str){ at, json_string_decode(m, at) };
    texts->len += ret->len;
    return true;
}

aq_status aws_reply_json(const char *object, struct aq_str text, bool versioned,
                         struct aws_key *ret, struct aq_error *err)
{
    struct json_reader r = json_reader(text);
    struct json_member m;
    struct parts parts = { 0 };
    bool is_version_1 = false;
    AUTO(buf) struct buf texts = BUF(0);
    if (!buf_reserve(&texts, text.len)) { /* once: the views point into it */
        return error_nomem(err, object);
    }
    if (json_object(&r)) {
        while (json_next(&r, &m)) {
            is_version_1 |= json_key_is(&m, AQ_STR("Version")) && str_eq(m.value, AQ_STR("1"));
            (void)(take(&m, "AccessKeyId", &texts, &parts.id) ||
                   take(&m, "SecretAccessKey", &texts, &parts.secret) ||
                   take(&m, "SessionToken", &texts, &parts.session_token) ||
                   take(&m, "Token", &texts, &parts.session_token) ||
                   take(&m, "Expiration", &texts, &parts.expiration));
        }
    }
    if (!json_finish(&r)) {
        return error_set(err, AQ_E_CORRUPT, "%s: did not answer with one JSON object", object);
    }
    if (versioned && !is_version_1) {
        return error_set(err, AQ_E_CORRUPT, "%s: its answer has no \"Version\": 1", object);
    }
    return finish(object, &parts, ret, err);
}

/* --- XML, as much as STS needs: its texts are tokens, without entities --- */

static struct aq_str element(struct aq_str text, const char *name)
{
    const struct aq_str wanted = str_from(name);
    for (struct aq_str rest = text; rest.ptr;) {
        str_cut(&rest, '<');
        if (str_starts(rest, wanted) && rest.len > wanted.len && rest.ptr[wanted.len] == '>') {
            struct aq_str content = str_from_offset(rest, wanted.len + 1);
            return str_cut(&content, '<');
        }
    }
    return AQ_STR("");
}

aq_status aws_reply_sts(struct aq_str text, struct aws_key *ret, struct aq_error *err)
{
    const struct parts parts = { element(text, "AccessKeyId"), element(text, "SecretAccessKey"),
                                 element(text, "SessionToken"), element(text, "Expiration") };
    return finish("STS", &parts, ret, err);
}

/* --- what is wrong --- */

static struct aq_str json_problem(struct aq_str text)
{
    struct json_reader r = json_reader(text);
    struct json_member m;
    struct aq_str code = AQ_STR("");
    if (json_object(&r)) {
        while (json_next(&r, &m)) {
            if (json_key_is(&m, AQ_STR("code")) || json_key_is(&m, AQ_STR("Code"))) {
                code = json_string_plain(&m);
            }
        }
    }
    return code;
}

void aws_reply_problem(struct aq_str text, struct buf *ret)
{
    struct aq_str code = element(text, "Code");
    code = code.len ? code : json_problem(text);
    for (size_t i = 0; i < code.len && i < PROBLEM_MAX; i++) {
        buf_add_char(ret, code.ptr[i] >= ' ' && code.ptr[i] <= '~' ? code.ptr[i] : '?');
    }
}
