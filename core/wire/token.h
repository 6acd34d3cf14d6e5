/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON values a login consists of, as the Q CLI and its successor store them (docs/protocol.md,
 * section 11): the token (such as "codewhisperer:odic:token"), and for the kind OIDC the client
 * registration ("codewhisperer:odic:device-registration"). Reading accepts every variant these
 * programs write, also the camelCase of the files below ~/.aws/sso/cache; updating changes the
 * named members and leaves every other byte as it was.
 */
#ifndef AQ_WIRE_TOKEN_H
#define AQ_WIRE_TOKEN_H

#include "base/buf.h"

#include <amazonq/status.h>

enum token_flow {
    TOKEN_FLOW_DEVICE_CODE,
    TOKEN_FLOW_PKCE,
};

/* What a token is, which decides how a new one is got and what a request with it has to say. */
enum token_kind {
    TOKEN_KIND_UNKNOWN,
    TOKEN_OIDC,         /* Builder ID, IAM Identity Center: refreshed with a client registration */
    TOKEN_SOCIAL,       /* Google, GitHub: Kiro's own sign-in service */
    TOKEN_EXTERNAL_IDP, /* of an organisation: its own identity provider */
    TOKEN_API_KEY,      /* of Kiro; never refreshed */
};

/* "oidc", "social", "external-idp", "api-key"; empty if it is not known. */
struct aq_str token_kind_name(enum token_kind kind);

/* Of that name, or as Kiro's IDE calls it; TOKEN_KIND_UNKNOWN if there is none. */
enum token_kind token_kind_find(struct aq_str name);

/* A stored token. Texts are decoded views into `text`; absent and null ones are empty. */
struct token {
    struct buf text;
    struct aq_str access_token;
    struct aq_str refresh_token;
    struct aq_str expires_at; /* as stored; empty: nothing says when it expires */
    struct aq_str region;
    struct aq_str start_url;
    struct aq_str profile_arn;
    struct aq_str client_id; /* this and the next two: of an external identity provider */
    struct aq_str issuer_url;
    struct aq_str token_endpoint;
    int64_t expires_at_s; /* 0 if that is not known */
    enum token_kind kind; /* if the value says so */
    enum token_flow flow;
};

/* A stored client registration. */
struct registration {
    struct buf text;
    struct aq_str client_id;
    struct aq_str client_secret;
    struct aq_str region;
    int64_t expires_at_s; /* INT64_MAX when the registration says null */
    enum token_flow flow;
};

/* What a refresh brought. */
struct token_update {
    struct aq_str access_token;
    struct aq_str refresh_token; /* empty: keep the old one */
    struct aq_str profile_arn;   /* the same */
    int64_t expires_at_s;
};

void token_done(struct token *t);
void registration_done(struct registration *r);

/*
 * Read a stored token. json stays the caller's; what is said in err names `key`, never a value.
 *
 * Returns AQ_OK; AQ_E_NOTFOUND for the JSON value null (the Q CLI reads it as "not logged in");
 * AQ_E_CORRUPT if it is malformed, has no access_token, an expires_at that is no time, or a token
 * that could not travel in a header (the text lacks what to do: that depends on the store);
 * AQ_E_NOMEM.
 */
aq_status token_parse(struct aq_str key, struct aq_str json, struct token *ret,
                      struct aq_error *err);

/* Read a stored registration; results as token_parse. */
aq_status registration_parse(struct aq_str key, struct aq_str json, struct registration *ret,
                             struct aq_error *err);

/*
 * Append to out the JSON text `json` with access_token, expires_at and (if given) refresh_token and
 * profile_arn replaced, or added at the end where they were missing. All other bytes stay.
 */
aq_status token_apply(struct aq_str json, const struct token_update *update, struct buf *out,
                      struct aq_error *err);

#endif
