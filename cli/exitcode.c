/* SPDX-License-Identifier: Apache-2.0 */
#include "exitcode.h"

#include <stddef.h>

/* What is not listed is EXITCODE_OTHER. */
static const struct {
    aq_status status;
    enum exitcode code;
} table[] = {
    { AQ_OK, EXITCODE_OK },
    { AQ_E_INVALID, EXITCODE_USAGE },

    { AQ_E_NOTFOUND, EXITCODE_STORE },
    { AQ_E_CHANGED, EXITCODE_STORE },
    { AQ_E_BUSY, EXITCODE_STORE },
    { AQ_E_READONLY, EXITCODE_STORE },
    { AQ_E_DENIED, EXITCODE_STORE },
    { AQ_E_CORRUPT, EXITCODE_STORE },
    { AQ_E_IO, EXITCODE_STORE },
    { AQ_E_UNAVAILABLE, EXITCODE_STORE },
    { AQ_E_PLUGIN, EXITCODE_STORE },
    { AQ_E_NOT_SAVED, EXITCODE_STORE },

    { AQ_E_NOT_LOGGED_IN, EXITCODE_NOT_LOGGED_IN },

    { AQ_E_NETWORK, EXITCODE_TEMPORARY },
    { AQ_E_TLS, EXITCODE_TEMPORARY },
    { AQ_E_TIMEOUT, EXITCODE_TEMPORARY },
    { AQ_E_PROTOCOL, EXITCODE_TEMPORARY },
    { AQ_E_TRUNCATED, EXITCODE_TEMPORARY },
    { AQ_E_LIMIT, EXITCODE_TEMPORARY },
    { AQ_E_REFRESH, EXITCODE_TEMPORARY },
    { AQ_E_EXPIRED, EXITCODE_TEMPORARY },

    { AQ_E_LOGIN_NEEDED, EXITCODE_LOGIN },
    { AQ_E_AUTH, EXITCODE_LOGIN },

    { AQ_E_ACCESS, EXITCODE_REFUSED },
    { AQ_E_THROTTLED, EXITCODE_REFUSED },
    { AQ_E_QUOTA, EXITCODE_REFUSED },
    { AQ_E_OVERLOADED, EXITCODE_REFUSED },
    { AQ_E_TOO_LONG, EXITCODE_REFUSED },
    { AQ_E_VALIDATION, EXITCODE_REFUSED },
    { AQ_E_CONFLICT, EXITCODE_REFUSED },
    { AQ_E_SERVICE, EXITCODE_REFUSED },
};

int exitcode_of(aq_status status)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status) {
            return (int)table[i].code;
        }
    }
    return EXITCODE_OTHER;
}
