/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/token.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/endpoint.h"
#include "wire/timestamp.h"

enum {
    JSON_MAX = 1024 * 1024, /* bytes of a stored value; the Q CLI's have some thousand */
    START_URL_MAX = 2048,
};

/* A member whose text is wanted, and where its view goes. */
struct wanted {
    struct aq_str key;
    struct aq_str *ret;
    bool lax; /* anything but a string is somebody else's, and left alone */
};

static aq_status corrupt(struct aq_str key, const char *problem, struct aq_error *err)
{
    return error_set(err, AQ_E_CORRUPT, "stored login '%.*s': %s", AQ_STR_ARG(key), problem);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* True if json is the value null, which the Q CLI reads as "none". */
static bool is_null(struct aq_str json)
{
    while (json.len && is_space(json.ptr[json.len - 1])) {
        json.len--;
    }
    while (json.len && is_space(json.ptr[0])) {
        json = str_from_offset(json, 1);
    }
    return str_eq(json, AQ_STR("null"));
}

/* Decode a string or null behind text; there is room. */
static bool text_read(const struct json_member *m, struct buf *text, struct aq_str *ret)
{
    if (m->type != JSON_STRING && m->type != JSON_NULL) {
        return false;
    }
    char *start = (char *)text->ptr + text->len;
    size_t len = json_string_decode(m, start);
    text->len += len;
    *ret = len ? (struct aq_str){ start, len } : (struct aq_str){ NULL, 0 };
    return true;
}

/* Read the wanted members of the object json into text. Of members that are there twice the last
 * one counts. */
static aq_status texts_read(struct aq_str key, struct aq_str json, const struct wanted *wanted,
                            size_t count, struct buf *text, struct aq_error *err)
{
    struct json_reader r = json_reader(json);
    struct json_member m;

    if (is_null(json)) {
        return error_set(err, AQ_E_NOTFOUND, "stored login '%.*s': empty, log in", AQ_STR_ARG(key));
    }
    if (json.len > JSON_MAX) {
        return corrupt(key, "larger than 1 MiB", err);
    }
    /* decoding never grows, so the views stay where they are */
    if (!buf_reserve(text, json.len + TIMESTAMP_TEXT_MAX)) {
        return error_nomem(err, "stored login");
    }
    json_object(&r);
    while (json_next(&r, &m)) {
        for (size_t i = 0; i < count; i++) {
            if (json_key_is(&m, wanted[i].key) && !text_read(&m, text, wanted[i].ret) &&
                !wanted[i].lax) {
                return error_set(err, AQ_E_CORRUPT, "stored login '%.*s': %s is not a string",
                                 AQ_STR_ARG(key), wanted[i].key.ptr);
            }
        }
    }
    if (!json_finish(&r)) {
        return error_set(err, AQ_E_CORRUPT, "stored login '%.*s': malformed JSON at byte %zu (%s)",
                         AQ_STR_ARG(key), r.at, r.problem);
    }
    return AQ_OK;
}

/* Rows older than the other flow do not name theirs. */
static bool flow_read(struct aq_str text, enum token_flow *ret)
{
    bool pkce = str_eq(text, AQ_STR("Pkce")) || str_eq(text, AQ_STR("PKCE"));
    *ret = pkce ? TOKEN_FLOW_PKCE : TOKEN_FLOW_DEVICE_CODE;
    return pkce || text.len == 0 || str_eq(text, AQ_STR("DeviceCode"));
}

void token_done(struct token *t)
{
    buf_done(&t->text);
    *t = (struct token){ 0 };
}

void registration_done(struct registration *r)
{
    buf_done(&r->text);
    *r = (struct registration){ 0 };
}

/* It is shown to people and compared, never opened. */
static bool is_url(struct aq_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c == 0x7f) {
            return false;
        }
    }
    return s.len <= START_URL_MAX && str_starts(s, AQ_STR("https://"));
}

/* Moves: the local that is wiped on every way out is empty afterwards. */
static struct token token_take(struct token *t)
{
    struct token taken = *t;
    *t = (struct token){ 0 };
    return taken;
}

static struct registration registration_take(struct registration *r)
{
    struct registration taken = *r;
    *r = (struct registration){ 0 };
    return taken;
}

