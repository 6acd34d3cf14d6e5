/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of the service: operations, bodies, events, and what its errors mean. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "wire/chat.h"

#include <amazonq/client.h>
#include <amazonq/stream.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ARN "arn:aws:codewhisperer:us-east-1:1:profile/P"

static void assert_text(struct aq_str got, const char *want)
{
    if (got.len != strlen(want) || (got.len && memcmp(got.ptr, want, got.len) != 0)) {
        fail_msg("'%.*s' is not '%s'", AQ_STR_ARG(got), want);
    }
}

/* --- operations and bodies --- */

static void every_call_has_its_exact_target(void **state)
{
    (void)state;
    static const struct {
        int32_t call;
        bool streams;
        const char *target;
    } want[] = {
        { AQ_CALL_GENERATE_ASSISTANT_RESPONSE, true,
          "AmazonCodeWhispererStreamingService.GenerateAssistantResponse" },
        { AQ_CALL_SEND_MESSAGE, true, "AmazonCodeWhispererStreamingService.SendMessage" },
        { AQ_CALL_GENERATE_TASK_ASSIST_PLAN, true,
          "AmazonCodeWhispererStreamingService.GenerateTaskAssistPlan" },
        { AQ_CALL_EXPORT_RESULT_ARCHIVE, true,
          "AmazonCodeWhispererStreamingService.ExportResultArchive" },
        { AQ_CALL_LIST_AVAILABLE_MODELS, false, "AmazonCodeWhispererService.ListAvailableModels" },
        { AQ_CALL_LIST_AVAILABLE_PROFILES, false,
          "AmazonCodeWhispererService.ListAvailableProfiles" },
        { AQ_CALL_GET_PROFILE, false, "AmazonCodeWhispererService.GetProfile" },
        { AQ_CALL_GET_USAGE_LIMITS, false, "AmazonCodeWhispererService.GetUsageLimits" },
        { AQ_CALL_CREATE_SUBSCRIPTION_TOKEN, false,
          "AmazonCodeWhispererService.CreateSubscriptionToken" },
    };
    for (size_t i = 0; i < COUNT(want); i++) {
        const struct chat_call *call = chat_call_find(want[i].call);
        assert_non_null(call);
        assert_text(call->target, want[i].target);
        assert_int_equal(call->streams, want[i].streams);
    }
    assert_null(chat_call_find(-1));
    assert_null(chat_call_find((int32_t)COUNT(want)));
}

/* The body of one call, and its query string behind a blank. NULL: refused. */
static void assert_body(int32_t call, const struct chat_parts *parts, const char *want)
{
    AUTO(buf) struct buf out = BUF(0);
    struct aq_error err = { 0 };
    const struct chat_call *c = chat_call_find(call);
    aq_status st = chat_body(c, parts, &out, &err);
    if (!want) {
        assert_int_equal(st, AQ_E_INVALID);
        assert_memory_equal(err.text, "request: ", 9);
        return;
    }
    assert_int_equal(st, AQ_OK);
    assert_true(json_valid(buf_str(&out)));
    AUTO(buf) struct buf query = BUF(0);
    chat_query(c, buf_str(&out), &query);
    if (query.len) {
        buf_add_char(&out, ' ');
        buf_add(&out, buf_str(&query));
    }
    assert_text(buf_str(&out), want);
}

static void a_prompt_becomes_the_body_of_a_question(void **state)
{
    (void)state;
    const struct chat_parts parts = {
        .prompt = AQ_STR("say \"hi\"\n\x1b\xff"),
        .conversation_id = AQ_STR("c-1"),
        .model_id = AQ_STR("m-1"),
        .profile_arn = AQ_STR(ARN),
    };
    const char *want =
        "{\"conversationState\":{\"conversationId\":\"c-1\",\"history\":[],\"currentMessage\":"
        "{\"userInputMessage\":{\"content\":\"say \\\"hi\\\"\\n\\u001b\xef\xbf\xbd\","
        "\"userInputMessageContext\":{\"envState\":{\"operatingSystem\":\"linux\"}},"
        "\"origin\":\"CLI\",\"modelId\":\"m-1\"}},\"chatTriggerType\":\"MANUAL\"},"
        "\"profileArn\":\"" ARN "\"}";
    assert_body(AQ_CALL_GENERATE_ASSISTANT_RESPONSE, &parts, want);
    assert_body(AQ_CALL_SEND_MESSAGE, &parts, want);
}

