/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/fault.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"

#include <string.h>

/* What of the service's words goes into an error text, in bytes. */
enum { CODE_MAX = 64, MESSAGE_MAX = 200, REQUEST_ID_MAX = 64, DETAILS_MAX = 400 };

/* How much of a secret must turn up in those words to be taken for it; shorter ones are words. */
enum { SECRET_MIN = 8, SECRET_FRONT = 16 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Codes that the SDKs of the service repeat a request for. Throttling ones come first. */
static const struct aq_str listed_codes[] = {
    AQ_STR_INIT("Throttling"),
    AQ_STR_INIT("ThrottlingException"),
    AQ_STR_INIT("ThrottledException"),
    AQ_STR_INIT("RequestThrottledException"),
    AQ_STR_INIT("TooManyRequestsException"),
    AQ_STR_INIT("ProvisionedThroughputExceededException"),
    AQ_STR_INIT("TransactionInProgressException"),
    AQ_STR_INIT("RequestLimitExceeded"),
    AQ_STR_INIT("BandwidthLimitExceeded"),
    AQ_STR_INIT("LimitExceededException"),
    AQ_STR_INIT("RequestThrottled"),
    AQ_STR_INIT("SlowDown"),
    AQ_STR_INIT("PriorRequestNotComplete"),
    AQ_STR_INIT("EC2ThrottledException"),
    AQ_STR_INIT("RequestTimeout"),
    AQ_STR_INIT("RequestTimeoutException"),
};

enum { THROTTLING_CODES = COUNT(listed_codes) - 2 };

/* Codes by their stem: the service spells them ...Exception here and ...Error there. */
static const struct {
    struct aq_str stem;
    aq_status status;
} classes[] = {
    { AQ_STR_INIT("Throttling"), AQ_E_THROTTLED },
    { AQ_STR_INIT("AccessDenied"), AQ_E_ACCESS },
    { AQ_STR_INIT("ExpiredToken"), AQ_E_AUTH },
    { AQ_STR_INIT("UnrecognizedClient"), AQ_E_AUTH },
    { AQ_STR_INIT("InvalidClientTokenId"), AQ_E_AUTH },
    { AQ_STR_INIT("InvalidSignature"), AQ_E_AUTH },
    { AQ_STR_INIT("SignatureDoesNotMatch"), AQ_E_AUTH },
    { AQ_STR_INIT("IncompleteSignature"), AQ_E_AUTH },
    { AQ_STR_INIT("RequestExpired"), AQ_E_AUTH },
    { AQ_STR_INIT("ServiceQuotaExceeded"), AQ_E_QUOTA },
    { AQ_STR_INIT("Validation"), AQ_E_VALIDATION },
    { AQ_STR_INIT("ResourceNotFound"), AQ_E_VALIDATION },
    { AQ_STR_INIT("Conflict"), AQ_E_CONFLICT },
    { AQ_STR_INIT("InternalServer"), AQ_E_SERVICE },
    { AQ_STR_INIT("ServiceUnavailable"), AQ_E_SERVICE },
};

/* What a class means and what to do about it. The last row stands for the rest. */
static const struct meaning {
    aq_status status;
    const char *what;
    const char *next;
} meanings[] = {
    { AQ_E_AUTH, "service: the access token was rejected", "log in again" },
    { AQ_E_ACCESS, "service: this login may not do that",
      "check the subscription and the profile of the account" },
    { AQ_E_THROTTLED, "service: too many requests", "wait a moment and try again" },
    { AQ_E_QUOTA, "service: a usage limit is reached",
      "wait until it resets or ask for a higher one" },
    { AQ_E_OVERLOADED, "service: the model has no capacity now",
      "try again later or choose another model" },
    { AQ_E_TOO_LONG, "service: the input does not fit the model", "shorten it" },
    { AQ_E_VALIDATION, "service: the request was refused", "check it and the endpoint" },
    { AQ_E_CONFLICT, "service: its state forbids the request", "see its message" },
    { AQ_E_NETWORK, "proxy: wants a user name and password", "add them to the proxy setting" },
    { AQ_E_SERVICE, "service: could not answer", "try again later" },
};

static const struct meaning key_rejected = {
    AQ_E_AUTH, "service: the access key was rejected",
    "see whether it has expired and whether the clock is right"
};

#define MONTHLY_LIMIT AQ_STR("MONTHLY_REQUEST_COUNT")
#define DAILY_LIMIT AQ_STR("DAILY_REQUEST_COUNT")
#define HIGH_LOAD \
    AQ_STR("Encountered unexpectedly high load when processing the request, please try again.")

struct aq_str fault_code(struct aq_str error_type, struct aq_str body)
{
    struct json_member m;
    struct aq_str code = error_type;

