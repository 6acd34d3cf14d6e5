/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers to signin.c mean. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/endpoint.h"
#include "wire/fault.h"
#include "wire/signin.h"
#include "wire/timestamp.h"

enum {
    CLIENT_ID_MAX = 1024,      /* bytes */
    CLIENT_SECRET_MAX = 16384, /* bytes; the real one is a signed document of some thousand */
    USER_CODE_MAX = 64,        /* bytes */
};

/* ---- refusals ---- */

/* What each error of the service means here. */
static const struct refusal {
    struct aq_str error; /* member `error` of the body */
    struct aq_str type;  /* x-amzn-errortype, code or __type */
    enum signin_outcome outcome;
    aq_status status;
    const char *what; /* and what to do */
} refusals[] = {
    { AQ_STR_INIT("authorization_pending"), AQ_STR_INIT("AuthorizationPendingException"),
      SIGNIN_PENDING, AQ_E_TIMEOUT, "nobody has approved it yet, log in again" },
    { AQ_STR_INIT("slow_down"), AQ_STR_INIT("SlowDownException"), SIGNIN_SLOW_DOWN, AQ_E_THROTTLED,
      "too many requests, try again later" },
    { AQ_STR_INIT("access_denied"), AQ_STR_INIT("AccessDeniedException"), SIGNIN_REFUSED,
      AQ_E_ACCESS, "access was denied, log in again and allow it" },
    { AQ_STR_INIT("expired_token"), AQ_STR_INIT("ExpiredTokenException"), SIGNIN_REFUSED,
      AQ_E_TIMEOUT, "the code has expired before it was confirmed, log in again" },
    { AQ_STR_INIT("invalid_grant"), AQ_STR_INIT("InvalidGrantException"), SIGNIN_REFUSED,
      AQ_E_VALIDATION, "the code is not accepted (any more), log in again" },
    { AQ_STR_INIT("invalid_client"), AQ_STR_INIT("InvalidClientException"), SIGNIN_CLIENT_UNKNOWN,
      AQ_E_VALIDATION, "the client registration is not accepted, log in again" },
    { AQ_STR_INIT("unauthorized_client"), AQ_STR_INIT("UnauthorizedClientException"),
      SIGNIN_CLIENT_UNKNOWN, AQ_E_ACCESS,
      "this kind of login is not allowed, try the other one (a browser here, or "
      "--use-device-flow)" },
    { AQ_STR_INIT("unsupported_grant_type"), AQ_STR_INIT("UnsupportedGrantTypeException"),
      SIGNIN_REFUSED, AQ_E_VALIDATION,
      "this kind of login is not supported, try the other one (a browser here, or "
      "--use-device-flow)" },
    { AQ_STR_INIT("invalid_client_metadata"), AQ_STR_INIT("InvalidClientMetadataException"),
      SIGNIN_REFUSED, AQ_E_VALIDATION, "the client is not accepted, look for a newer version" },
    { AQ_STR_INIT("invalid_redirect_uri"), AQ_STR_INIT("InvalidRedirectUriException"),
      SIGNIN_REFUSED, AQ_E_VALIDATION,
      "a login with a local browser is not accepted, use a code (--use-device-flow)" },
    { AQ_STR_INIT("invalid_scope"), AQ_STR_INIT("InvalidScopeException"), SIGNIN_REFUSED,
      AQ_E_VALIDATION, "the account does not have what is asked for, check the start URL" },
    { AQ_STR_INIT("invalid_request"), AQ_STR_INIT("InvalidRequestException"), SIGNIN_REFUSED,
      AQ_E_VALIDATION, "the request is not accepted, check the start URL and the region" },
    { AQ_STR_INIT("invalid_request"), AQ_STR_INIT("InvalidRequestRegionException"), SIGNIN_REFUSED,
      AQ_E_VALIDATION, "another region is responsible, check the region" },
    { AQ_STR_INIT("server_error"), AQ_STR_INIT("InternalServerException"), SIGNIN_TEMPORARY,
      AQ_E_SERVICE, "the service failed, try again later" },
};

static const struct refusal *refusal_by_code(struct aq_str code)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (str_eq(code, refusals[i].type) || str_eq(code, refusals[i].error)) {
            return &refusals[i];
        }
    }
    return NULL;
}

/* As the SDKs do, the type counts first; `error` is for answers without one that we know. */
static const struct refusal *refusal_find(const struct signin_answer *answer)
{
    struct json_member error;
    const struct refusal *refusal = refusal_by_code(fault_code(answer->error_type, answer->body));
    if (!refusal && json_find(answer->body, AQ_STR("error"), &error)) {
        refusal = refusal_by_code(json_string_plain(&error));
    }
    return refusal;
}

