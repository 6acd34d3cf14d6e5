/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding of paths and query strings, and base64url: what may stand in a URL. */
#ifndef AQ_WIRE_PERCENT_H
#define AQ_WIRE_PERCENT_H

#include "base/buf.h"

/* Append s with every byte as %XX that is not unreserved (RFC 3986, 2.3: letters, digits, -._~). */
void percent_encode(struct aq_str s, struct buf *out);

/* The byte that %XX at the front of s stands for; -1 if that is not there. */
int percent_byte(struct aq_str s);

/*
 * Append the value of a query parameter, decoded once: %XX, and + for a blank. False if there is a
 * % without two hexadecimal digits, or one that hides a control character.
 */
bool percent_decode(struct aq_str s, struct buf *out);

/* Append the bytes in base64url without padding (RFC 4648, 5). */
void base64url_encode(struct aq_bytes bytes, struct buf *out);

#endif