    if (code.len == 0 && json_find(body, AQ_STR("code"), &m)) {
        code = json_string_plain(&m);
    }
    if (code.len == 0 && json_find(body, AQ_STR("__type"), &m)) {
        code = json_string_plain(&m);
    }
    struct aq_str local = code; /* "namespace#Code:more" */
    local = str_cut(&local, ':');
    code = local;
    str_cut(&local, '#');
    return local.ptr ? local : code;
}

static bool is_message(const struct json_member *m)
{
    return json_key_is(m, AQ_STR("message")) || json_key_is(m, AQ_STR("Message")) ||
           json_key_is(m, AQ_STR("errorMessage"));
}

void fault_read(struct fault *fault, struct aq_str error_type, struct aq_str body,
                struct buf *scratch)
{
    struct json_reader r = json_reader(body);
    struct json_member m;

    fault->code = fault_code(error_type, body);
    fault->body = body;
    if (!json_object(&r)) {
        return;
    }
    while (json_next(&r, &m)) {
        if (m.type == JSON_STRING && is_message(&m)) {
            fault->message = json_text(&m, scratch);
        } else if (m.type == JSON_STRING && json_key_is(&m, AQ_STR("reason"))) {
            fault->reason = json_string_plain(&m);
        }
    }
}

static bool says(const struct fault *fault, struct aq_str phrase)
{
    return str_contains(fault->body, phrase) || str_contains(fault->message, phrase);
}

static bool contains_nocase(struct aq_str s, struct aq_str part)
{
    for (size_t i = 0; i + part.len <= s.len; i++) {
        if (str_eq_nocase((struct aq_str){ s.ptr + i, part.len }, part)) {
            return true;
        }
    }
    return false;
}

static bool rejects_token(const struct fault *fault)
{
    return contains_nocase(fault->message, AQ_STR("bearer token")) &&
           (contains_nocase(fault->message, AQ_STR("invalid")) ||
            contains_nocase(fault->message, AQ_STR("expired")));
}

/* The code without Exception or Error at its end. */
static struct aq_str code_stem(struct aq_str code)
{
    static const struct aq_str endings[] = { AQ_STR_INIT("Exception"), AQ_STR_INIT("Error") };
    for (size_t i = 0; i < COUNT(endings); i++) {
        if (str_ends(code, endings[i])) {
            code.len -= endings[i].len;
            break;
        }
    }
    return code;
}

static bool code_in(const struct fault *fault, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (str_eq(fault->code, listed_codes[i])) {
            return true;
        }
    }
    return false;
}

static aq_status status_of_code(const struct fault *fault)
{
    struct aq_str stem = code_stem(fault->code);
    for (size_t i = 0; i < COUNT(classes); i++) {
        if (str_eq_nocase(stem, classes[i].stem)) { /* streams begin them with a small letter */
            return classes[i].status;
        }
    }
    return code_in(fault, 0, THROTTLING_CODES) ? AQ_E_THROTTLED : AQ_OK;
}

static aq_status status_of_http(int32_t http)
{
    switch (http) {
    case 403:
        return AQ_E_ACCESS;
    case 407:
        return AQ_E_NETWORK;
    case 408:
        return AQ_E_SERVICE;
    case 409:
        return AQ_E_CONFLICT;
    case 413:
        return AQ_E_TOO_LONG;
    default:
        return http >= 400 && http <= 499 ? AQ_E_VALIDATION : AQ_E_SERVICE;
    }
}

/* The phrases before the codes, in the order in which the Q CLI looks for them. */
aq_status fault_status(const struct fault *fault)
{
    if (says(fault, AQ_STR("Input is too long.")) ||
        str_eq(fault->reason, AQ_STR("CONTENT_LENGTH_EXCEEDS_THRESHOLD"))) {
        return AQ_E_TOO_LONG;
    }
    if (says(fault, AQ_STR("INSUFFICIENT_MODEL_CAPACITY")) ||
        str_eq(fault->reason, AQ_STR("MODEL_TEMPORARILY_UNAVAILABLE")) ||
        (fault->model_named && fault->http == 500 && says(fault, HIGH_LOAD))) {
        return AQ_E_OVERLOADED;
    }
    if (fault->http == 429) {
        return AQ_E_THROTTLED;
    }
    if (says(fault, MONTHLY_LIMIT)) {
        return AQ_E_QUOTA;
    }
    aq_status by_code = status_of_code(fault);
    bool about_access = fault->http == 403 || by_code == AQ_E_ACCESS;
    if (fault->http == 401 || (about_access && rejects_token(fault))) {
        return AQ_E_AUTH;
    }
    return by_code != AQ_OK ? by_code : status_of_http(fault->http);
}