static void absent_parts_of_a_question_are_left_out(void **state)
{
    (void)state;
    const struct chat_parts parts = { .prompt = AQ_STR("x"), .conversation_id = AQ_STR("c") };
    assert_body(
        AQ_CALL_GENERATE_ASSISTANT_RESPONSE, &parts,
        "{\"conversationState\":{\"conversationId\":\"c\",\"history\":[],\"currentMessage\":"
        "{\"userInputMessage\":{\"content\":\"x\",\"userInputMessageContext\":{\"envState\":"
        "{\"operatingSystem\":\"linux\"}},\"origin\":\"CLI\"}},\"chatTriggerType\":\"MANUAL\"}}");
}

static void a_whole_body_keeps_every_byte_and_gains_the_profile_it_lacks(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *want;
    } rows[] = {
        { "{\"a\" : 1, \"a\":2}", "{\"profileArn\":\"" ARN "\",\"a\" : 1, \"a\":2}" },
        { " \n{ } ", "{\"profileArn\":\"" ARN "\" } " },
        { "{\"b\":{\"profileArn\":1}}", "{\"profileArn\":\"" ARN "\",\"b\":{\"profileArn\":1}}" },
        { "{\"profileArn\":\"mine\"}", "{\"profileArn\":\"mine\"}" },
        { "{\"\\u0070rofileArn\":null}", "{\"\\u0070rofileArn\":null}" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct chat_parts parts = { .body = str_from(rows[i].body),
                                          .profile_arn = AQ_STR(ARN) };
        assert_body(AQ_CALL_GENERATE_ASSISTANT_RESPONSE, &parts, rows[i].want);
    }
}

static void a_call_that_takes_no_profile_gets_none(void **state)
{
    (void)state;
    const struct chat_parts parts = { .profile_arn = AQ_STR(ARN), .client_token = AQ_STR("u") };
    assert_body(AQ_CALL_LIST_AVAILABLE_PROFILES, &parts, "{}");
    assert_body(AQ_CALL_CREATE_SUBSCRIPTION_TOKEN, &parts, "{\"clientToken\":\"u\"}");
    assert_body(AQ_CALL_GET_PROFILE, &parts, "{\"profileArn\":\"" ARN "\"}");
}

static void a_client_token_of_the_callers_stays(void **state)
{
    (void)state;
    const struct chat_parts parts = { .body = AQ_STR("{\"clientToken\":\"mine\"}"),
                                      .client_token = AQ_STR("u") };
    assert_body(AQ_CALL_CREATE_SUBSCRIPTION_TOKEN, &parts, "{\"clientToken\":\"mine\"}");
}

