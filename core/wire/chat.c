/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/chat.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"

#include <amazonq/stream.h>
#include <string.h>

#if defined(__APPLE__)
#define OPERATING_SYSTEM "macos"
#elif defined(_WIN32)
#define OPERATING_SYSTEM "windows"
#else
#define OPERATING_SYSTEM "linux"
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- operations and their bodies --- */

#define STREAMING(name) AQ_STR_INIT("AmazonCodeWhispererStreamingService." name)
#define RUNTIME(name) AQ_STR_INIT("AmazonCodeWhispererService." name)

static const struct aq_str models_query[] = {
    AQ_STR_INIT("origin"),     AQ_STR_INIT("maxResults"),    AQ_STR_INIT("nextToken"),
    AQ_STR_INIT("profileArn"), AQ_STR_INIT("modelProvider"), { NULL, 0 },
};

static const struct aq_str usage_query[] = {
    AQ_STR_INIT("profileArn"),      AQ_STR_INIT("origin"), AQ_STR_INIT("resourceType"),
    AQ_STR_INIT("isEmailRequired"), { NULL, 0 },
};

static const struct chat_call calls[] = {
    [AQ_CALL_GENERATE_ASSISTANT_RESPONSE] = { .target = STREAMING("GenerateAssistantResponse"),
                                              .streams = true,
                                              .asks = true,
                                              .takes_profile = true },
    [AQ_CALL_SEND_MESSAGE] = { .target = STREAMING("SendMessage"),
                               .streams = true,
                               .asks = true,
                               .takes_profile = true },
    [AQ_CALL_GENERATE_TASK_ASSIST_PLAN] = { .target = STREAMING("GenerateTaskAssistPlan"),
                                            .streams = true,
                                            .takes_profile = true },
    [AQ_CALL_EXPORT_RESULT_ARCHIVE] = { .target = STREAMING("ExportResultArchive"),
                                        .streams = true,
                                        .takes_profile = true },
    [AQ_CALL_LIST_AVAILABLE_MODELS] = { .target = RUNTIME("ListAvailableModels"),
                                        .default_body = AQ_STR_INIT("{\"origin\":\"CLI\"}"),
                                        .query = models_query,
                                        .takes_profile = true },
    [AQ_CALL_LIST_AVAILABLE_PROFILES] = { .target = RUNTIME("ListAvailableProfiles"),
                                          .default_body = AQ_STR_INIT("{}") },
    [AQ_CALL_GET_PROFILE] = { .target = RUNTIME("GetProfile"),
                              .default_body = AQ_STR_INIT("{}"),
                              .takes_profile = true },
    [AQ_CALL_GET_USAGE_LIMITS] = { .target = RUNTIME("GetUsageLimits"),
                                   .default_body = AQ_STR_INIT("{}"),
                                   .query = usage_query,
                                   .takes_profile = true },
    [AQ_CALL_CREATE_SUBSCRIPTION_TOKEN] = { .target = RUNTIME("CreateSubscriptionToken"),
                                            .default_body = AQ_STR_INIT("{}"),
                                            .takes_client_token = true },
};

const struct chat_call *chat_call_find(int32_t call)
{
    return call >= 0 && (size_t)call < COUNT(calls) ? &calls[call] : NULL;
}

static void add_question(const struct chat_parts *parts, struct buf *out)
{
    buf_add(out, AQ_STR("{\"conversationState\":{\"conversationId\":"));
    buf_add_json(out, parts->conversation_id);
    buf_add(out, AQ_STR(",\"history\":[],\"currentMessage\":{\"userInputMessage\":{\"content\":"));
    buf_add_json(out, parts->prompt);
    buf_add(out, AQ_STR(",\"userInputMessageContext\":{\"envState\":{\"operatingSystem\":"
                        "\"" OPERATING_SYSTEM "\"}},\"origin\":\"CLI\""));
    if (parts->model_id.len) {
        buf_add(out, AQ_STR(",\"modelId\":"));
        buf_add_json(out, parts->model_id);
    }
    buf_add(out, AQ_STR("}},\"chatTriggerType\":\"MANUAL\"}"));
    if (parts->profile_arn.len) {
        buf_add(out, AQ_STR(",\"profileArn\":"));
        buf_add_json(out, parts->profile_arn);
    }
    if (parts->source.len) {
        buf_add(out, AQ_STR(",\"source\":"));
        buf_add_json(out, parts->source);
    }
    buf_add_char(out, '}');
}

/* A member we add to a body that has none of that name. */
struct extra {
    struct aq_str key;
    struct aq_str value;
};