bool fault_refuses_login(const struct fault *fault)
{
    switch (fault_status(fault)) {
    case AQ_E_AUTH:
        return true;
    case AQ_E_ACCESS:
        return fault->reason.len == 0;
    case AQ_E_VALIDATION: /* "profileArn is required", of a login that has none; or no such service
                           */
        return contains_nocase(fault->message, AQ_STR("profileArn")) ||
               (fault->code.len == 0 &&
                (fault->http == 404 || fault->http == 410 || fault->http == 421));
    default:
        return false;
    }
}

enum fault_repeat fault_retry(const struct fault *fault)
{
    if (says(fault, MONTHLY_LIMIT)) {
        return FAULT_RETRY_NEVER;
    }
    if (fault->http == 500 &&
        (says(fault, HIGH_LOAD) || says(fault, AQ_STR("ServiceUnavailableException")))) {
        return FAULT_RETRY_THROTTLED;
    }
    struct aq_str stem = code_stem(fault->code);
    if (code_in(fault, 0, THROTTLING_CODES) || str_eq(stem, AQ_STR("Throttling"))) {
        return FAULT_RETRY_THROTTLED;
    }
    if (fault->http == 500 || (fault->http >= 502 && fault->http <= 504)) {
        return FAULT_RETRY_SOON;
    }
    return fault_names_delay(fault) || str_eq(stem, AQ_STR("InternalServer")) ? FAULT_RETRY_SOON
                                                                              : FAULT_RETRY_NEVER;
}

bool fault_names_delay(const struct fault *fault)
{
    return code_in(fault, 0, COUNT(listed_codes));
}

/* The scalar value of the valid UTF-8 sequence at p. */
static uint32_t scalar_at(const uint8_t *p, size_t len)
{
    uint32_t scalar = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        scalar = scalar << 6 | (p[i] & 0x3f);
    }
    return scalar;
}

/* Characters that a terminal obeys, or that reorder or hide text. */
static bool is_unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

/* Append at most max bytes of s as printable UTF-8. */
static void add_printable(struct buf *out, struct aq_str s, size_t max)
{
    const uint8_t *p = (const uint8_t *)s.ptr;
    size_t used = 0;

    for (size_t i = 0; i < s.len;) {
        size_t len = utf8_sequence(p + i, s.len - i);
        bool printable = len && !is_unprintable(scalar_at(p + i, len));
        struct aq_str add = printable ? (struct aq_str){ s.ptr + i, len } : AQ_STR("?");
        if (used + add.len > max) {
            buf_add(out, AQ_STR("..."));
            return;
        }
        buf_add(out, add);
        used += add.len;
        i += len ? len : 1;
    }
}

bool fault_reveals(struct aq_str s, struct aq_str secret)
{
    if (secret.len > SECRET_FRONT) {
        secret.len = SECRET_FRONT;
    }
    return secret.len >= SECRET_MIN && str_contains(s, secret);
}

static void add_detail(struct buf *out, struct aq_str before, struct aq_str s, size_t max,
                       struct aq_str secret)
{
    if (s.len && !fault_reveals(s, secret)) {
        buf_add(out, before);
        add_printable(out, s, max);
    }
}

static const struct meaning *meaning_of(const struct fault *fault)
{
    aq_status status = fault_status(fault);
    size_t i = 0;
    if (status == AQ_E_AUTH && fault->is_signed) {
        return &key_rejected;
    }
    while (i + 1 < COUNT(meanings) && meanings[i].status != status) {
        i++;
    }
    return &meanings[i];
}

aq_status fault_error(const struct fault *fault, struct aq_str request_id, struct aq_str secret,
                      struct aq_error *err)
{
    AUTO(buf) struct buf details = BUF(DETAILS_MAX);
    const struct meaning *meaning = meaning_of(fault);
    struct aq_str message = fault->message;

    if (message.len && message.ptr[message.len - 1] == '.') {
        message.len--;
    }
    if (fault->http) {
        buf_printf(&details, "HTTP %d", (int)fault->http);
    } else {
        buf_add(&details, AQ_STR("during the answer"));
    }
    add_detail(&details, AQ_STR(" "), fault->code, CODE_MAX, secret);
    add_detail(&details, AQ_STR(": "), message, MESSAGE_MAX, secret);
    add_detail(&details, AQ_STR(", request id "), request_id, REQUEST_ID_MAX, secret);

    const char *next = meaning->next;
    if (says(fault, MONTHLY_LIMIT)) {
        next = "the monthly limit resets on the 1st (UTC)";
    } else if (says(fault, DAILY_LIMIT)) {
        next = "the limit of the day is used up, go on tomorrow";
    }
    error_set(err, meaning->status, "%s (%.*s), %s", meaning->what, AQ_STR_ARG(buf_str(&details)),
              next);
    if (err) {
        err->http = fault->http;
    }
    return meaning->status;
}