static void members_travel_in_the_query_string_too(void **state)
{
    (void)state;
    const struct chat_parts none = { .profile_arn = AQ_STR("") };
    const struct chat_parts profile = { .profile_arn = AQ_STR(ARN) };
    const struct chat_parts models = { .body = AQ_STR("{\"other\":1,\"nextToken\":\"a b\\u00e9&=\","
                                                      "\"maxResults\":5,\"origin\":\"CLI\","
                                                      "\"modelProvider\":null}") };
    const struct chat_parts usage = { .body = AQ_STR("{\"isEmailRequired\":true}") };
    assert_body(AQ_CALL_LIST_AVAILABLE_MODELS, &none, "{\"origin\":\"CLI\"} ?origin=CLI");
    assert_body(AQ_CALL_LIST_AVAILABLE_MODELS, &profile,
                "{\"profileArn\":\"" ARN "\",\"origin\":\"CLI\"} ?origin=CLI&profileArn="
                "arn%3Aaws%3Acodewhisperer%3Aus-east-1%3A1%3Aprofile%2FP");
    assert_body(AQ_CALL_LIST_AVAILABLE_MODELS, &models,
                "{\"other\":1,\"nextToken\":\"a b\\u00e9&=\",\"maxResults\":5,\"origin\":\"CLI\","
                "\"modelProvider\":null} ?origin=CLI&maxResults=5&nextToken=a%20b%C3%A9%26%3D");
    assert_body(AQ_CALL_GET_USAGE_LIMITS, &usage,
                "{\"isEmailRequired\":true} ?isEmailRequired=true");
    assert_body(AQ_CALL_GET_USAGE_LIMITS, &none, "{}");
}

static void parts_that_make_no_request_are_refused(void **state)
{
    (void)state;
    const char *const bodies[] = { "null",    "[]",         "7",
                                   "{",       "{}}",        "{\"a\":}",
                                   "{'a':1}", "{\"a\":1,}", "{\"a\":\"\xff\"}" };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        const struct chat_parts parts = { .body = str_from(bodies[i]) };
        assert_body(AQ_CALL_GENERATE_ASSISTANT_RESPONSE, &parts, NULL);
    }
    const struct chat_parts nothing = { .model_id = AQ_STR("m") };
    const struct chat_parts both = { .body = AQ_STR("{}"), .prompt = AQ_STR("x") };
    const struct chat_parts prompt = { .prompt = AQ_STR("x") };
    assert_body(AQ_CALL_GENERATE_ASSISTANT_RESPONSE, &nothing, NULL);
    assert_body(AQ_CALL_EXPORT_RESULT_ARCHIVE, &nothing, NULL);
    assert_body(AQ_CALL_SEND_MESSAGE, &both, NULL);
    assert_body(AQ_CALL_GENERATE_TASK_ASSIST_PLAN, &prompt, NULL);
    assert_body(AQ_CALL_LIST_AVAILABLE_MODELS, &prompt, NULL);
}

/* --- events --- */

static void every_event_of_the_service_has_its_kind(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t kind;
    } want[] = {
        { "assistantResponseEvent", AQ_MESSAGE_ASSISTANT_RESPONSE },
        { "toolUseEvent", AQ_MESSAGE_TOOL_USE },
        { "reasoningContentEvent", AQ_MESSAGE_REASONING_CONTENT },
        { "codeEvent", AQ_MESSAGE_CODE },
        { "metadataEvent", AQ_MESSAGE_METADATA },
        { "messageMetadataEvent", AQ_MESSAGE_MESSAGE_METADATA },
        { "meteringEvent", AQ_MESSAGE_METERING },
        { "citationEvent", AQ_MESSAGE_CITATION },
        { "codeReferenceEvent", AQ_MESSAGE_CODE_REFERENCE },
        { "supplementaryWebLinksEvent", AQ_MESSAGE_SUPPLEMENTARY_WEB_LINKS },
        { "followupPromptEvent", AQ_MESSAGE_FOLLOWUP_PROMPT },
        { "intentsEvent", AQ_MESSAGE_INTENTS },
        { "interactionComponentsEvent", AQ_MESSAGE_INTERACTION_COMPONENTS },
        { "invalidStateEvent", AQ_MESSAGE_INVALID_STATE },
        { "toolResultEvent", AQ_MESSAGE_TOOL_RESULT },
        { "dryRunSucceedEvent", AQ_MESSAGE_DRY_RUN_SUCCEED },
        { "contextUsageEvent", AQ_MESSAGE_CONTEXT_USAGE },
        { "initial-response", AQ_MESSAGE_INITIAL_RESPONSE },
        { "binaryMetadataEvent", AQ_MESSAGE_BINARY_METADATA },
        { "binaryPayloadEvent", AQ_MESSAGE_BINARY_PAYLOAD },
    };
    for (size_t i = 0; i < COUNT(want); i++) {
        const struct chat_kind *kind = chat_kind_find(str_from(want[i].name));
        assert_non_null(kind);
        assert_int_equal(kind->kind, want[i].kind);
    }
    const char *const unknown[] = { "",
                                    "x",
                                    "assistantResponseEvenT",
                                    "AssistantResponseEvent",
                                    "assistantResponseEvents",
                                    "newEvent" };
    for (size_t i = 0; i < COUNT(unknown); i++) {
        assert_null(chat_kind_find(str_from(unknown[i])));
    }
}

