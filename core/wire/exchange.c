/* SPDX-License-Identifier: Apache-2.0 */
/* The order of things: which call fits when, what is repeated, what the caller is told. What the
 * service's words mean is in chat.c, how frames are cut in eventstream.c. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/options.h"
#include "base/str.h"
#include "wire/chat.h"
#include "wire/endpoint.h"
#include "wire/eventstream.h"
#include "wire/fault.h"

#include <amazonq/exchange.h>
#include <amazonq/version.h>
#include <stdio.h>
#include <string.h>

enum {
    ERROR_BODY_MAX = 64 * 1024, /* bytes; the rest of a longer one is ignored */
    REPLY_MAX = 16 * 1024 * 1024,
    USER_AGENT_MAX = 1024,
    ATTEMPTS_DEFAULT = 3,
    DELAY_FIRST_MS = 1000, /* doubled with each attempt */
    DELAY_MAX_MS = 10 * 1000,
    HOST_MAX = 255, /* bytes of a name in an error text */
    UUID_TEXT_LEN = 36,
    ATTEMPT_TEXT_MAX = 48, /* "attempt=1; max=3" */
    HEADER_COUNT = 8,
};

/* Where an exchange is. "Due" means that the next call of aq_exchange_next reports it. */
enum phase {
    SEND_DUE,
    SENT,    /* until the head of the answer is here */
    REFUSED, /* until the body that says why is here */
    TOKEN_DUE,
    TOKEN_WAIT,
    RETRY_DUE,
    RETRY_WAIT,
    STREAM,
    REPLY, /* until the whole body is here */
    REPLY_DUE,
    ENDED,
    FAILED,
};

enum fault_part { FAULT_CODE, FAULT_REASON, FAULT_MESSAGE, FAULT_PARTS };

struct aq_exchange {
    enum phase phase;
    const struct chat_call *call;

    /* the request, the same in every attempt but for the token */
    struct buf url;
    struct buf body;
    struct buf authorization;
    struct buf rejected; /* the token before that one, if the service refused it */
    struct buf user_agent;
    char invocation_id[UUID_TEXT_LEN + 1];
    bool opt_out;
    bool model_named;

    /* the attempts */
    uint32_t attempt; /* from 1 */
    uint32_t max_attempts;
    bool token_renewed;
    uint64_t random[4];
    uint32_t delay_ms;
    uint64_t deadline_us;
    char attempt_text[ATTEMPT_TEXT_MAX];
    struct aq_exchange_header headers[HEADER_COUNT];

    /* the answer */
    int32_t http;
    bool response_due;
    struct buf request_id;
    struct buf error_type;
    int64_t retry_after_ms; /* -1: not said */
    struct buf collected;   /* body of an error or a reply */
    struct eventstream_decoder decoder;
    struct buf scratch;            /* text of the event last reported, if it had escapes */
    struct buf fault[FAULT_PARTS]; /* what aq_exchange_fault tells */
    struct aq_error broken; /* reported by aq_exchange_fail while events are still to be read */

    struct aq_event event;
    struct aq_error error;
    bool error_reported;
};

/* --- making one --- */

