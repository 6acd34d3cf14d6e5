/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "json.h"
#include "output.h"
#include "session.h"
#include "terminal.h"

#include <unistd.h>

static void sources_done(struct aq_sources **sources)
{
    aq_sources_free(*sources);
}

static bool is_login(const struct aq_source *source)
{
    return source->state == AQ_SOURCE_VALID || source->state == AQ_SOURCE_EXPIRED;
}

static const char *state_name(int32_t state)
{
    switch (state) {
    case AQ_SOURCE_ABSENT:
        return "absent";
    case AQ_SOURCE_EMPTY:
        return "empty";
    case AQ_SOURCE_VALID:
        return "valid";
    case AQ_SOURCE_EXPIRED:
        return "expired";
    default:
        return "unreadable";
    }
}

static void add_field(const char *before, struct aq_str value, struct text *out)
{
    if (value.len > 0) {
        text_add_literal(out, before);
        terminal_clean(value, out);
    }
}

/* Two lines: what it is and why it is used or not; where it is, and what there is to know. */
static void add_plain(const struct aq_source *source, struct text *out)
{
    text_add_literal(out, source->flags & AQ_SOURCE_CHOSEN ? "* " : "  ");
    terminal_clean(source->source, out);
    add_field(" ", source->login, out);
    if (source->kind.len > 0) {
        add_field(" (", source->kind, out);
        text_add_char(out, ')');
    }
    add_field(": ", source->reason, out);
    text_add_literal(out, "\n    ");
    if (source->place.len > 0) {
        terminal_clean(source->place, out);
    } else {
        add_field("store ", source->store, out);
    }
    if (is_login(source)) {
        text_add_literal(out, source->state == AQ_SOURCE_VALID ? ", valid" : ", expired");
        add_field(source->state == AQ_SOURCE_VALID ? " until " : " at ", source->expires_at, out);
        text_add_literal(out, source->flags & AQ_SOURCE_REFRESHABLE ? ", can be refreshed"
                                                                    : ", cannot be refreshed here");
        add_field(", ", source->start_url, out);
    }
    text_add_char(out, '\n');
}

static void add_json(const struct aq_source *source, struct json *j)
{
    json_open(j, NULL);
    json_string(j, "source", source->source);
    json_string_if_any(j, "login", source->login);
    json_string_if_any(j, "kind", source->kind);
    json_string(j, "state", text_of(state_name(source->state)));
    json_boolean(j, "chosen", source->flags & AQ_SOURCE_CHOSEN);
    json_boolean(j, "refreshable", source->flags & AQ_SOURCE_REFRESHABLE);
    json_string(j, "reason", source->reason);
    json_string(j, "store", source->store);
    json_string_if_any(j, "place", source->place);
    json_string_if_any(j, "expires_at", source->expires_at);
    json_string_if_any(j, "region", source->region);
    json_string_if_any(j, "start_url", source->start_url);
    json_string_if_any(j, "profile_arn", source->profile_arn);
    json_close(j);
}

static void list_plain(struct aq_sources *sources, struct text *out)
{
    struct aq_source source = { .struct_size = sizeof(source) };
    while (aq_sources_next(sources, &source) == AQ_OK) {
        add_plain(&source, out);
    }
}

static void list_json(struct aq_sources *sources, bool pretty, struct text *out)
{
    struct aq_source source = { .struct_size = sizeof(source) };
    struct json j = { .out = out, .pretty = pretty };
    json_open(&j, NULL);
    json_open_array(&j, "sources");
    while (aq_sources_next(sources, &source) == AQ_OK) {
        add_json(&source, &j);
    }
    json_close_array(&j);
    json_close(&j);
}

int cmd_sources(const struct options *o)
{
    const char *format = format_of(o);
    if (!format) {
        return EXITCODE_USAGE;
    }
    AUTO(session) struct session s = { 0 };
    AUTO(text) struct text out = { 0 };
    __attribute__((cleanup(sources_done))) struct aq_sources *sources = NULL;
    aq_status st = session_init(&s, o);
    if (st == AQ_OK) {
        st = aq_sources_open(s.client, &sources, &s.error);
    }
    if (st != AQ_OK) {
        return session_fail(&s, st);
    }
    if (json_is_format(format)) {
        list_json(sources, json_is_pretty(format), &out);
    } else {
        list_plain(sources, &out);
    }
    return output_result(STDOUT_FILENO, &out);
}
