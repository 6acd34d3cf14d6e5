/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "json.h"
#include "output.h"
#include "session.h"
#include "terminal.h"

#include <string.h>
#include <unistd.h>

enum { SUBJECT_WIDTH = 21 }; /* "service.certificate", and then some */

/* What is printed, finding by finding. */
struct sheet {
    struct json json;
    struct text out;
    bool is_json;
    unsigned failures, warnings;
};

static void sheet_done(struct sheet *sheet)
{
    text_done(&sheet->out);
}

static const char *name_of(int32_t kind)
{
    switch (kind) {
    case AQ_FINDING_OK:
        return "ok";
    case AQ_FINDING_WARN:
        return "warn";
    default:
        return "fail";
    }
}

static void add_padded(struct text *out, const char *text, size_t len, size_t width)
{
    text_add(out, (struct aq_str){ text, len });
    for (size_t i = len; i < width; i++) {
        text_add_char(out, ' ');
    }
}

/* A line, and another one with what to do. */
static void add_plain(struct sheet *sheet, const char *status, struct aq_str subject,
                      struct aq_str what, struct aq_str fix)
{
    struct text *out = &sheet->out;
    add_padded(out, status, strlen(status), 6);
    add_padded(out, subject.ptr, subject.len, SUBJECT_WIDTH);
    terminal_clean_line(what, out);
    text_add_char(out, '\n');
    if (fix.len > 0) {
        text_add_literal(out, "      -> ");
        terminal_clean_line(fix, out);
        text_add_char(out, '\n');
    }
}

static void sheet_add(struct sheet *sheet, int32_t kind, struct aq_str subject, struct aq_str what,
                      struct aq_str fix)
{
    struct json *j = &sheet->json;
    const char *status = name_of(kind);
    sheet->warnings += kind == AQ_FINDING_WARN;
    sheet->failures += kind != AQ_FINDING_WARN && kind != AQ_FINDING_OK;
    if (!sheet->is_json) {
        add_plain(sheet, status, subject, what, fix);
        return;
    }
    json_open(j, NULL);
    json_string(j, "subject", subject);
    json_string(j, "status", text_of(status));
    json_string(j, "what", what);
    json_string_if_any(j, "fix", fix);
    json_close(j);
}

static void sheet_begin(struct sheet *sheet, const char *format)
{
    sheet->is_json = json_is_format(format);
    sheet->json = (struct json){ .out = &sheet->out, .pretty = json_is_pretty(format) };
    if (sheet->is_json) {
        json_open(&sheet->json, NULL);
        json_integer(&sheet->json, "schema_version", 1);
        json_open_array(&sheet->json, "findings");
    }
}

static void sheet_end(struct sheet *sheet)
{
    if (sheet->is_json) {
        json_close_array(&sheet->json);
        json_integer(&sheet->json, "failures", sheet->failures);
        json_integer(&sheet->json, "warnings", sheet->warnings);
        json_close(&sheet->json);
        return;
    }
    if (sheet->failures == 0 && sheet->warnings == 0) {
        text_add_literal(&sheet->out, "Nothing is wrong.\n");
        return;
    }
    text_add_literal(&sheet->out, "Wrong: ");
    text_add_integer(&sheet->out, sheet->failures);
    text_add_literal(&sheet->out, ", to be looked at: ");
    text_add_integer(&sheet->out, sheet->warnings);
    text_add_literal(&sheet->out, "\n");
}

static aq_status check(struct session *s, struct sheet *sheet)
{
    struct aq_op *op;
    const struct aq_event *event;
    aq_status st = aq_check_start(s->client, NULL, &op, &s->error);
    if (st != AQ_OK) {
        return st;
    }
    while ((st = session_next(s, op, &event)) == AQ_OK) {
        if (event->type == AQ_EVENT_FINDING) {
            sheet_add(sheet, event->kind, event->name, event->text,
                      (struct aq_str){ (const char *)event->payload.ptr, event->payload.len });
        }
    }
    aq_op_free(op);
    return st;
}

int cmd_doctor(const struct options *o)
{
    const char *format = format_of(o);
    if (!format) {
        return EXITCODE_USAGE;
    }

    AUTO(session) struct session s = { .check_only = true };
    AUTO(sheet) struct sheet sheet = { 0 };
    sheet_begin(&sheet, format);
    aq_status st = session_init(&s, o);
    if (st == AQ_OK) {
        st = check(&s, &sheet);
    }
    if (st != AQ_END) {
        return session_fail(&s, st);
    }
    sheet_end(&sheet);
    int code = output_result(STDOUT_FILENO, &sheet.out);
    return code == EXITCODE_OK && sheet.failures > 0 ? EXITCODE_OTHER : code;
}
