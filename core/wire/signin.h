/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SSO OIDC calls that make a login, bytes in and bytes out (docs/protocol.md): register a
 * client, ask for a device code (RFC 8628) or build the URL of an authorization code (RFC 6749 with
 * RFC 7636), exchange either for tokens; and the two rows a login is stored as.
 */
#ifndef AQ_WIRE_SIGNIN_H
#define AQ_WIRE_SIGNIN_H

#include "wire/oidc.h"

#define SIGNIN_REGISTER_PATH "/client/register"
#define SIGNIN_DEVICE_PATH "/device_authorization"
#define SIGNIN_AUTHORIZE_PATH "/authorize"

/* The start URL that is nobody's organisation. */
#define SIGNIN_BUILDER_ID_URL "https://view.awsapps.com/start"

enum {
    SIGNIN_URL_MAX = 2048,         /* bytes of a URL of the service that is shown */
    SIGNIN_INTERVAL_S = 5,         /* between two polls, where the answer does not say (RFC 8628) */
    SIGNIN_SLOW_DOWN_S = 5,        /* what slow_down adds to it */
    SIGNIN_LIFETIME_MAX_S = 86400, /* of a code; no more is believed */
};

/* What an answer means for a login that is being made. */
enum signin_outcome {
    SIGNIN_OK,
    SIGNIN_PENDING,        /* nobody has approved it yet */
    SIGNIN_SLOW_DOWN,      /* the same, and the pause between two polls must grow */
    SIGNIN_TEMPORARY,      /* 429, 5xx, and no JSON object where tokens are awaited: the same
                              request may be sent again */
    SIGNIN_CLIENT_UNKNOWN, /* this registration is not accepted (any more): register again */
    SIGNIN_REFUSED,        /* it ends here */
};

/* An answer, whole. */
struct signin_answer {
    int32_t http;
    struct aq_str error_type; /* header x-amzn-errortype, or empty */
    struct aq_str body;
};

/* A code for a person to confirm on another device. Texts are views into `text`. */
struct signin_device {
    struct buf text;
    struct aq_str device_code; /* secret */
    struct aq_str user_code;
    struct aq_str url;       /* with the code in it, or as short_url */
    struct aq_str short_url; /* to be typed */
    int64_t lifetime_s;      /* 1 ... SIGNIN_LIFETIME_MAX_S */
    int64_t interval_s;      /* 1 ... lifetime_s */
};

void signin_device_done(struct signin_device *d);

/* ---- requests: append the body. AQ_OK, or AQ_E_NOMEM ---- */

/* redirect_uri  empty: a client for device codes, else one for authorization codes */
aq_status signin_register_body(struct aq_str start_url, struct aq_str redirect_uri, struct buf *out,
                               struct aq_error *err);
aq_status signin_device_body(const struct registration *reg, struct aq_str start_url,
                             struct buf *out, struct aq_error *err);
aq_status signin_poll_body(const struct registration *reg, struct aq_str device_code,
                           struct buf *out, struct aq_error *err);
aq_status signin_code_body(const struct registration *reg, struct aq_str code,
                           struct aq_str redirect_uri, struct aq_str verifier, struct buf *out,
                           struct aq_error *err);

/* Append the URL that a browser is sent to. It holds no secret: the client id, the redirect URI,
 * the state and the hash of the verifier. */
aq_status signin_authorize_url(struct aq_str base, struct aq_str client_id,
                               struct aq_str redirect_uri, struct aq_str state,
                               struct aq_str challenge, struct buf *out, struct aq_error *err);

/*
 * ---- answers: fill ret on SIGNIN_OK, else err with why, and with a status for the case that it
 * ends here: AQ_E_ACCESS (denied), AQ_E_TIMEOUT (too late), AQ_E_VALIDATION, AQ_E_SERVICE,
 * AQ_E_THROTTLED, AQ_E_PROTOCOL. The text names the error and what to do, and repeats nothing of
 * the body ----
 */

/* ret lacks region and flow, which are the caller's. */
enum signin_outcome signin_registered(const struct signin_answer *answer, struct registration *ret,
                                      struct aq_error *err);
enum signin_outcome signin_device_granted(const struct signin_answer *answer,
                                          struct signin_device *ret, struct aq_error *err);
enum signin_outcome signin_granted(const struct signin_answer *answer, struct oidc_tokens *ret,
                                   struct aq_error *err);

/* Fill err with what an error means that the browser brought back: letters and '_'. Returns its
 * status. */
aq_status signin_denied(struct aq_str error, struct aq_error *err);

/* ---- what is stored, in the shape of the existing CLI ---- */

/* True if this stored registration may be used for a device code in this region. */
bool signin_registration_fits(const struct registration *reg, struct aq_str json,
                              struct aq_str region, int64_t now_s);

/* Append a row. AQ_E_PROTOCOL if it would not last into a year that can be written. */
aq_status signin_registration_row(const struct registration *reg, struct buf *out,
                                  struct aq_error *err);

/* start_url  empty: null */
aq_status signin_token_row(const struct oidc_tokens *tokens, int64_t expires_at_s,
                           struct aq_str region, struct aq_str start_url, enum token_flow flow,
                           struct buf *out, struct aq_error *err);

#endif