/* Append the object body with the extras that it lacks at its front; every byte of it stays. */
static bool add_object(struct aq_str body, struct extra extras[2], struct buf *out)
{
    struct json_reader r = json_reader(body);
    struct json_member m;
    bool more = false; /* a member follows the one being written */

    if (!json_object(&r)) {
        return false;
    }
    while (json_next(&r, &m)) {
        more = true;
        for (size_t i = 0; i < 2; i++) {
            if (json_key_is(&m, extras[i].key)) {
                extras[i].value.len = 0;
            }
        }
    }
    if (!json_finish(&r)) {
        return false;
    }
    buf_add_char(out, '{');
    size_t front = out->len;
    for (size_t i = 0; i < 2; i++) {
        if (extras[i].value.len) {
            buf_add(out, out->len > front ? AQ_STR(",") : AQ_STR(""));
            buf_add_json(out, extras[i].key);
            buf_add_char(out, ':');
            buf_add_json(out, extras[i].value);
        }
    }
    buf_add(out, more && out->len > front ? AQ_STR(",") : AQ_STR(""));
    str_cut(&body, '{');
    buf_add(out, body);
    return true;
}

aq_status chat_body(const struct chat_call *call, const struct chat_parts *parts, struct buf *out,
                    struct aq_error *err)
{
    struct aq_str body = parts->body.len ? parts->body : call->default_body;

    if (parts->body.len && parts->prompt.len) {
        return error_set(err, AQ_E_INVALID, "request: has a body and a prompt, give one of them");
    }
    if (parts->prompt.len && !call->asks) {
        return error_set(err, AQ_E_INVALID, "request: this call takes no prompt, give a body");
    }
    if (!parts->prompt.len && !body.len) {
        return error_set(err, AQ_E_INVALID, "request: is empty, give a %s",
                         call->asks ? "prompt or a body" : "body");
    }
    struct extra extras[2] = {
        { AQ_STR("profileArn"), call->takes_profile ? parts->profile_arn : AQ_STR("") },
        { AQ_STR("clientToken"), call->takes_client_token ? parts->client_token : AQ_STR("") },
    };
    if (parts->prompt.len) {
        add_question(parts, out);
    } else if (!add_object(body, extras, out)) {
        return error_set(err, AQ_E_INVALID,
                         "request: the body is not a JSON object, send one object in UTF-8");
    }
    if (buf_status(out) == AQ_E_LIMIT) {
        return error_set(err, AQ_E_INVALID, "request: is too long, shorten it");
    }
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "request");
}

static void add_percent(struct buf *out, struct aq_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            buf_add_char(out, c);
        } else {
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
        }
    }
}

void chat_query(const struct chat_call *call, struct aq_str body, struct buf *out)
{
    AUTO(buf) struct buf scratch = BUF(0);
    char separator = '?';

    for (const struct aq_str *name = call->query; name && name->len; name++) {
        struct json_member m;
        if (!json_find(body, *name, &m)) {
            continue;
        }
        struct aq_str value = json_text(&m, &scratch);
        if (buf_status(&scratch) != AQ_OK) {
            out->failed = buf_status(&scratch);
        }
        if (value.len) {
            buf_add_char(out, separator);
            add_percent(out, *name);
            buf_add_char(out, '=');
            add_percent(out, value);
            separator = '&';
        }
    }
}

/* --- events --- */

