/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller of the broker may ask: one JSON object on one line (docs/broker.md). */
#ifndef Q_REQUEST_H
#define Q_REQUEST_H

#include <amazonq/amazonq.h>
#include <stdbool.h>

enum {
    REQUEST_VERSION = 1,
    REQUEST_MAX = 4096, /* bytes of a line, with its newline */
    REQUEST_SOURCE_MAX = 32,
};

enum request_op {
    REQUEST_TOKEN,
    REQUEST_LOGIN, /* all about the login but its tokens */
};

struct request {
    enum request_op op;
    bool force;
    bool no_refresh;
    int64_t min_valid_s;
    char source[REQUEST_SOURCE_MAX]; /* which login it must be; empty: any */
};

/* AQ_OK, AQ_E_INVALID or AQ_E_NOMEM. Members that are not known are ignored. */
aq_status request_parse(struct aq_str line, struct request *ret, struct aq_error *err);

#endif
