/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which logins there can be (source.c), one of them as it was found (source_login.c), and which of
 * them to use (source_find.c).
 */
#ifndef AQ_CLIENT_SOURCE_H
#define AQ_CLIENT_SOURCE_H

#include "client/client.h"
#include "wire/token.h"

#include <amazonq/token.h>

/* ---- source.c ---- */

/* A login that a program keeps: where, under which names, and how it is refreshed. A program that
 * keeps several kinds has as many of these, with one name. */
struct source {
    struct aq_str name;     /* of the program: what the setting `source` says */
    enum token_kind kind;   /* TOKEN_KIND_UNKNOWN: the token itself says it */
    enum client_store slot; /* of client->stores, unless all sources share one */
    struct aq_str app;      /* folder of its database below the user's data directory */
    struct aq_str token_key;
    struct aq_str registration_key; /* empty: this kind has none */
    struct aq_str profile_key;
    struct aq_str place;   /* of a borrowed one: where it is, for people */
    struct aq_str sign_in; /* how to get one there: "sign in with ..." */
    bool takes_login;      /* ours to make one; another program makes its own */
};

/* The i-th row of the table; NULL behind the last. */
const struct source *source_at(size_t i);

/* True if the settings mean this one, perhaps among others. */
bool source_is_wanted(const struct aq_client *client, const struct source *source);

/* The next row that they mean, behind this one (NULL: the first); NULL: there is none. */
const struct source *source_next(const struct aq_client *client, const struct source *behind);

/* Say that they mean none: AQ_E_INVALID. */
aq_status source_unknown(const struct aq_client *client, struct aq_error *err);

/* True if other programs keep it in ways of their own: it is read, and never written. */
bool source_is_borrowed(const struct source *source);

/* The sign-in service that the user named for logins of this kind; empty: none. */
struct aq_str source_endpoint(const struct aq_client *client, enum token_kind kind);

/* Where a client has the logins of a source: the same for all that the settings mean, because they
 * are borrowed all or none. */
struct shelf {
    struct aq_client *client;
    const struct plugin *plugin;
    bool shared; /* all sources have one place and one store */
};

/* Find it; the plugin is loaded on first use. */
aq_status shelf_find(struct aq_client *client, const struct source *source, struct shelf *ret,
                     struct aq_error *err);

/* Which of the client's stores it is. */
enum client_store shelf_slot(const struct shelf *shelf, const struct source *source);

/*
 * The store for the logins of this source, opened on first use.
 *
 * must_exist  AQ_E_NOTFOUND if there is no such file yet, and nothing is opened; the same for an
 *             old name, where it is another source's because all share one place
 */
aq_status shelf_store(const struct shelf *shelf, const struct source *source, bool must_exist,
                      struct store **ret, struct aq_error *err);

/* Both: for who wants the store of one source only. */
aq_status source_store(struct aq_client *client, const struct source *source, bool must_exist,
                       struct store **ret, struct aq_error *err);

/* Where a new login goes: to the row that the settings name, with "auto" to the first one, in the
 * client's store. AQ_E_UNSUPPORTED if none can be made there. */
aq_status source_for_login(struct aq_client *client, const struct source **ret,
                           struct store **ret_store, struct aq_error *err);

/* ---- source_login.c ---- */

/* A login as it was found. */
struct source_login {
    const struct source *source;
    struct store *store;
    struct buf json; /* the stored token, byte for byte */
    struct token token;
};

void source_login_done(struct source_login *login);

/* The login of this source in its store, if there is one: AQ_OK, AQ_E_NOTFOUND, AQ_E_CORRUPT, or
 * what stood in the way of reading. */
aq_status source_load(const struct source *source, struct store *store,
                      const struct aq_token_wish *wish, struct source_login *ret,
                      struct aq_error *err);

/* Seconds until the token expires; negative if it has, INT64_MAX if nobody knows. */
int64_t source_remaining_s(const struct source_login *login);

/* Make this stored token the login's; json is empty then. On failure nothing has changed. */
aq_status source_take(struct source_login *login, struct buf *json, struct aq_error *err);

/* Read the same login again. *ret_changed: another row is there than before.
 * Returns AQ_OK, AQ_E_NOTFOUND if it is gone, or why it cannot be read: then login is as it was. */
aq_status source_reload(struct source_login *login, bool *ret_changed, struct aq_error *err);

/* Put `value` where the row `expected` is: AQ_OK, AQ_E_CHANGED if there is another one by now, or
 * what the store says. login itself stays as it is. */
aq_status source_replace(const struct source_login *login, struct aq_str expected,
                         struct aq_str value, struct aq_error *err);

/* What a token is. Of one that somebody handed in the source knows less than the token itself. */
enum token_kind source_kind(const struct source *source, const struct store *store,
                            const struct token *token);

/* What a program of this client sees of it. `token` is the login's, or a copy that lives longer;
 * `store` is where it is. */
void source_view(const struct aq_client *client, const struct source *source,
                 const struct store *store, const struct token *token, struct aq_str profile_arn,
                 struct aq_token *ret);

/* Append the profile's ARN, which a token that was exported brings along; nothing if there is none.
 * A row that makes no sense is none: *ret_odd is true then (NULL: never mind). */
aq_status source_profile(const struct source_login *login, struct buf *out, bool *ret_odd,
                         struct aq_error *err);

/* ---- source_find.c ---- */

/*
 * Find the login that the settings ask for; with "auto", the one that expires last, the first row
 * of the table winning a tie.
 *
 * wish  what a store that is a token server is asked for, once for each row until one is there;
 *       other stores are read
 *
 * Returns AQ_OK, AQ_E_NOT_LOGGED_IN, or what stood in the way of reading; from a token server also
 * AQ_AGAIN (ask again at once) and what grant returns.
 */
aq_status source_find(struct aq_client *client, const struct aq_token_wish *wish,
                      struct source_login *ret, struct aq_error *err);

#endif
