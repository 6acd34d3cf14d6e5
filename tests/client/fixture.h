/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cases of tests/client share: a private home, a login in a store, a client with a
 * scripted transport, one operation, and clocks that stand still until they are moved.
 */
#ifndef AQ_TESTS_CLIENT_FIXTURE_H
#define AQ_TESTS_CLIENT_FIXTURE_H

#include "client/support.h"

#define PROFILE_KEY "api.codewhisperer.profile"

/* The state of a case. */
struct fixture {
    struct aq_client *client;
    struct aq_op *op;
    const struct aq_event *event; /* the last one */
    struct aq_error err;
    char access[64];   /* access token of the last AQ_EVENT_TOKEN; empty: none came */
    char warning[512]; /* the last AQ_EVENT_WARNING */
};

/* A case in a new home with a real database, or with the store of fake_store.h. */
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define FAKE_CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup_fake, fixture_teardown)

int fixture_setup(void **state);
int fixture_setup_fake(void **state);
int fixture_teardown(void **state);

/* ---- the home ---- */

/* Path of `name` in it; valid until four more were asked for. */
const char *fixture_path(const char *name);

void fixture_write_file(const char *path, const char *text);

/* ---- the store ---- */

/* A token that expires in expires_in_s seconds (its texts contain `generation`) with a member we do
 * not know, and a registration. */
void fixture_login(int64_t expires_in_s, int generation);

/* What another user, or another program, may put there: the same without a registration. */
void fixture_put_token(const char *access, const char *refresh, int64_t expires_in_s);

void fixture_put(const char *key, const char *value);
void fixture_remove(const char *key);
char *fixture_get(const char *key); /* heap text, or NULL */

/* The stored token contains this. */
void fixture_assert_row(const char *part);

/* ---- the transport and the client ---- */

/* Make a new client, whose transport plays this. */
void fixture_play(struct fixture *f, const char *script);

/* The answer that a refresh token is no longer accepted, as a part of a script. */
#define REFRESH_REFUSED "status 400\nbody {\"error\":\"invalid_grant\"}\n---\n"

/* How many warnings of the client's log contain this; the log is empty then. */
int fixture_warned(struct fixture *f, const char *part);

/* ---- a token operation, f->op ---- */

void fixture_start(struct fixture *f, uint32_t flags, int64_t min_valid_s);

/* To its end: what it ended with. Where it waits for a moment in time, time passes. */
aq_status fixture_finish(struct fixture *f);

/* Both. */
aq_status fixture_fetch(struct fixture *f, uint32_t flags, int64_t min_valid_s);

/* Start a refresh and go as far as having it sent; the script must let it wait for the answer. */
void fixture_send(struct fixture *f);

/* Free the operation before its end. */
void fixture_drop(struct fixture *f);

/* Go on until there is nothing to do but to wait for a moment in time. */
void fixture_settle(struct fixture *f);

/* ---- the clocks ---- */

/* Let time pass, and the client notice. */
void fixture_pass(struct fixture *f, int seconds);

/* Somebody sets the wall clock. */
void fixture_set_wall(int64_t by_s);

#endif
