/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of the broker's replies that copies nothing: a reply with a token in it is handed on as
 * it is. It knows where members begin and end, and leaves the rest to whoever reads the token.
 */
#ifndef BROKER_REPLY_H
#define BROKER_REPLY_H

#include "fail.h"

#include <stdbool.h>

/* A member as it was written, strings with their quotes; empty if it is absent. */
struct reply {
    struct aq_str v;
    struct aq_str error;
    struct aq_str access_token;
    struct aq_str source;
    struct aq_str warning;
};

/*
 * AQ_OK; AQ_E_PROTOCOL if it is no object of version 1; or the broker's own error, with its status
 * and its text. Statuses that are unknown here become AQ_E_UNAVAILABLE.
 */
aq_status reply_read(struct aq_str line, struct reply *ret, struct aq_error *err);

/* Decode a string member into buf, cut at size - 1 bytes, NUL-terminated. Returns its length. */
size_t reply_text(struct aq_str value, char *buf, size_t size);

#endif
