/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes out of text from elsewhere everything that a terminal could obey or that hides from the
 * reader: control characters except newline and tab, escape sequences with what they carry,
 * bidirectional controls, tag characters and characters without width. State is kept between
 * pieces, so it does not matter where a text was cut.
 */
#ifndef Q_TERMINAL_H
#define Q_TERMINAL_H

#include "scalar.h"
#include "text.h"

enum terminal_state {
    TERMINAL_GROUND,
    TERMINAL_ESCAPE,       /* after ESC */
    TERMINAL_INTERMEDIATE, /* after ESC and a byte that wants another */
    TERMINAL_CSI,          /* in a control sequence, which ends with its final byte */
    TERMINAL_STRING,       /* in OSC, DCS, APC, PM or SOS, which end with ST */
};

/* Zero-initialise. */
struct terminal {
    enum terminal_state state;
    size_t pending_len;
    char pending[SCALAR_MAX_LEN]; /* the beginning of a scalar value that was cut */
};

/* Append to out what is left of the next piece. */
void terminal_filter(struct terminal *t, struct aq_str piece, struct text *out);

/* After the last piece: a scalar value that was never completed becomes U+FFFD. */
void terminal_finish(struct terminal *t, struct text *out);

/* A whole text at once. */
void terminal_clean(struct aq_str whole, struct text *out);

/* The same for a cell of a table: it stays one line, and control characters become blanks. */
void terminal_clean_line(struct aq_str whole, struct text *out);

#endif
