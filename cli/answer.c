/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"
#include "exitcode.h"
#include "output.h"
#include "write.h"

#include <errno.h>

void answer_done(struct answer *a)
{
    text_done(&a->held);
    text_done(&a->shown);
}

static void write_shown(struct answer *a)
{
    if (!text_ok(&a->shown)) {
        a->err = a->err ? a->err : ENOMEM;
    }
    if (a->err == 0 && a->shown.len > 0) {
        a->any = true;
        a->line_end = a->shown.ptr[a->shown.len - 1] == '\n';
        a->err = write_all(a->fd, text_view(&a->shown));
    }
    text_clear(&a->shown);
}

static void release(struct answer *a)
{
    if (a->holding && a->raw) {
        text_add(&a->shown, text_view(&a->held));
    } else if (a->holding) {
        terminal_filter(&a->filter, text_view(&a->held), &a->shown);
    }
    a->holding = false;
    write_shown(a);
}

bool answer_event(struct answer *a, const struct aq_event *event)
{
    if (event->kind == AQ_MESSAGE_CODE_REFERENCE && a->holding) {
        a->holding = false;
        a->left_out = true;
    }
    release(a);
    if (event->kind == AQ_MESSAGE_ASSISTANT_RESPONSE) {
        text_clear(&a->held);
        text_add(&a->held, event->text);
        a->holding = true;
        a->err = a->err == 0 && !text_ok(&a->held) ? ENOMEM : a->err;
    }
    return a->err == 0;
}

int answer_finish(struct answer *a)
{
    release(a);
    terminal_finish(&a->filter, &a->shown);
    write_shown(a);
    if (a->any && !a->line_end) {
        text_add_char(&a->shown, '\n');
        write_shown(a);
    }
    if (a->err == EPIPE) {
        return EXITCODE_OTHER; /* who reads has seen enough, as with `q chat ... | head` */
    }
    return output_finish(a->fd, a->err);
}
