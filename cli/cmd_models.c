/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "json.h"
#include "output.h"
#include "session.h"
#include "terminal.h"

#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

enum { PAGES_MAX = 32 };

/* Writes the models of one page after another. */
struct models {
    struct json *json; /* NULL: plain */
    struct text *out;
    struct text default_id;
    struct text next_token; /* of the page after this one; empty: it was the last */
};

static void models_done(struct models *m)
{
    text_done(&m->default_id);
    text_done(&m->next_token);
}

/* A member of an object, as text; empty if there is none. */
static struct aq_str member(struct json_object *object, const char *key)
{
    struct json_object *value;
    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string)) {
        return AQ_STR("");
    }
    return (struct aq_str){ json_object_get_string(value),
                            (size_t)json_object_get_string_len(value) };
}

static bool equal(struct aq_str a, struct aq_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void write_model(struct models *m, struct json_object *model)
{
    struct aq_str id = member(model, "modelId");
    struct aq_str name = member(model, "modelName");
    bool is_default = equal(id, text_view(&m->default_id));
    if (id.len == 0) {
        return;
    }
    if (m->json) {
        json_open(m->json, NULL);
        json_string(m->json, "id", id);
        json_string_if_any(m->json, "name", name);
        json_string_if_any(m->json, "description", member(model, "description"));
        json_boolean(m->json, "default", is_default);
        json_close(m->json);
        return;
    }
    text_add_literal(m->out, is_default ? "* " : "  ");
    terminal_clean(id, m->out);
    if (name.len > 0 && !equal(name, id)) {
        text_add_literal(m->out, "  ");
        terminal_clean(name, m->out);
    }
    text_add_char(m->out, '\n');
}

static void write_page(struct models *m, struct json_object *page)
{
    struct json_object *list = NULL, *first = NULL;
    if (m->default_id.len == 0 && json_object_object_get_ex(page, "defaultModel", &first)) {
        text_add(&m->default_id, member(first, "modelId"));
    }
    bool is_list = json_object_object_get_ex(page, "models", &list) &&
                   json_object_is_type(list, json_type_array);
    for (size_t i = 0; is_list && i < json_object_array_length(list); i++) {
        write_model(m, json_object_array_get_idx(list, i));
    }
    struct aq_str next = member(page, "nextToken");
    bool repeated = equal(next, text_view(&m->next_token));
    text_clear(&m->next_token);
    text_add(&m->next_token, repeated ? AQ_STR("") : next);
}

/* The library has seen to it that a reply is one JSON object. */
static void take_reply(struct models *m, struct aq_bytes reply)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *page =
        tokener ? json_tokener_parse_ex(tokener, (const char *)reply.ptr, (int)reply.len) : NULL;
    if (json_object_is_type(page, json_type_object)) {
        write_page(m, page);
    }
    json_object_put(page);
    if (tokener) {
        json_tokener_free(tokener);
    }
}

static aq_status get_page(struct session *s, struct models *m)
{
    AUTO(text) struct text body = { 0 };
    struct json j = { .out = &body };
    json_open(&j, NULL);
    json_string(&j, "origin", AQ_STR("CLI"));
    json_string_if_any(&j, "nextToken", text_view(&m->next_token));
    json_close(&j);

    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    options.call = AQ_CALL_LIST_AVAILABLE_MODELS;
    options.body = (struct aq_bytes){ (const uint8_t *)body.ptr, body.len };
    struct aq_op *op;
    const struct aq_event *event;
    aq_status st = aq_chat_start(s->client, &options, &op, &s->error);
    if (st != AQ_OK) {
        return st;
    }
    while ((st = session_next(s, op, &event)) == AQ_OK) {
        if (event->type == AQ_EVENT_REPLY) {
            take_reply(m, event->payload);
        }
    }
    aq_op_free(op);
    return st;
}

static aq_status get_all(struct session *s, struct models *m)
{
    aq_status st = get_page(s, m);
    for (int i = 1; i < PAGES_MAX && st == AQ_END && m->next_token.len > 0; i++) {
        st = get_page(s, m);
    }
    return st;
}

int cmd_models(const struct options *o)
{
    const char *format = format_of(o);
    if (!format) {
        return EXITCODE_USAGE;
    }
    AUTO(session) struct session s = { 0 };
    AUTO(text) struct text out = { 0 };
    struct json j = { .out = &out, .pretty = json_is_pretty(format) };
    AUTO(models) struct models m = { .json = json_is_format(format) ? &j : NULL, .out = &out };
    if (m.json) {
        json_open(&j, NULL);
        json_open_array(&j, "models");
    }
    aq_status st = session_init(&s, o);
    if (st == AQ_OK) {
        st = get_all(&s, &m);
    }
    if (m.json) {
        json_close_array(&j);
        json_close(&j);
    }
    return st == AQ_END ? output_result(STDOUT_FILENO, &out) : session_fail(&s, st);
}
