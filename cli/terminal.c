/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <string.h>

enum { ESC = 0x1B };

struct range {
    uint32_t first, last;
};

/* Sorted. Left in although invisible: U+200C and U+200D, which spelling and emoji need. */
static const struct range removed[] = {
    { 0x0000, 0x0008 },   /* C0 without tab and newline ... */
    { 0x000B, 0x001F },   /* ... so a lone CR cannot overwrite a line */
    { 0x007F, 0x009F },   /* DEL, C1 */
    { 0x061C, 0x061C },   /* Arabic letter mark */
    { 0x180E, 0x180E },   /* Mongolian vowel separator */
    { 0x200B, 0x200B },   /* zero width space */
    { 0x200E, 0x200F },   /* left-to-right and right-to-left mark */
    { 0x2028, 0x202E },   /* line and paragraph separator, embeddings and overrides */
    { 0x2060, 0x206F },   /* word joiner, invisible operators, isolates, deprecated controls */
    { 0xFEFF, 0xFEFF },   /* zero width no-break space */
    { 0xFFF9, 0xFFFB },   /* interlinear annotations */
    { 0xE0000, 0xE0FFF }, /* tags and whatever else is invisible in this plane */
};

static bool is_removed(uint32_t scalar)
{
    for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
        if (scalar <= removed[i].last) {
            return scalar >= removed[i].first;
        }
    }
    return false;
}

/* ECMA-48 5.3 and 8.3: what comes after ESC, or as one character of C1 (U+0080 + byte - 0x40). */
static enum terminal_state state_after(uint32_t byte)
{
    switch (byte) {
    case '[':
        return TERMINAL_CSI;
    case ']': /* OSC */
    case 'P': /* DCS */
    case 'X': /* SOS */
    case '^': /* PM */
    case '_': /* APC */
        return TERMINAL_STRING;
    default:
        return TERMINAL_GROUND;
    }
}

static bool ground(struct terminal *t, uint32_t scalar)
{
    if (scalar == ESC) {
        t->state = TERMINAL_ESCAPE;
        return false;
    }
    t->state = scalar >= 0x80 && scalar <= 0x9F ? state_after(scalar - 0x40) : TERMINAL_GROUND;
    return !is_removed(scalar);
}

/*
 * Take one scalar value; true if it may be shown. A sequence that meets something it cannot hold
 * is over, and a string also at the end of the line: an unfinished one hides little.
 */
static bool step(struct terminal *t, uint32_t scalar)
{
    switch (t->state) {
    case TERMINAL_ESCAPE:
        if (scalar >= 0x30 && scalar <= 0x7E) {
            t->state = state_after(scalar);
            return false;
        }
        /* fall through */
    case TERMINAL_INTERMEDIATE:
        if (scalar >= 0x20 && scalar <= 0x7E) {
            t->state = scalar < 0x30 ? TERMINAL_INTERMEDIATE : TERMINAL_GROUND;
            return false;
        }
        return ground(t, scalar);
    case TERMINAL_CSI:
        if (scalar >= 0x20 && scalar <= 0x7E) {
            t->state = scalar < 0x40 ? TERMINAL_CSI : TERMINAL_GROUND;
            return false;
        }
        return ground(t, scalar);
    case TERMINAL_STRING:
        if (scalar == ESC || scalar == '\n' || (scalar >= 0x80 && scalar <= 0x9F)) {
            return ground(t, scalar); /* ST is ESC \ or U+009C; both show nothing */
        }
        if (scalar == 0x07 || scalar == 0x18 || scalar == 0x1A) { /* BEL, CAN, SUB */
            t->state = TERMINAL_GROUND;
        }
        return false;
    default:
        return ground(t, scalar);
    }
}

static void show(uint32_t scalar, const char *ptr, size_t len, struct text *out)
{
    if (scalar == SCALAR_REPLACEMENT) {
        text_add(out, AQ_STR("\xEF\xBF\xBD")); /* also in place of bytes that are not UTF-8 */
    } else {
        text_add(out, (struct aq_str){ ptr, len });
    }
}

/* Complete the scalar value that the last piece has left; returns the number of bytes used. */
static size_t complete(struct terminal *t, struct aq_str piece, struct text *out)
{
    size_t kept = t->pending_len;
    size_t more = piece.len < SCALAR_MAX_LEN - kept ? piece.len : SCALAR_MAX_LEN - kept;
    memcpy(t->pending + kept, piece.ptr, more);
    uint32_t scalar;
    size_t len = scalar_read(t->pending, kept + more, &scalar);
    if (len == 0) {
        t->pending_len = kept + more;
        return more;
    }
    t->pending_len = 0;
    if (step(t, scalar)) {
        show(scalar, t->pending, len, out);
    }
    return len - kept;
}

void terminal_filter(struct terminal *t, struct aq_str piece, struct text *out)
{
    size_t at = t->pending_len > 0 && piece.len > 0 ? complete(t, piece, out) : 0;

    while (at < piece.len) {
        uint32_t scalar;
        size_t len = scalar_read(piece.ptr + at, piece.len - at, &scalar);
        if (len == 0) {
            t->pending_len = piece.len - at;
            memcpy(t->pending, piece.ptr + at, t->pending_len);
            return;
        }
        if (step(t, scalar)) {
            show(scalar, piece.ptr + at, len, out);
        }
        at += len;
    }
}

void terminal_finish(struct terminal *t, struct text *out)
{
    if (t->pending_len > 0 && step(t, SCALAR_REPLACEMENT)) {
        show(SCALAR_REPLACEMENT, NULL, 0, out);
    }
    *t = (struct terminal){ 0 };
}

void terminal_clean(struct aq_str whole, struct text *out)
{
    struct terminal t = { 0 };
    terminal_filter(&t, whole, out);
    terminal_finish(&t, out);
}

void terminal_clean_line(struct aq_str whole, struct text *out)
{
    const size_t begin = out->len;
    terminal_clean(whole, out);
    for (size_t i = begin; i < out->len; i++) {
        if ((unsigned char)out->ptr[i] < ' ') {
            out->ptr[i] = ' ';
        }
    }
}