/* want NULL: AQ_E_PROTOCOL. */
static const struct {
    const char *event;
    const char *payload;
    const char *want;
} texts[] = {
    { "assistantResponseEvent", "{\"content\":\"Hello\"}", "Hello" },
    { "assistantResponseEvent", "{\"content\":\"\xe2\x82\xac\"}", "\xe2\x82\xac" },
    { "assistantResponseEvent", "{\"content\":\"a\\n\\\"b\\\"\\u20ac\"}", "a\n\"b\"\xe2\x82\xac" },
    { "assistantResponseEvent", "{\"content\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80" },
    { "assistantResponseEvent", "{\"content\":\"\\ud83d.\"}", "\xef\xbf\xbd." },
    { "assistantResponseEvent", " { \"modelId\" : [{}] , \"content\" : \"x\" } ", "x" },
    { "assistantResponseEvent", "{\"c\\u006fntent\":\"x\"}", "x" },
    { "assistantResponseEvent", "{\"content\":\"1\",\"content\":\"2\"}", "2" },
    { "assistantResponseEvent", "{\"content\":\"\"}", "" },
    { "assistantResponseEvent", "{\"content\":null}", "" },
    { "assistantResponseEvent", "{\"text\":\"x\",\"input\":\"x\"}", "" },
    { "assistantResponseEvent", "{}", "" },
    { "assistantResponseEvent", "", "" }, /* an empty payload is read as {} */
    { "codeEvent", "{\"content\":\"int x;\"}", "int x;" },
    { "reasoningContentEvent", "{\"text\":\"hm\",\"signature\":\"s\"}", "hm" },
    { "toolUseEvent", "{\"toolUseId\":\"t\",\"name\":\"n\",\"input\":\"{\\\"a\\\":\"}", "{\"a\":" },
    { "toolUseEvent", "{\"toolUseId\":\"t\",\"name\":\"n\",\"stop\":true}", "" },

    { "assistantResponseEvent", "not json", NULL },
    { "assistantResponseEvent", "[]", NULL },
    { "assistantResponseEvent", "\"content\"", NULL },
    { "assistantResponseEvent", "{\"content\":\"x\"", NULL },
    { "assistantResponseEvent", "{\"content\":\"x\"}{}", NULL },
    { "assistantResponseEvent", "{\"content\":\"x\",}", NULL },
    { "assistantResponseEvent", "{\"content\":7}", NULL },
    { "assistantResponseEvent", "{\"content\":{\"a\":\"b\"}}", NULL },
    { "assistantResponseEvent", "{\"content\":\"\xff\"}", NULL },
    { "assistantResponseEvent", "{\"content\":\"\xed\xa0\x80\"}", NULL },
    { "assistantResponseEvent", "{\"content\":\"\x01\"}", NULL },

    /* events without a text are handed on unread */
    { "metadataEvent", "{\"content\":\"x\"}", "" },
    { "meteringEvent", "not json", "" },
};