static aq_status tell(const struct refusal *refusal, struct aq_str error, struct aq_error *err)
{
    return error_set(err, refusal->status, "sign-in service: %s (%.*s)", refusal->what,
                     AQ_STR_ARG(error));
}

aq_status signin_denied(struct aq_str error, struct aq_error *err)
{
    const struct refusal *refusal = refusal_by_code(
        str_eq(error, AQ_STR("temporarily_unavailable")) ? AQ_STR("server_error") : error);
    return refusal ? tell(refusal, error, err)
                   : error_set(err, AQ_E_ACCESS,
                               "sign-in service: access was not allowed (%.*s), log in again and "
                               "allow it",
                               AQ_STR_ARG(error));
}

static enum signin_outcome judge(enum signin_outcome outcome, aq_status status, int32_t http,
                                 const char *what, struct aq_error *err)
{
    error_set(err, status, "sign-in service: %s (HTTP %d)", what, (int)http);
    if (err) {
        err->http = http;
    }
    return outcome;
}

static enum signin_outcome refuse(const struct signin_answer *answer, struct aq_error *err)
{
    int32_t http = answer->http;
    const struct refusal *refusal = refusal_find(answer);
    if (http >= 300 && http <= 399) {
        return judge(SIGNIN_REFUSED, AQ_E_PROTOCOL, http,
                     "a redirect was refused, check the endpoint and the proxy", err);
    }
    if (http == 407) {
        return judge(SIGNIN_REFUSED, AQ_E_NETWORK, http,
                     "the proxy wants a password, add it to the proxy setting", err);
    }
    if (refusal && http >= 400 && http <= 499) {
        tell(refusal, refusal->error, err);
        if (err) {
            err->http = http;
        }
        return refusal->outcome;
    }
    if (http == 429) {
        return judge(SIGNIN_TEMPORARY, AQ_E_THROTTLED, http, "too many requests, try again later",
                     err);
    }
    if (http >= 500) {
        return judge(SIGNIN_TEMPORARY, AQ_E_SERVICE, http, "the service failed, try again later",
                     err);
    }
    return judge(SIGNIN_REFUSED, AQ_E_SERVICE, http,
                 "failed without a known reason, check the endpoint and the proxy", err);
}

/* SIGNIN_OK: a successful answer, which is still to be read. */
static enum signin_outcome begin_answer(const struct signin_answer *answer, struct aq_error *err)
{
    return answer->http >= 200 && answer->http <= 299 ? SIGNIN_OK : refuse(answer, err);
}

static enum signin_outcome incomplete(const struct signin_answer *answer, struct aq_error *err)
{
    return judge(SIGNIN_REFUSED, AQ_E_PROTOCOL, answer->http,
                 "the answer is not complete, check the endpoint and the proxy", err);
}

static enum signin_outcome no_memory(struct aq_error *err)
{
    error_nomem(err, "login");
    return SIGNIN_REFUSED;
}

/* ---- answers ---- */

/* The string member m, decoded to the end of text, which has room for it. */
static struct aq_str take_string(const struct json_member *m, struct buf *text)
{
    char *at = (char *)text->ptr + text->len;
    size_t len = json_string_decode(m, at);
    text->len += len;
    return (struct aq_str){ at, len };
}

/* A member that is wanted: a text goes to `text`, a number to `number`. */
struct wanted {
    struct aq_str key;
    struct aq_str *text;
    int64_t *number;
};

static bool read_members(struct aq_str body, const struct wanted *wanted, size_t count,
                         struct buf *text)
{
    struct json_reader r = json_reader(body);
    struct json_member m;
    json_object(&r);
    while (json_next(&r, &m)) {
        for (size_t i = 0; i < count; i++) {
            if (!json_key_is(&m, wanted[i].key)) {
                continue;
            }
            if (wanted[i].text) {
                *wanted[i].text = take_string(&m, text);
            } else if (!json_int(&m, wanted[i].number)) {
                *wanted[i].number = 0;
            }
        }
    }
    return json_finish(&r);
}

static bool is_plain(struct aq_str s, size_t max)
{
    return str_is_token(s) && s.len <= max;
}

/* Moves: the local that is wiped on every way out is empty afterwards. */
static struct registration registration_take(struct registration *r)
{
    struct registration taken = *r;
    *r = (struct registration){ 0 };
    return taken;
}