static uint64_t rotate(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

/* xoshiro256**: not for secrets, only for ids and delays. */
static uint64_t random_next(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

/* Seeds that differ in one bit only shall differ in all that follows. */
static void random_begin(uint64_t s[4], const uint8_t seed[32])
{
    memcpy(s, seed, 32);
    for (int i = 0; i < 16; i++) {
        random_next(s);
    }
}

/* A UUID of version 4. */
static void make_uuid(uint64_t random[4], char ret[UUID_TEXT_LEN + 1])
{
    uint64_t a = random_next(random);
    uint64_t b = random_next(random);
    snprintf(ret, UUID_TEXT_LEN + 1, "%08x-%04x-4%03x-%04x-%04x%08x", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
             (unsigned)(b >> 48 & 0x3fff) | 0x8000, (unsigned)(b >> 32 & 0xffff),
             (unsigned)(b & 0xffffffff));
}

static aq_status set_token(struct aq_exchange *x, struct aq_str token, struct aq_error *err)
{
    if (!str_is_token(token)) {
        return error_set(
            err, AQ_E_INVALID,
            "access token: not 1 to 16384 printable ASCII characters, export it again");
    }
    buf_done(&x->authorization);
    buf_add(&x->authorization, AQ_STR("Bearer "));
    buf_add(&x->authorization, token);
    return buf_status(&x->authorization) == AQ_OK ? AQ_OK : error_nomem(err, "access token");
}

static struct aq_str current_token(const struct aq_exchange *x)
{
    return str_from_offset(buf_str(&x->authorization), sizeof("Bearer ") - 1);
}

static aq_status set_user_agent(struct aq_exchange *x, struct aq_str user_agent,
                                struct aq_error *err)
{
    bool legal = user_agent.len <= USER_AGENT_MAX;
    for (size_t i = 0; i < user_agent.len; i++) {
        legal = legal && user_agent.ptr[i] >= 0x20 && user_agent.ptr[i] <= 0x7e;
    }
    if (!legal) {
        return error_set(err, AQ_E_INVALID,
                         "user agent: not printable ASCII of at most %d characters, change it",
                         USER_AGENT_MAX);
    }
    buf_add(&x->user_agent, user_agent.len ? user_agent : AQ_STR("libamazonq/" AQ_VERSION));
    return buf_status(&x->user_agent) == AQ_OK ? AQ_OK : error_nomem(err, "user agent");
}

/* The region that is named, or that of the profile if the service has a built-in endpoint there, or
 * the default. */
static struct aq_str service_region(struct aq_str named, struct aq_str profile_arn)
{
    if (named.len) {
        return named;
    }
    struct aq_str region = endpoint_region_of_arn(profile_arn);
    return str_eq(region, AQ_STR("eu-central-1")) ? region : AQ_STR("us-east-1");
}

static aq_status set_url(struct aq_exchange *x, const struct aq_exchange_options *options,
                         struct aq_error *err)
{
    bool named = options->flags & AQ_EXCHANGE_ENDPOINT_NAMED;
    aq_status st =
        options->endpoint.len
            ? endpoint_check(AQ_STR("endpoint"), options->endpoint, named, &x->url, err)
            : endpoint_service(options->region.len ? AQ_STR("region") : AQ_STR("profile"),
                               service_region(options->region, options->request->profile_arn),
                               &x->url, err);
    if (st != AQ_OK) {
        return st;
    }
    buf_add_char(&x->url, '/');
    chat_query(x->call, buf_str(&x->body), &x->url);
    return buf_status(&x->url) == AQ_OK ? AQ_OK : error_nomem(err, "request");
}

static aq_status set_body(struct aq_exchange *x, const struct aq_exchange_options *options,
                          struct aq_error *err)
{
    const struct aq_stream_options *request = options->request;
    char uuid[UUID_TEXT_LEN + 1];
    make_uuid(x->random, uuid);

    bool send_profile = !(options->flags & AQ_EXCHANGE_NO_PROFILE);
    struct chat_parts parts = {
        .body = str_of_bytes(request->body),
        .prompt = request->prompt,
        .conversation_id = request->conversation_id.len ? request->conversation_id : str_from(uuid),
        .model_id = request->model_id,
        .profile_arn = send_profile ? request->profile_arn : AQ_STR(""),
        .client_token = str_from(uuid),
    };
    /* a guess for whole bodies; it only tells "overloaded" from "failed" */
    x->model_named = request->model_id.len || str_contains(parts.body, AQ_STR("\"modelId\""));
    return chat_body(x->call, &parts, &x->body, err);
}

static aq_status set_request(struct aq_exchange *x, const struct aq_exchange_options *options,
                             struct aq_error *err)
{
    x->call = chat_call_find(options->request->call);
    if (!x->call) {
        return error_set(err, AQ_E_INVALID, "request: there is no call %d",
                         (int)options->request->call);
    }
    x->opt_out = options->flags & AQ_EXCHANGE_OPT_OUT;
    x->max_attempts = options->max_attempts ? options->max_attempts : ATTEMPTS_DEFAULT;
    x->attempt = 1;
    x->retry_after_ms = -1;
    random_begin(x->random, options->seed);
    make_uuid(x->random, x->invocation_id);

    aq_status st = set_token(x, options->request->access_token, err);
    if (st == AQ_OK) {
        st = set_user_agent(x, options->user_agent, err);
    }
    if (st == AQ_OK) {
        st = set_body(x, options, err);
    }
    return st == AQ_OK ? set_url(x, options, err) : st;
}

aq_status aq_exchange_new(const struct aq_exchange_options *options, struct aq_exchange **ret,
                          struct aq_error *err)
{
    struct aq_exchange_options known = { 0 };
    struct aq_stream_options request = AQ_STREAM_OPTIONS_INIT;
    if (!options_copy(&known, sizeof(known), options) ||
        !options_copy(&request, sizeof(request), known.request)) {
        return error_set(err, AQ_E_INVALID, "exchange: options are incomplete, set struct_size");
    }
    known.request = &request;
    struct aq_exchange *x = ALLOC(struct aq_exchange);
    if (!x) {
        return error_nomem(err, "exchange");
    }
    aq_status st = set_request(x, &known, err);
    if (st != AQ_OK) {
        aq_exchange_free(x);
        return st;
    }
    *ret = x;
    return AQ_OK;
}

void aq_exchange_free(struct aq_exchange *x)
{
    if (!x) {
        return;
    }
    buf_done(&x->url);
    buf_done(&x->body);
    buf_done(&x->authorization);
    buf_done(&x->rejected);
    buf_done(&x->user_agent);
    buf_done(&x->request_id);
    buf_done(&x->error_type);
    buf_done(&x->collected);
    buf_done(&x->scratch);
    for (size_t i = 0; i < FAULT_PARTS; i++) {
        buf_done(&x->fault[i]);
    }
    eventstream_done(&x->decoder);
    alloc_free(x, sizeof(*x));
}

/* --- the request --- */

aq_status aq_exchange_request(struct aq_exchange *x, struct aq_exchange_request *ret,
                              struct aq_error *err)
{
    if (x->phase != SENT) {
        return error_set(err, AQ_E_STATE,
                         "exchange: nothing is to be sent now, wait for the event");
    }
    snprintf(x->attempt_text, sizeof(x->attempt_text), "attempt=%u; max=%u", (unsigned)x->attempt,
             (unsigned)x->max_attempts);

    const struct aq_exchange_header headers[HEADER_COUNT] = {
        { AQ_STR("content-type"), AQ_STR("application/x-amz-json-1.0") },
        { AQ_STR("x-amz-target"), x->call->target },
        { AQ_STR("authorization"), buf_str(&x->authorization) },
        { AQ_STR("x-amzn-codewhisperer-optout"), x->opt_out ? AQ_STR("true") : AQ_STR("false") },
        { AQ_STR("amz-sdk-invocation-id"), str_from(x->invocation_id) },
        { AQ_STR("amz-sdk-request"), str_from(x->attempt_text) },
        { AQ_STR("user-agent"), buf_str(&x->user_agent) },
        { AQ_STR("x-amz-user-agent"), buf_str(&x->user_agent) },
    };
    memcpy(x->headers, headers, sizeof(headers));

    const struct aq_exchange_request request = {
        .struct_size = ret->struct_size,
        .header_count = HEADER_COUNT,
        .header_stride = sizeof(struct aq_exchange_header),
        .method = AQ_STR("POST"),
        .url = buf_str(&x->url),
        .headers = x->headers,
        .body = buf_bytes(&x->body),
    };
    size_t size = ret->struct_size < sizeof(request) ? ret->struct_size : sizeof(request);
    memcpy(ret, &request, size);
    return AQ_OK;
}

/* --- what follows from an answer --- */

/* End with x->error, which was filled before. */
static aq_status fail(struct aq_exchange *x)
{
    x->phase = FAILED;
    return x->error.status;
}

/* End because the head or the body of the answer is not what it must be. */
static void fail_answer(struct aq_exchange *x, aq_status status, const char *problem)
{
    error_set(&x->error, status, "service: %s", problem);
    x->error.http = x->http;
    fail(x);
}

static uint32_t retry_delay_ms(struct aq_exchange *x, enum fault_repeat retry, bool may_name_delay)
{
    if (may_name_delay && x->retry_after_ms >= 0) {
        return x->retry_after_ms < DELAY_MAX_MS ? (uint32_t)x->retry_after_ms : DELAY_MAX_MS;
    }
    uint32_t most = DELAY_FIRST_MS;
    for (uint32_t i = 1; i < x->attempt && most < DELAY_MAX_MS; i++) {
        most *= 2;
    }
    most = most < DELAY_MAX_MS ? most : DELAY_MAX_MS;
    /* a throttled client waits at least half of it: coming back at once makes things worse */
    uint32_t least = retry == FAULT_RETRY_THROTTLED ? most / 2 : 0;
    return least + (uint32_t)((random_next(x->random) >> 32) * (most - least) >> 32);
}

/* Repeat the request, or fail with x->error. */
static void retry_or_fail(struct aq_exchange *x, enum fault_repeat retry, bool may_name_delay)
{
    if (retry == FAULT_RETRY_NEVER || x->attempt >= x->max_attempts) {
        fail(x);
        return;
    }
    x->delay_ms = retry_delay_ms(x, retry, may_name_delay);
    x->phase = RETRY_DUE;
}

static bool reveals_token(const struct aq_exchange *x, struct aq_str s)
{
    return fault_reveals(s, current_token(x)) || fault_reveals(s, buf_str(&x->rejected));
}

/* Fill x->error and x->fault. The service may repeat what it was sent: parts that do are left out.
 */
static aq_status explain(struct aq_exchange *x, const struct fault *fault)
{
    struct fault shown = *fault;
    struct aq_str request_id = buf_str(&x->request_id);
    struct aq_str *parts[] = { &shown.code, &shown.reason, &shown.message, &request_id };
    aq_status st = fault_status(fault);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (reveals_token(x, *parts[i])) {
            *parts[i] = AQ_STR("");
        }
    }
    for (size_t i = 0; i < FAULT_PARTS; i++) { /* out of memory: the part is missing, no more */
        buf_clear(&x->fault[i]);
        buf_add(&x->fault[i], *parts[i]);
    }
    fault_error(&shown, request_id, current_token(x), &x->error);
    x->error.status = st; /* the class of what was said, not of what is shown */
    return st;
}

/* The body of a refusal is here, as far as it came: decide what to do. */
static void decide(struct aq_exchange *x)
{
    struct fault fault = { .http = x->http, .model_named = x->model_named };
    fault_read(&fault, buf_str(&x->error_type), buf_str(&x->collected), &x->scratch);
    if (buf_status(&x->scratch) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
        return;
    }
    aq_status st = explain(x, &fault);
    if (st == AQ_E_AUTH && !x->token_renewed) {
        x->phase = TOKEN_DUE;
        return;
    }
    retry_or_fail(x, st == AQ_E_AUTH ? FAULT_RETRY_NEVER : fault_retry(&fault),
                  fault_names_delay(&fault));
}

/* An exception inside the stream. It ends the exchange: nothing is repeated once events came. */
static aq_status exception(struct aq_exchange *x, const struct eventstream_message *m)
{
    struct fault fault = { .model_named = x->model_named };
    if (m->kind == EVENTSTREAM_ERROR) {
        fault.code = m->error_code;
        fault.message = m->error_message;
    } else {
        fault_read(&fault, AQ_STR(""), str_of_bytes(m->payload), &x->scratch);
        fault.code = fault.code.len ? fault.code : m->exception_type;
    }
    if (buf_status(&x->scratch) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
        return x->error.status;
    }
    explain(x, &fault);
    return fail(x);
}

/* --- the answer --- */

static struct aq_str find_header(const struct aq_exchange_header *headers, uint32_t count,
                                 uint32_t stride, struct aq_str name)
{
    const char *at = (const char *)headers;
    for (uint32_t i = 0; i < count; i++, at += stride) {
        struct aq_exchange_header header;
        memcpy(&header, at, sizeof(header));
        if (str_eq_nocase(header.name, name)) {
            return header.value;
        }
    }
    return (struct aq_str){ NULL, 0 };
}

/* What of the head we look at. Views of the caller's headers. */
struct head {
    struct aq_str content_type;
    struct aq_str content_encoding;
    struct aq_str location;
};

static void read_head(struct aq_exchange *x, const struct aq_exchange_header *headers,
                      uint32_t count, uint32_t stride, struct head *ret)
{
    stride = stride ? stride : sizeof(*headers);
    struct aq_str id = find_header(headers, count, stride, AQ_STR("x-amzn-requestid"));
    if (id.len == 0) {
        id = find_header(headers, count, stride, AQ_STR("x-amz-request-id"));
    }
    buf_clear(&x->request_id);
    buf_add(&x->request_id, str_is_token(id) ? id : AQ_STR(""));
    buf_clear(&x->error_type);
    buf_add(&x->error_type, find_header(headers, count, stride, AQ_STR("x-amzn-errortype")));

    struct aq_str after = find_header(headers, count, stride, AQ_STR("x-amz-retry-after"));
    if (!str_to_i64(after, &x->retry_after_ms) || x->retry_after_ms < 0) {
        x->retry_after_ms = -1;
    }
    ret->content_type = find_header(headers, count, stride, AQ_STR("content-type"));
    ret->content_encoding = find_header(headers, count, stride, AQ_STR("content-encoding"));
    ret->location = find_header(headers, count, stride, AQ_STR("location"));
}

/* The host of an absolute URL, or "another place" if there is none that is safe to print. */
static struct aq_str printable_host(const struct aq_exchange *x, struct aq_str url)
{
    struct aq_str host = url;
    str_cut(&host, '/');
    if (!str_starts(host, AQ_STR("/")) || reveals_token(x, url)) {
        return AQ_STR("another place");
    }
    host = str_from_offset(host, 1);
    size_t len = 0;
    while (len < host.len && !strchr("/?#", host.ptr[len])) {
        char c = host.ptr[len++];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '.' || c == ':' || c == '[' || c == ']';
        if (!plain || len > HOST_MAX) {
            return AQ_STR("another place");
        }
    }
    return len ? (struct aq_str){ host.ptr, len } : AQ_STR("another place");
}

static bool is_other_media(struct aq_str content_type)
{
    static const struct aq_str others[] = {
        AQ_STR_INIT("application/json"),
        AQ_STR_INIT("application/x-amz-json"),
        AQ_STR_INIT("application/xml"),
        AQ_STR_INIT("text/"),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct aq_str front = { content_type.ptr, others[i].len };
        if (content_type.len >= others[i].len && str_eq_nocase(front, others[i])) {
            return true;
        }
    }
    return false;
}

/* A 2xx answer: the exchange is decided, nothing is repeated from here on. */
static void accept(struct aq_exchange *x, const struct head *head)
{
    if (head->content_encoding.len && !str_eq_nocase(head->content_encoding, AQ_STR("identity"))) {
        fail_answer(x, AQ_E_PROTOCOL,
                    "the answer is compressed, which nobody asked for; check the proxy");
        return;
    }
    if (x->call->streams && is_other_media(head->content_type)) {
        fail_answer(x, AQ_E_PROTOCOL,
                    "the answer is not an event stream; check the endpoint and the proxy");
        return;
    }
    x->phase = x->call->streams ? STREAM : REPLY;
    x->collected.max = REPLY_MAX;
    x->response_due = true;
}

static void redirect(struct aq_exchange *x, const struct head *head)
{
    error_set(&x->error, AQ_E_PROTOCOL,
              "service: redirect to %.*s refused (HTTP %d), check the endpoint and the proxy",
              AQ_STR_ARG(printable_host(x, head->location)), (int)x->http);
    x->error.http = x->http;
    fail(x);
}

/* Calls that do not fit the phase. After a failure nobody has heard of, they are ignored: the
 * caller is still handing over the answer. */
static aq_status refuse_call(const struct aq_exchange *x, struct aq_error *err)
{
    if (x->phase == FAILED && !x->error_reported) {
        return AQ_OK;
    }
    return error_set(err, AQ_E_STATE, "exchange: no answer is expected now, see aq_exchange_next");
}

aq_status aq_exchange_response(struct aq_exchange *x, int32_t status,
                               const struct aq_exchange_header *headers, uint32_t count,
                               uint32_t stride, struct aq_error *err)
{
    struct head head;
    if (x->phase != SENT) {
        return refuse_call(x, err);
    }
    x->http = status;
    buf_clear(&x->collected);
    read_head(x, headers, count, stride, &head);

    if (buf_status(&x->request_id) != AQ_OK || buf_status(&x->error_type) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
    } else if (status >= 200 && status <= 299) {
        accept(x, &head);
    } else if (status >= 300 && status <= 399) {
        redirect(x, &head);
    } else {
        x->phase = REFUSED;
        x->collected.max = ERROR_BODY_MAX;
    }
    return AQ_OK;
}

static void collect(struct aq_exchange *x, struct aq_bytes data)
{
    if (x->phase == REFUSED && data.len > ERROR_BODY_MAX - x->collected.len) {
        data.len = ERROR_BODY_MAX - x->collected.len;
    }
    buf_add_bytes(&x->collected, data);
    if (buf_status(&x->collected) == AQ_E_LIMIT) {
        fail_answer(x, AQ_E_LIMIT, "the answer is longer than 16 MiB, ask for less");
    } else if (buf_status(&x->collected) != AQ_OK) {
        fail_answer(x, AQ_E_NOMEM, "out of memory for the answer");
    } else if (x->phase == REFUSED && x->collected.len == ERROR_BODY_MAX) {
        decide(x); /* enough was said; the rest may never end */
    }
}

aq_status aq_exchange_feed(struct aq_exchange *x, const uint8_t *data, size_t len,
                           struct aq_error *err)
{
    struct aq_bytes bytes = { data, len };
    if (x->phase == STREAM && x->broken.status == AQ_OK) {
        return eventstream_feed(&x->decoder, bytes, err);
    }
    if (x->phase == REFUSED || x->phase == REPLY) {
        collect(x, bytes);
        return AQ_OK;
    }
    return refuse_call(x, err);
}

static void finish_reply(struct aq_exchange *x)
{
    struct json_reader r = json_reader(buf_str(&x->collected));
    if (json_object(&r) && json_finish(&r)) {
        x->phase = REPLY_DUE;
        return;
    }
    fail_answer(x, AQ_E_PROTOCOL,
                "the answer is not a JSON object; check the endpoint and the proxy");
}

aq_status aq_exchange_finish(struct aq_exchange *x, struct aq_error *err)
{
    switch (x->phase) {
    case REFUSED:
        decide(x);
        return AQ_OK;
    case STREAM:
        eventstream_finish(&x->decoder);
        return AQ_OK;
    case REPLY:
        finish_reply(x);
        return AQ_OK;
    default:
        return refuse_call(x, err);
    }
}

/* Copy what the caller says about a broken attempt, as an error in any case. */
static void take_reason(struct aq_error *ret, const struct aq_error *why)
{
    if (why && why->status < 0) {
        error_copy(ret, why);
    } else {
        error_set(ret, AQ_E_NETWORK, "connection: broke for an unknown reason, try again");
    }
}

/* A broken attempt is repeated only if the service cannot have acted on it. */
static bool safe_to_repeat(const struct aq_error *why)
{
    bool passing = why->status == AQ_E_NETWORK || why->status == AQ_E_TIMEOUT ||
                   why->status == AQ_E_PROTOCOL || why->status == AQ_E_TRUNCATED;
    return passing && (why->flags & AQ_ERROR_NOT_SENT);
}

aq_status aq_exchange_fail(struct aq_exchange *x, const struct aq_error *why, struct aq_error *err)
{
    switch (x->phase) {
    case SENT:
        x->http = 0;
        x->retry_after_ms = -1;
        take_reason(&x->error, why);
        retry_or_fail(x, safe_to_repeat(&x->error) ? FAULT_RETRY_SOON : FAULT_RETRY_NEVER, false);
        return AQ_OK;
    case REFUSED: /* the status says enough */
        decide(x);
        return AQ_OK;
    case STREAM: /* after the events that are here */
        take_reason(&x->broken, why);
        return AQ_OK;
    case REPLY:
        take_reason(&x->error, why);
        fail(x);
        return AQ_OK;
    default:
        return refuse_call(x, err);
    }
}

aq_status aq_exchange_fault(const struct aq_exchange *x, struct aq_exchange_fault *ret)
{
    const struct aq_exchange_fault fault = {
        .struct_size = ret->struct_size,
        .http = x->http,
        .code = buf_str(&x->fault[FAULT_CODE]),
        .reason = buf_str(&x->fault[FAULT_REASON]),
        .message = buf_str(&x->fault[FAULT_MESSAGE]),
        .request_id =
            reveals_token(x, buf_str(&x->request_id)) ? AQ_STR("") : buf_str(&x->request_id),
    };
    if (ret->struct_size < sizeof(ret->struct_size)) {
        return AQ_E_INVALID;
    }
    memcpy(ret, &fault, ret->struct_size < sizeof(fault) ? ret->struct_size : sizeof(fault));
    return AQ_OK;
}

aq_status aq_exchange_give_token(struct aq_exchange *x, struct aq_str access_token,
                                 struct aq_error *err)
{
    if (x->phase != TOKEN_WAIT) {
        return error_set(err, AQ_E_STATE, "exchange: no token was asked for");
    }
    buf_clear(&x->rejected);
    buf_add(&x->rejected, current_token(x));
    aq_status st = set_token(x, access_token, err);
    if (st == AQ_OK) {
        x->token_renewed = true;
        x->phase = SEND_DUE;
    }
    return st;
}

/* --- events --- */

static aq_status report(struct aq_exchange *x, int32_t type)
{
    x->event.type = type;
    return AQ_OK;
}

static aq_status report_send(struct aq_exchange *x)
{
    x->phase = SENT;
    return report(x, AQ_EVENT_SEND);
}

static aq_status report_retry(struct aq_exchange *x, uint64_t now_us)
{
    x->phase = RETRY_WAIT;
    x->deadline_us = now_us + (uint64_t)x->delay_ms * 1000;
    x->event.attempt = x->attempt;
    x->event.delay_ms = x->delay_ms;
    x->event.http = x->http;
    return report(x, AQ_EVENT_RETRY);
}

static aq_status report_response(struct aq_exchange *x)
{
    x->response_due = false;
    x->event.http = x->http;
    x->event.request_id = buf_str(&x->request_id);
    return report(x, AQ_EVENT_RESPONSE);
}

static aq_status report_message(struct aq_exchange *x, const struct eventstream_message *m)
{
    const struct chat_kind *kind = chat_kind_find(m->event_type);
    if (kind) {
        x->event.kind = kind->kind;
        aq_status st = chat_text(kind, m->payload, &x->scratch, &x->event.text, &x->error);
        if (st != AQ_OK) {
            return fail(x);
        }
    }
    x->event.name = m->event_type;
    x->event.payload = m->payload;
    return report(x, AQ_EVENT_MESSAGE);
}

static aq_status next_message(struct aq_exchange *x)
{
    struct eventstream_message m;
    aq_status st = eventstream_next(&x->decoder, &m, &x->error);
    if (st == AQ_OK) {
        return m.kind == EVENTSTREAM_EVENT ? report_message(x, &m) : exception(x, &m);
    }
    if (st == AQ_AGAIN && x->broken.status != AQ_OK) {
        error_copy(&x->error, &x->broken);
        return fail(x);
    }
    if (st == AQ_END) {
        x->phase = ENDED;
    }
    return st < 0 ? fail(x) : st;
}

static aq_status advance(struct aq_exchange *x, uint64_t now_us)
{
    if (x->response_due) {
        return report_response(x);
    }
    switch (x->phase) {
    case STREAM:
        return next_message(x);
    case SEND_DUE:
        return report_send(x);
    case TOKEN_DUE:
        x->phase = TOKEN_WAIT;
        x->event.http = x->http;
        return report(x, AQ_EVENT_NEED_TOKEN);
    case RETRY_DUE:
        return report_retry(x, now_us);
    case RETRY_WAIT:
        if (now_us < x->deadline_us) {
            return AQ_AGAIN;
        }
        x->attempt++;
        return report_send(x);
    case REPLY_DUE:
        x->phase = ENDED;
        x->event.payload = buf_bytes(&x->collected);
        return report(x, AQ_EVENT_REPLY);
    case ENDED:
        return AQ_END;
    case FAILED:
        return x->error.status;
    default:
        return AQ_AGAIN;
    }
}

aq_status aq_exchange_next(struct aq_exchange *x, uint64_t now_us, const struct aq_event **ret,
                           struct aq_error *err)
{
    x->event = (struct aq_event){ .struct_size = sizeof(x->event) };
    aq_status st = advance(x, now_us);
    if (st == AQ_OK) {
        *ret = &x->event;
    } else if (st < 0) {
        x->error_reported = true;
        error_copy(err, &x->error);
    }
    return st;
}

uint64_t aq_exchange_deadline(const struct aq_exchange *x)
{
    switch (x->phase) {
    case SEND_DUE:
    case TOKEN_DUE:
    case RETRY_DUE:
    case REPLY_DUE:
        return 0;
    case RETRY_WAIT:
        return x->deadline_us;
    default:
        return UINT64_MAX;
    }
}
