/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that grows. It may hold secrets: memory is wiped before it is given back. Out of memory
 * is remembered, so that a writer appends without looking and asks once, with text_ok.
 */
#ifndef Q_TEXT_H
#define Q_TEXT_H

#include <amazonq/amazonq.h>
#include <stdbool.h>

struct text {
    char *ptr;
    size_t len;
    size_t cap;
    bool failed;
};

/* AUTO(text) struct text t = { 0 }; calls text_done(&t) on every way out of the scope. */
#define AUTO(type) __attribute__((cleanup(type##_done)))

void text_done(struct text *t);
void text_clear(struct text *t); /* forgets the content, keeps the memory */
bool text_ok(const struct text *t);
struct aq_str text_view(const struct text *t);

/* A string as a view; NULL is the empty one. */
struct aq_str text_of(const char *s);

bool text_is(struct aq_str text, const char *word);

/* Room for len more bytes behind t->len; false if there is none. */
bool text_reserve(struct text *t, size_t len);

void text_add(struct text *t, struct aq_str s);
void text_add_literal(struct text *t, const char *literal);
void text_add_char(struct text *t, char c);
void text_add_integer(struct text *t, int64_t value);

#endif
