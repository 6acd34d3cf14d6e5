/* SPDX-License-Identifier: Apache-2.0 */
/* Exit codes: docs/exit-codes.md. */
#ifndef Q_EXITCODE_H
#define Q_EXITCODE_H

#include <amazonq/amazonq.h>

enum exitcode {
    EXITCODE_OK = 0,
    EXITCODE_OTHER = 1,         /* also: the result could not be written */
    EXITCODE_USAGE = 2,         /* an argument or a setting is wrong */
    EXITCODE_STORE = 3,         /* the store cannot be used */
    EXITCODE_NOT_LOGGED_IN = 4, /* there is no login */
    EXITCODE_TEMPORARY = 5,     /* the login is kept, try again */
    EXITCODE_LOGIN = 6,         /* a new login is needed */
    EXITCODE_REFUSED = 7,       /* the service was reached and said no */
    EXITCODE_SIGNAL = 128,      /* plus the number of the signal: 130 after Ctrl-C */
};

int exitcode_of(aq_status status);

#endif