static const struct {
    enum token_kind kind;
    struct aq_str name;
    struct aq_str other; /* what Kiro's IDE calls it */
} kinds[] = {
    { TOKEN_OIDC, AQ_STR_INIT("oidc"), AQ_STR_INIT("IdC") },
    { TOKEN_SOCIAL, AQ_STR_INIT("social"), AQ_STR_INIT("social") },
    { TOKEN_EXTERNAL_IDP, AQ_STR_INIT("external-idp"), AQ_STR_INIT("external_idp") },
    { TOKEN_API_KEY, AQ_STR_INIT("api-key"), AQ_STR_INIT("api_key") },
};

struct aq_str token_kind_name(enum token_kind kind)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].name;
        }
    }
    return (struct aq_str){ NULL, 0 };
}

enum token_kind token_kind_find(struct aq_str name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (str_eq(kinds[i].name, name) || str_eq_nocase(kinds[i].other, name)) {
            return kinds[i].kind;
        }
    }
    return TOKEN_KIND_UNKNOWN;
}

/* A time without a zone is UTC; whom it is shown to need not know that. There is room in text for
 * one that programs write. */
static struct aq_str with_zone(struct aq_str time, struct buf *text)
{
    bool has_zone = time.len == 0 || time.ptr[time.len - 1] == 'Z' ||
                    time.ptr[time.len - 1] == 'z' || time.len >= TIMESTAMP_TEXT_MAX ||
                    (time.len > 6 && time.ptr[time.len - 3] == ':' &&
                     (time.ptr[time.len - 6] == '+' || time.ptr[time.len - 6] == '-'));
    if (has_zone) {
        return time;
    }
    size_t start = text->len;
    buf_add(text, time);
    buf_add_char(text, 'Z');
    return str_from_offset(buf_str(text), start);
}

aq_status token_parse(struct aq_str key, struct aq_str json, struct token *ret,
                      struct aq_error *err)
{
    AUTO(token) struct token t = { 0 };
    struct aq_str flow = { NULL, 0 };
    struct aq_str kind = { NULL, 0 };
    const struct wanted wanted[] = {
        { AQ_STR_INIT("access_token"), &t.access_token, false },
        { AQ_STR_INIT("accessToken"), &t.access_token, false },
        { AQ_STR_INIT("refresh_token"), &t.refresh_token, false },
        { AQ_STR_INIT("refreshToken"), &t.refresh_token, false },
        { AQ_STR_INIT("expires_at"), &t.expires_at, false },
        { AQ_STR_INIT("expiresAt"), &t.expires_at, false },
        { AQ_STR_INIT("region"), &t.region, false },
        { AQ_STR_INIT("start_url"), &t.start_url, false },
        { AQ_STR_INIT("startUrl"), &t.start_url, false },
        { AQ_STR_INIT("profile_arn"), &t.profile_arn, true },
        { AQ_STR_INIT("profileArn"), &t.profile_arn, true },
        { AQ_STR_INIT("client_id"), &t.client_id, false },
        { AQ_STR_INIT("issuer_url"), &t.issuer_url, false },
        { AQ_STR_INIT("token_endpoint"), &t.token_endpoint, false },
        { AQ_STR_INIT("oauth_flow"), &flow, false },
        { AQ_STR_INIT("kind"), &kind, true },
        { AQ_STR_INIT("authMethod"), &kind, true },
    };
    aq_status st = texts_read(key, json, wanted, sizeof(wanted) / sizeof(wanted[0]), &t.text, err);
    if (st != AQ_OK) {
        return st;
    }
    if (t.access_token.len == 0) {
        return corrupt(key, "no access_token", err);
    }
    if (!str_is_token(t.access_token)) {
        return corrupt(key, "access_token cannot travel in a header", err);
    }
    if (t.region.len && !endpoint_region_valid(t.region)) {
        return corrupt(key, "no valid region", err);
    }
    if (t.start_url.len && !is_url(t.start_url)) {
        return corrupt(key, "start_url is not a URL", err);
    }
    if (t.expires_at.len && !timestamp_parse(t.expires_at, &t.expires_at_s)) {
        return corrupt(key, "no valid expires_at", err);
    }
    if (!flow_read(flow, &t.flow)) {
        return corrupt(key, "unknown oauth_flow", err);
    }
    t.expires_at = with_zone(t.expires_at, &t.text);
    t.kind = token_kind_find(kind);
    *ret = token_take(&t);
    return AQ_OK;
}

