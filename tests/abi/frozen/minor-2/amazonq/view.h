/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_VIEW_H
#define AMAZONQ_VIEW_H

/*
 * Borrowed memory.
 *
 * A view points at memory that somebody else owns. It is passed by value, is not NUL-terminated and
 * never has to be freed; every function that returns or takes one says how long it stays valid.
 * A view of nothing is {NULL, 0}.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Borrowed text, UTF-8 unless said otherwise; len is in bytes. */
struct aq_str {
    const char *ptr;
    size_t len;
};

/** Borrowed bytes. */
struct aq_bytes {
    const uint8_t *ptr;
    size_t len;
};

/* A view of a string literal: AQ_STR("sqlite"). AQ_STR_INIT is the form for static initialisers. */
#define AQ_STR_INIT(literal) \
    { \
        "" literal, sizeof(literal) - 1 \
    }
#ifdef __cplusplus
#define AQ_STR(literal) (aq_str AQ_STR_INIT(literal))
#else
#define AQ_STR(literal) ((struct aq_str)AQ_STR_INIT(literal))
#endif

/* For printf("%.*s", AQ_STR_ARG(view)). */
#define AQ_STR_ARG(view) (int)(view).len, ((view).ptr ? (view).ptr : "")

#ifdef __cplusplus
}
#endif

#endif
