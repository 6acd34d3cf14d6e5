/* SPDX-License-Identifier: Apache-2.0 */
#include "client/finding.h"

#include "base/alloc.h"
#include "base/str.h"
#include "host/paths.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_MAX = 1024 }; /* bytes; the rest is cut */

void finding_free(struct finding *finding)
{
    if (finding) {
        buf_done(&finding->text);
        buf_done(&finding->fix);
        alloc_free(finding, sizeof(*finding));
    }
}

void findings_done(struct findings *f)
{
    struct finding *finding;
    while ((finding = findings_take(f))) {
        finding_free(finding);
    }
    buf_done(&f->home);
    *f = (struct findings){ 0 };
}

/* Append text with "~" for the home directory, wherever it is whole. */
static void add_text(const struct findings *f, struct aq_str text, struct buf *out)
{
    const struct aq_str home = buf_str(&f->home);
    while (text.len) {
        struct aq_str behind = str_from_offset(text, home.len);
        bool ends = behind.len == 0 || behind.ptr[0] == '/' || behind.ptr[0] == ' ';
        if (home.len > 1 && str_starts(text, home) && ends) {
            buf_add_char(out, '~');
            text = behind;
        } else {
            buf_add_char(out, text.ptr[0]);
            text = str_from_offset(text, 1);
        }
    }
}

void findings_add(struct findings *f, int32_t kind, const char *subject, const char *fix,
                  const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    struct finding *finding = ALLOC(struct finding);
    if (!finding) {
        f->no_memory = true;
        return;
    }
    if (f->home.len == 0 && paths_home(&f->home, NULL) != AQ_OK) {
        buf_clear(&f->home);
    }
    finding->kind = kind;
    finding->subject = subject;
    add_text(f, str_from(text), &finding->text);
    add_text(f, str_from(fix), &finding->fix);
    f->no_memory =
        f->no_memory || buf_status(&finding->text) != AQ_OK || buf_status(&finding->fix) != AQ_OK;
    *(f->last ? &f->last->next : &f->first) = finding;
    f->last = finding;
}

struct finding *findings_take(struct findings *f)
{
    struct finding *finding = f->first;
    if (finding) {
        f->first = finding->next;
        f->last = f->first ? f->last : NULL;
    }
    return finding;
}
