/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_TOKEN_H
#define AMAZONQ_TOKEN_H

/*
 * The operation that yields a valid token.
 *
 * It loads the login from the store, refreshes it if it is (or is about to be) expired, saves what
 * it got, and reports one AQ_EVENT_TOKEN. Any number of processes may do so at once: one of them
 * asks the service, the others take its result. A failed refresh never removes or changes a login.
 */

#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of aq_token_options.flags. */
#define AQ_TOKEN_FORCE_REFRESH 0x1u /* refresh even if valid */
#define AQ_TOKEN_NO_REFRESH \
    0x2u /* never ask the service: AQ_E_EXPIRED instead; AQ_E_LOGIN_NEEDED for a token that has \
            expired and has no refresh token */
#define AQ_TOKEN_AS_STORED \
    0x4u /* the login as it is in the store, also if it has expired, to be described rather than \
            used: nothing is asked, locked or saved. A token server is asked as with \
            AQ_TOKEN_NO_REFRESH. Alone, and without min_valid_s */

/** What is wanted of a token. Zero-initialise, then set struct_size. */
struct aq_token_options {
    uint32_t struct_size;
    uint32_t flags; /* AQ_TOKEN_... */
    int64_t
        min_valid_s; /* seconds it must still be valid; 0 means 60, or a token that does not say */
};

#define AQ_TOKEN_OPTIONS_INIT \
    { \
        sizeof(struct aq_token_options), 0, 0 \
    }

/* Bits of aq_token.flags. */
#define AQ_TOKEN_EXTERNAL \
    0x1u /* somebody else renews it, and may put another one in its place at any time: ask again \
            for every use, which costs reading a file, rather than keep it */

/**
 * A token and where it comes from. Absent texts are empty. Secrets: access_token, refresh_token.
 *
 * When the token expires may be unknown, if it was handed in without its expiry: then expires_at is
 * empty and expires_at_s is 0. It is handed out all the same, unless min_valid_s was asked for.
 */
struct aq_token {
    uint32_t struct_size;
    uint32_t flags; /* AQ_TOKEN_EXTERNAL */
    struct aq_str access_token;
    struct aq_str refresh_token;
    struct aq_str token_type; /* "Bearer" */
    struct aq_str expires_at; /* RFC 3339, UTC, as stored or as written */
    int64_t expires_at_s;     /* seconds since 1970-01-01 UTC, rounded down; 0: not known */
    struct aq_str region;     /* of the sign-in service */
    struct aq_str start_url;
    struct aq_str profile_arn;
    struct aq_str source; /* whose login: "q-cli", "kiro-cli", ... (docs/sources.md) */
    struct aq_str store;  /* name of the store plugin */
    struct aq_str login;  /* name of the login beside the usual ones; empty: the usual one */
    struct aq_str kind;   /* "oidc", "social", "external-idp", "api-key"; empty: not known */
};

/**
 * Start to get a valid token. Reports AQ_EVENT_TOKEN once (and AQ_EVENT_WARNING before it when a
 * token is handed out although something went wrong), then AQ_END. May block, see aq_op_may_block.
 *
 * The operation fails with AQ_E_NOT_LOGGED_IN, AQ_E_LOGIN_NEEDED (only a new login helps),
 * AQ_E_REFRESH (temporary), AQ_E_EXPIRED, AQ_E_NOT_SAVED, or the store's or plugin's own error.
 * Where somebody else keeps tokens fresh, one that does not last as long as it should is
 * AQ_E_EXPIRED, and a refresh that is forced AQ_E_REFRESH.
 *
 * @param options  NULL means all defaults
 * @return AQ_OK, AQ_E_INVALID, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_token_start(struct aq_client *client, const struct aq_token_options *options,
                                struct aq_op **ret, struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
