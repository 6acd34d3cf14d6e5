/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the results in <amazonq/status.h>. */
#include <amazonq/client.h>

const char *aq_status_name(aq_status status)
{
#define NAME(name) \
    case name: \
        return #name
    switch (status) {
        NAME(AQ_OK);
        NAME(AQ_AGAIN);
        NAME(AQ_END);
        NAME(AQ_E_INVALID);
        NAME(AQ_E_STATE);
        NAME(AQ_E_NOMEM);
        NAME(AQ_E_FORKED);
        NAME(AQ_E_CANCELLED);
        NAME(AQ_E_NOTFOUND);
        NAME(AQ_E_CHANGED);
        NAME(AQ_E_BUSY);
        NAME(AQ_E_READONLY);
        NAME(AQ_E_DENIED);
        NAME(AQ_E_CORRUPT);
        NAME(AQ_E_IO);
        NAME(AQ_E_UNAVAILABLE);
        NAME(AQ_E_PLUGIN);
        NAME(AQ_E_UNSUPPORTED);
        NAME(AQ_E_NETWORK);
        NAME(AQ_E_TLS);
        NAME(AQ_E_TIMEOUT);
        NAME(AQ_E_PROTOCOL);
        NAME(AQ_E_TRUNCATED);
        NAME(AQ_E_LIMIT);
        NAME(AQ_E_NOT_LOGGED_IN);
        NAME(AQ_E_LOGIN_NEEDED);
        NAME(AQ_E_REFRESH);
        NAME(AQ_E_EXPIRED);
        NAME(AQ_E_NOT_SAVED);
        NAME(AQ_E_AUTH);
        NAME(AQ_E_ACCESS);
        NAME(AQ_E_THROTTLED);
        NAME(AQ_E_QUOTA);
        NAME(AQ_E_OVERLOADED);
        NAME(AQ_E_TOO_LONG);
        NAME(AQ_E_VALIDATION);
        NAME(AQ_E_CONFLICT);
        NAME(AQ_E_SERVICE);
    default:
        return "AQ_E_UNKNOWN";
    }
#undef NAME
}