aq_status registration_parse(struct aq_str key, struct aq_str json, struct registration *ret,
                             struct aq_error *err)
{
    AUTO(registration) struct registration r = { 0 };
    struct aq_str flow = { NULL, 0 };
    struct aq_str expires_at = { NULL, 0 };
    const struct wanted wanted[] = {
        { AQ_STR_INIT("client_id"), &r.client_id, false },
        { AQ_STR_INIT("client_secret"), &r.client_secret, false },
        { AQ_STR_INIT("client_secret_expires_at"), &expires_at, false },
        { AQ_STR_INIT("region"), &r.region, false },
        { AQ_STR_INIT("oauth_flow"), &flow, false },
    };
    aq_status st = texts_read(key, json, wanted, sizeof(wanted) / sizeof(wanted[0]), &r.text, err);
    if (st != AQ_OK) {
        return st;
    }
    if (r.client_id.len == 0 || r.client_secret.len == 0) {
        return corrupt(key, "no client_id or client_secret", err);
    }
    r.expires_at_s = INT64_MAX;
    if (expires_at.len && !timestamp_parse(expires_at, &r.expires_at_s)) {
        return corrupt(key, "no valid client_secret_expires_at", err);
    }
    if (!flow_read(flow, &r.flow)) {
        return corrupt(key, "unknown oauth_flow", err);
    }
    *ret = registration_take(&r);
    return AQ_OK;
}

/* A member that gets a new value: in place of `old`, or added if that is empty. */
struct change {
    struct aq_str key;
    struct aq_str value;
    struct aq_str old;
};

static void add_range(struct buf *out, struct aq_str json, size_t from, size_t to)
{
    buf_add(out, (struct aq_str){ json.ptr + from, to - from });
}

/* Write the well-formed object json with the changes made. */
static void changes_write(struct aq_str json, const struct change *changes, size_t count,
                          struct buf *out)
{
    struct json_reader r = json_reader(json);
    struct json_member m;
    size_t done = 0; /* bytes of json that are written or replaced */

    json_object(&r);
    size_t end = r.at; /* where a member can be added */
    bool any = false;
    for (; json_next(&r, &m); any = true) {
        end = r.at;
        for (size_t i = 0; i < count; i++) {
            if (changes[i].old.ptr == m.value.ptr) {
                add_range(out, json, done, end - m.value.len);
                buf_add_json(out, changes[i].value);
                done = end;
            }
        }
    }
    add_range(out, json, done, end);
    for (size_t i = 0; i < count; i++) {
        if (!changes[i].old.ptr) {
            buf_add(out, any ? AQ_STR(",") : AQ_STR(""));
            buf_add_json(out, changes[i].key);
            buf_add_char(out, ':');
            buf_add_json(out, changes[i].value);
            any = true;
        }
    }
    add_range(out, json, end, json.len);
}

aq_status token_apply(struct aq_str json, const struct token_update *update, struct buf *out,
                      struct aq_error *err)
{
    char expires_at[TIMESTAMP_TEXT_MAX];
    struct json_reader r = json_reader(json);
    json_object(&r);
    if (!json_finish(&r)) {
        return error_set(err, AQ_E_CORRUPT, "stored login: malformed JSON at byte %zu (%s)", r.at,
                         r.problem);
    }
    if (!timestamp_format(update->expires_at_s, expires_at)) {
        return error_set(err, AQ_E_INVALID, "new token: expires after the year 9999");
    }
    const struct aq_str none = { NULL, 0 };
    struct change changes[4] = {
        { AQ_STR_INIT("access_token"), update->access_token, none },
        { AQ_STR_INIT("expires_at"), str_from(expires_at), none },
    };
    size_t count = 2;
    if (update->refresh_token.len) {
        changes[count++] = (struct change){ AQ_STR("refresh_token"), update->refresh_token, none };
    }
    if (update->profile_arn.len) {
        changes[count++] = (struct change){ AQ_STR("profile_arn"), update->profile_arn, none };
    }
    for (size_t i = 0; i < count; i++) {
        struct json_member m;
        if (json_find(json, changes[i].key, &m)) {
            changes[i].old = m.value;
        }
    }
    changes_write(json, changes, count, out);
    return buf_status(out) == AQ_OK ? AQ_OK
                                    : error_set(err, buf_status(out), "new token: no room for it");
}