enum signin_outcome signin_registered(const struct signin_answer *answer, struct registration *ret,
                                      struct aq_error *err)
{
    AUTO(registration) struct registration r = { 0 };
    char ignored[TIMESTAMP_TEXT_MAX];
    enum signin_outcome outcome = begin_answer(answer, err);
    if (outcome != SIGNIN_OK) {
        return outcome;
    }
    const struct wanted wanted[] = {
        { AQ_STR_INIT("clientId"), &r.client_id, NULL },
        { AQ_STR_INIT("clientSecret"), &r.client_secret, NULL },
        { AQ_STR_INIT("clientSecretExpiresAt"), NULL, &r.expires_at_s },
    };
    if (!buf_reserve(&r.text, answer->body.len)) {
        return no_memory(err);
    }
    if (!read_members(answer->body, wanted, sizeof(wanted) / sizeof(wanted[0]), &r.text) ||
        !is_plain(r.client_id, CLIENT_ID_MAX) || !is_plain(r.client_secret, CLIENT_SECRET_MAX) ||
        r.expires_at_s <= 0) {
        return incomplete(answer, err);
    }
    if (!timestamp_format(r.expires_at_s, ignored)) { /* its row could not be written later */
        return judge(SIGNIN_REFUSED, AQ_E_PROTOCOL, answer->http,
                     "an expiry after the year 9999, check the endpoint", err);
    }
    *ret = registration_take(&r);
    return SIGNIN_OK;
}

void signin_device_done(struct signin_device *d)
{
    buf_done(&d->text);
    *d = (struct signin_device){ 0 };
}

static struct signin_device signin_device_take(struct signin_device *d)
{
    struct signin_device taken = *d;
    *d = (struct signin_device){ 0 };
    return taken;
}

/* It is shown to a person, who shall open it. */
static bool is_page(struct aq_str url)
{
    return is_plain(url, SIGNIN_URL_MAX) && endpoint_is_page(url);
}

enum signin_outcome signin_device_granted(const struct signin_answer *answer,
                                          struct signin_device *ret, struct aq_error *err)
{
    AUTO(signin_device) struct signin_device d = { .interval_s = SIGNIN_INTERVAL_S };
    enum signin_outcome outcome = begin_answer(answer, err);
    if (outcome != SIGNIN_OK) {
        return outcome;
    }
    const struct wanted wanted[] = {
        { AQ_STR_INIT("deviceCode"), &d.device_code, NULL },
        { AQ_STR_INIT("userCode"), &d.user_code, NULL },
        { AQ_STR_INIT("verificationUri"), &d.short_url, NULL },
        { AQ_STR_INIT("verificationUriComplete"), &d.url, NULL },
        { AQ_STR_INIT("expiresIn"), NULL, &d.lifetime_s },
        { AQ_STR_INIT("interval"), NULL, &d.interval_s },
    };
    if (!buf_reserve(&d.text, answer->body.len)) {
        return no_memory(err);
    }
    if (!read_members(answer->body, wanted, sizeof(wanted) / sizeof(wanted[0]), &d.text) ||
        !str_is_token(d.device_code) || !is_plain(d.user_code, USER_CODE_MAX) ||
        !is_page(d.short_url) || (d.url.len && !is_page(d.url)) || d.lifetime_s <= 0) {
        return incomplete(answer, err);
    }
    d.url = d.url.len ? d.url : d.short_url;
    d.lifetime_s = d.lifetime_s < SIGNIN_LIFETIME_MAX_S ? d.lifetime_s : SIGNIN_LIFETIME_MAX_S;
    d.interval_s = d.interval_s < 1 ? 1 : d.interval_s;
    d.interval_s = d.interval_s < d.lifetime_s ? d.interval_s : d.lifetime_s;
    *ret = signin_device_take(&d);
    return SIGNIN_OK;
}

/* What something on the way has put in the answer's place, and may not put there again. */
static bool is_of_another(const struct signin_answer *answer)
{
    struct json_reader r = json_reader(answer->body);
    bool object = json_object(&r) && json_valid(answer->body);
    return !object && answer->http != 407 && !refusal_find(answer);
}

static enum signin_outcome read_granted(const struct signin_answer *answer, struct oidc_tokens *ret,
                                        struct aq_error *err)
{
    AUTO(oidc_tokens) struct oidc_tokens t = { 0 };
    enum signin_outcome outcome = begin_answer(answer, err);
    if (outcome != SIGNIN_OK) {
        return outcome;
    }
    bool usable = oidc_tokens_read(answer->body, &t);
    if (buf_status(&t.text) != AQ_OK) {
        return no_memory(err);
    }
    if (!usable) {
        return incomplete(answer, err);
    }
    *ret = t;
    t = (struct oidc_tokens){ 0 };
    return SIGNIN_OK;
}

/* A person is on the way by now: a page does not end it. */
enum signin_outcome signin_granted(const struct signin_answer *answer, struct oidc_tokens *ret,
                                   struct aq_error *err)
{
    enum signin_outcome outcome = read_granted(answer, ret, err);
    return outcome == SIGNIN_REFUSED && is_of_another(answer) ? SIGNIN_TEMPORARY : outcome;
}