/* The frequent ones first. */
static const struct chat_kind kinds[] = {
    { AQ_STR_INIT("assistantResponseEvent"), AQ_STR_INIT("content"),
      AQ_MESSAGE_ASSISTANT_RESPONSE },
    { AQ_STR_INIT("toolUseEvent"), AQ_STR_INIT("input"), AQ_MESSAGE_TOOL_USE },
    { AQ_STR_INIT("reasoningContentEvent"), AQ_STR_INIT("text"), AQ_MESSAGE_REASONING_CONTENT },
    { AQ_STR_INIT("codeEvent"), AQ_STR_INIT("content"), AQ_MESSAGE_CODE },
    { AQ_STR_INIT("metadataEvent"), { NULL, 0 }, AQ_MESSAGE_METADATA },
    { AQ_STR_INIT("messageMetadataEvent"), { NULL, 0 }, AQ_MESSAGE_MESSAGE_METADATA },
    { AQ_STR_INIT("meteringEvent"), { NULL, 0 }, AQ_MESSAGE_METERING },
    { AQ_STR_INIT("citationEvent"), { NULL, 0 }, AQ_MESSAGE_CITATION },
    { AQ_STR_INIT("codeReferenceEvent"), { NULL, 0 }, AQ_MESSAGE_CODE_REFERENCE },
    { AQ_STR_INIT("supplementaryWebLinksEvent"), { NULL, 0 }, AQ_MESSAGE_SUPPLEMENTARY_WEB_LINKS },
    { AQ_STR_INIT("followupPromptEvent"), { NULL, 0 }, AQ_MESSAGE_FOLLOWUP_PROMPT },
    { AQ_STR_INIT("intentsEvent"), { NULL, 0 }, AQ_MESSAGE_INTENTS },
    { AQ_STR_INIT("interactionComponentsEvent"), { NULL, 0 }, AQ_MESSAGE_INTERACTION_COMPONENTS },
    { AQ_STR_INIT("invalidStateEvent"), { NULL, 0 }, AQ_MESSAGE_INVALID_STATE },
    { AQ_STR_INIT("toolResultEvent"), { NULL, 0 }, AQ_MESSAGE_TOOL_RESULT },
    { AQ_STR_INIT("dryRunSucceedEvent"), { NULL, 0 }, AQ_MESSAGE_DRY_RUN_SUCCEED },
    { AQ_STR_INIT("contextUsageEvent"), { NULL, 0 }, AQ_MESSAGE_CONTEXT_USAGE },
    { AQ_STR_INIT("initial-response"), { NULL, 0 }, AQ_MESSAGE_INITIAL_RESPONSE },
    { AQ_STR_INIT("binaryMetadataEvent"), { NULL, 0 }, AQ_MESSAGE_BINARY_METADATA },
    { AQ_STR_INIT("binaryPayloadEvent"), { NULL, 0 }, AQ_MESSAGE_BINARY_PAYLOAD },
};

const struct chat_kind *chat_kind_find(struct aq_str name)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (kinds[i].name.len == name.len && memcmp(kinds[i].name.ptr, name.ptr, name.len) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

static aq_status payload_wrong(const struct chat_kind *kind, const char *problem, size_t at,
                               struct aq_error *err)
{
    return error_set(err, AQ_E_PROTOCOL, "event '%.*s': %s at byte %zu of its payload",
                     AQ_STR_ARG(kind->name), problem, at);
}

/*
 * Nearly every payload is {"KEY":"text"} with a text that has no escapes: worth a way of its own
 * (half the time). False: it is not of that shape, read it properly.
 */
static bool common_text(const struct chat_kind *kind, struct aq_str payload, struct aq_str *ret)
{
    const char *p = payload.ptr;
    size_t key_len = kind->text_key.len;
    size_t front = 2 + key_len + 3; /* {"KEY":" */

    if (payload.len < front + 2 || memcmp(p, "{\"", 2) != 0 ||
        memcmp(p + 2, kind->text_key.ptr, key_len) != 0 ||
        memcmp(p + 2 + key_len, "\":\"", 3) != 0 || memcmp(p + payload.len - 2, "\"}", 2) != 0) {
        return false;
    }
    size_t end = payload.len - 2; /* at a quote, if not the one that ends the text */
    size_t at = json_plain_end(payload, front);
    while (at < end) {
        size_t len = utf8_sequence((const uint8_t *)p + at, end - at);
        if (len < 2) { /* an escape, a control character, a quote, not UTF-8 */
            return false;
        }
        at = json_plain_end(payload, at + len);
    }
    *ret = (struct aq_str){ p + front, end - front };
    return true;
}

aq_status chat_text(const struct chat_kind *kind, struct aq_bytes payload, struct buf *scratch,
                    struct aq_str *ret, struct aq_error *err)
{
    struct json_reader r = json_reader(str_of_bytes(payload));
    struct json_member m;
    struct json_member text = { .type = JSON_NULL };

    if (kind->text_key.len == 0 || payload.len == 0) {
        *ret = (struct aq_str){ NULL, 0 };
        return AQ_OK;
    }
    struct aq_str found;
    if (common_text(kind, r.text, &found)) {
        *ret = found;
        return AQ_OK;
    }
    if (!json_object(&r)) {
        return payload_wrong(kind, "not a JSON object", r.at, err);
    }
    while (json_next(&r, &m)) {
        if (json_key_is(&m, kind->text_key)) {
            text = m; /* the last one counts */
        }
    }
    if (!json_finish(&r)) {
        return payload_wrong(kind, r.problem ? r.problem : "malformed JSON", r.at, err);
    }
    if (text.type != JSON_STRING && text.type != JSON_NULL) {
        return payload_wrong(kind, "its text is not a string", 0, err);
    }
    *ret = json_text(&text, scratch);
    return buf_status(scratch) == AQ_OK ? AQ_OK : error_nomem(err, "event");
}
