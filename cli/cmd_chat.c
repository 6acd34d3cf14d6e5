/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"
#include "command.h"
#include "exitcode.h"
#include "interrupt.h"
#include "program.h"
#include "prompt.h"
#include "report.h"
#include "session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Read what to ask into text or from the argument; an exit code other than 0 was reported. */
static int read_prompt(const struct options *o, struct text *text, struct aq_str *ret)
{
    bool terminal = isatty(STDIN_FILENO) == 1;
    if (terminal && !options_has(o, OPTION_NO_INTERACTIVE)) {
        report_error("chat: a conversation on the terminal is not available yet, "
                     "ask with '%s chat --no-interactive PROMPT'",
                     program_name());
        return EXITCODE_USAGE;
    }
    if (o->word_count > 0) {
        *ret = prompt_trim(text_of(o->words[0]));
    } else if (terminal) {
        report_error("chat: no question, write '%s chat --no-interactive PROMPT' or pipe it in",
                     program_name());
        return EXITCODE_USAGE;
    } else {
        int err = prompt_read(STDIN_FILENO, text);
        if (err != 0 && interrupt_signal()) {
            return EXITCODE_SIGNAL + interrupt_signal();
        }
        if (err != 0) {
            report_error("standard input: %s, give the question as an argument", strerror(err));
            return EXITCODE_USAGE;
        }
        *ret = prompt_trim(text_view(text));
    }
    if (ret->len == 0) {
        report_error("chat: the question is empty, write '%s chat --no-interactive PROMPT'",
                     program_name());
        return EXITCODE_USAGE;
    }
    return EXITCODE_OK;
}

/* Print the answer until it ends. */
static aq_status print_answer(struct session *s, struct aq_op *op, struct answer *a)
{
    const struct aq_event *event;
    aq_status st;
    while ((st = session_next(s, op, &event)) == AQ_OK) {
        if (event->type != AQ_EVENT_MESSAGE) {
            continue;
        }
        if (event->kind == AQ_MESSAGE_INVALID_STATE && !s->quiet) {
            report_note("warning",
                        "answer: the service says that its state is not valid, ask again");
        }
        if (!answer_event(a, event)) {
            break;
        }
    }
    return st;
}

static int chat(const struct options *o, struct session *s, struct aq_str prompt)
{
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    const char *model = o->value[OPTION_MODEL];
    options.call = AQ_CALL_GENERATE_ASSISTANT_RESPONSE;
    options.prompt = prompt;
    options.model_id = model ? text_of(model) : options.model_id;

    struct aq_op *op;
    aq_status st = aq_chat_start(s->client, &options, &op, &s->error);
    if (st != AQ_OK) {
        return session_fail(s, st);
    }
    AUTO(answer) struct answer a = { .fd = STDOUT_FILENO, .raw = options_has(o, OPTION_RAW) };
    st = print_answer(s, op, &a);
    int written = answer_finish(&a); /* also after a failure: what came is worth reading */
    if (st < 0) {
        return session_fail(s, st);
    }
    if (a.left_out && !s->quiet) {
        report_note("warning", "answer: code that is under a licence of others was left out");
    }
    if (!a.any && written == EXITCODE_OK && !s->quiet) {
        report_note("warning", "answer: the service sent no text, ask differently");
    }
    return written;
}

int cmd_chat(const struct options *o)
{
    AUTO(text) struct text text = { 0 };
    struct aq_str prompt = { 0 };
    int code = read_prompt(o, &text, &prompt);
    if (code != EXITCODE_OK) {
        return code;
    }
    AUTO(session) struct session s = { 0 };
    aq_status st = session_init(&s, o);
    return st == AQ_OK ? chat(o, &s, prompt) : session_fail(&s, st);
}