static void the_text_of_an_event_is_found_and_decoded(void **state)
{
    (void)state;
    AUTO(buf) struct buf scratch = BUF(0);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct aq_str payload = str_from(texts[i].payload);
        struct aq_str text = AQ_STR("untouched");
        struct aq_error err = { 0 };
        const struct chat_kind *kind = chat_kind_find(str_from(texts[i].event));
        aq_status st = chat_text(kind, str_bytes(payload), &scratch, &text, &err);
        if (st != (texts[i].want ? AQ_OK : AQ_E_PROTOCOL)) {
            fail_msg("%s %s: status %d", texts[i].event, texts[i].payload, st);
        }
        assert_text(text, texts[i].want ? texts[i].want : "untouched");
        assert_true(utf8_valid((const uint8_t *)text.ptr, text.len));
        if (st != AQ_OK) {
            assert_non_null(strstr(err.text, texts[i].event));
        }
    }
}

static void a_text_without_escapes_is_not_copied(void **state)
{
    (void)state;
    AUTO(buf) struct buf scratch = BUF(0);
    struct aq_str payload = AQ_STR("{\"content\":\"Hello\"}");
    struct aq_str text;
    const struct chat_kind *kind = chat_kind_find(AQ_STR("assistantResponseEvent"));
    assert_int_equal(chat_text(kind, str_bytes(payload), &scratch, &text, NULL), AQ_OK);
    assert_ptr_equal(text.ptr, payload.ptr + 12);
    assert_null(scratch.ptr);
}

/* White space in front keeps a payload off the quick path; nothing else may change. */
static void assert_same_on_both_paths(const struct chat_kind *kind, struct aq_str payload)
{
    AUTO(buf) struct buf one = BUF(0);
    AUTO(buf) struct buf two = BUF(0);
    AUTO(buf) struct buf padded = BUF(0);
    struct aq_str quick = AQ_STR("");
    struct aq_str full = AQ_STR("");
    buf_add_char(&padded, ' ');
    buf_add(&padded, payload);
    assert_int_equal(chat_text(kind, str_bytes(payload), &one, &quick, NULL),
                     chat_text(kind, buf_bytes(&padded), &two, &full, NULL));
    assert_true(str_eq(quick, full));
}

static void the_quick_path_and_the_full_reader_agree_on_every_changed_byte(void **state)
{
    (void)state;
    static const char changes[] = "\0\n\x1f \"\\{}[],:a\x7f\x80\xc3\xff";
    const struct chat_kind *kind = chat_kind_find(AQ_STR("assistantResponseEvent"));
    char payload[] = "{\"content\":\"h\xc3\xa9 \xe2\x82\xac!\"}";
    const size_t len = sizeof(payload) - 1;
    for (size_t at = 0; at < len; at++) {
        char before = payload[at];
        for (size_t i = 0; i < sizeof(changes) - 1; i++) {
            payload[at] = changes[i];
            assert_same_on_both_paths(kind, (struct aq_str){ payload, len });
        }
        payload[at] = before;
        assert_same_on_both_paths(kind, (struct aq_str){ payload, at + 1 });
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_has_its_exact_target),
        cmocka_unit_test(a_prompt_becomes_the_body_of_a_question),
        cmocka_unit_test(absent_parts_of_a_question_are_left_out),
        cmocka_unit_test(a_whole_body_keeps_every_byte_and_gains_the_profile_it_lacks),
        cmocka_unit_test(a_call_that_takes_no_profile_gets_none),
        cmocka_unit_test(a_client_token_of_the_callers_stays),
        cmocka_unit_test(members_travel_in_the_query_string_too),
        cmocka_unit_test(parts_that_make_no_request_are_refused),
        cmocka_unit_test(every_event_of_the_service_has_its_kind),
        cmocka_unit_test(the_text_of_an_event_is_found_and_decoded),
        cmocka_unit_test(a_text_without_escapes_is_not_copied),
        cmocka_unit_test(the_quick_path_and_the_full_reader_agree_on_every_changed_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
