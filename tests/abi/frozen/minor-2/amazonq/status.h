/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_STATUS_H
#define AMAZONQ_STATUS_H

/*
 * Results and errors.
 *
 * Every call that can fail returns an aq_status: 0 is success, a small positive number is a normal
 * "not now" or "no more", a negative number is a failure. Where a call also takes a
 * struct aq_error *, the error is filled on failure only; NULL is allowed and means "not wanted".
 *
 * An error text is one line: "object: what is wrong, what to do". It never holds a token, a header
 * or a body, and it is safe to print.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Result of a call. An int32_t, not an enum, because its size is part of the ABI. */
typedef int32_t aq_status;

/* Numbers are never reused. The comment says whom the failure concerns and what it means. */

#define AQ_OK 0    /* done */
#define AQ_AGAIN 1 /* nothing yet; wait as the call says, then call again */
#define AQ_END 2   /* complete; there is no more */

/* the caller */
#define AQ_E_INVALID (-1) /* an argument or a setting is wrong */
#define AQ_E_STATE (-2)   /* not allowed now: a finished operation, a missing slot */
#define AQ_E_NOMEM (-3)
#define AQ_E_FORKED (-4)    /* the object belongs to the parent of this forked process */
#define AQ_E_CANCELLED (-5) /* the caller gave up */

/* a store */
#define AQ_E_NOTFOUND (-10)    /* no such key; also: no store there at all */
#define AQ_E_CHANGED (-11)     /* a commit expected another value; nothing was written */
#define AQ_E_BUSY (-12)        /* locked by somebody else for longer than we wait */
#define AQ_E_READONLY (-13)    /* can be read, cannot be written */
#define AQ_E_DENIED (-14)      /* permissions, ownership or trust rules forbid it */
#define AQ_E_CORRUPT (-15)     /* stored data is not what it must be */
#define AQ_E_IO (-16)          /* the operating system reported an error, see aq_error.sys */
#define AQ_E_UNAVAILABLE (-17) /* the store's service is not there */

/* a plugin */
#define AQ_E_PLUGIN (-20)      /* not found, not loadable, not compatible, broken contract */
#define AQ_E_UNSUPPORTED (-21) /* this plugin cannot do that */

/* the network */
#define AQ_E_NETWORK (-30)   /* name, route, connection, reset */
#define AQ_E_TLS (-31)       /* certificate, name or version was not acceptable */
#define AQ_E_TIMEOUT (-32)   /* a deadline passed */
#define AQ_E_PROTOCOL (-33)  /* the peer's bytes break the protocol */
#define AQ_E_TRUNCATED (-34) /* the peer stopped in the middle */
#define AQ_E_LIMIT (-35)     /* the peer sent more than we are willing to hold */

/* the login */
#define AQ_E_NOT_LOGGED_IN (-40) /* there is no login here */
#define AQ_E_LOGIN_NEEDED (-41)  /* there is one, but only a new login can revive it */
#define AQ_E_REFRESH (-42)       /* could not be refreshed now; it is kept, try again */
#define AQ_E_EXPIRED (-43)       /* not valid long enough, and refreshing was not allowed */
#define AQ_E_NOT_SAVED (-44)     /* expired, and the store cannot be written: not refreshed */

/* the service */
#define AQ_E_AUTH (-50)       /* the access token was rejected */
#define AQ_E_ACCESS (-51)     /* the account may not do this */
#define AQ_E_THROTTLED (-52)  /* too many requests now */
#define AQ_E_QUOTA (-53)      /* a monthly or conversation quota is used up */
#define AQ_E_OVERLOADED (-54) /* the model has no capacity now */
#define AQ_E_TOO_LONG (-55)   /* the input does not fit the model's context window */
#define AQ_E_VALIDATION (-56) /* the service says the request is malformed */
#define AQ_E_CONFLICT (-57)   /* the service says its state forbids the request */
#define AQ_E_SERVICE (-58)    /* the service failed, or failed in a way we do not know */

/* Bits of aq_error.flags. */
#define AQ_ERROR_NOT_SENT \
    0x1u /* no byte of the request can have been acted upon: safe to repeat \
          */

/** What went wrong. Owned by the caller, who need not initialise or free anything. */
struct aq_error {
    aq_status status; /* what the call returned */
    int32_t sys;      /* errno of the operating system, or 0 */
    int32_t http;     /* HTTP status of the answer that caused it, or 0 */
    uint32_t flags;   /* AQ_ERROR_... */
    char text[496];   /* NUL-terminated UTF-8, never empty after a failure; cut if too long */
};

#ifdef __cplusplus
}
#endif

#endif
