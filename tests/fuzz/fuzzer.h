/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers share: the entry point, and checks that also hold without assert(). */
#ifndef AQ_TESTS_FUZZ_FUZZER_H
#define AQ_TESTS_FUZZ_FUZZER_H

#include "base/utf8.h"

#include <amazonq/status.h>
#include <amazonq/view.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the code under test; a broken one is a finding. */
#define PROMISE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* An error text is one line of UTF-8 that is safe to print. */
static inline void error_text_check(const struct aq_error *err)
{
    size_t len = strnlen(err->text, sizeof(err->text));
    PROMISE(len > 0 && len < sizeof(err->text));
    PROMISE(utf8_valid((const uint8_t *)err->text, len));
    for (size_t i = 0; i < len; i++) {
        PROMISE((unsigned char)err->text[i] >= 0x20 && err->text[i] != 0x7f);
    }
}

/*
 * The input as a script: numbers and pieces of it, one after the other. Behind its end there are
 * zeros and empty pieces.
 */
struct script {
    const uint8_t *ptr;
    size_t len;
};

static inline uint8_t script_byte(struct script *s)
{
    if (s->len == 0) {
        return 0;
    }
    s->len--;
    return *s->ptr++;
}

/* The next len bytes, or what is left of them. */
static inline struct aq_bytes script_rest(struct script *s, size_t len)
{
    struct aq_bytes piece = { s->ptr, len < s->len ? len : s->len };
    s->ptr += piece.len;
    s->len -= piece.len;
    return piece;
}

/* A piece that is preceded by its length, a byte. */
static inline struct aq_bytes script_piece(struct script *s)
{
    return script_rest(s, script_byte(s));
}

#endif
