/* SPDX-License-Identifier: Apache-2.0 */
/* A private home with a login in a real database and a scripted transport, for the client tests. */
#ifndef AQ_TESTS_CLIENT_SUPPORT_H
#define AQ_TESTS_CLIENT_SUPPORT_H

#include "cmocka_all.h"

#include <amazonq/amazonq.h>

#define TOKEN_KEY "codewhisperer:odic:token"
#define REGISTRATION_KEY "codewhisperer:odic:device-registration"

/* A registration that ends on 2099-01-01. */
#define SUPPORT_REGISTRATION \
    "{\"client_id\":\"id\",\"client_secret\":\"secret\",\"client_secret_expires_at\":" \
    "\"2099-01-01T00:00:00.123456789Z\",\"region\":\"us-east-1\",\"oauth_flow\":" \
    "\"DeviceCode\",\"scopes\":[\"a\"]}"

/* cmocka set-up and tear-down: a new directory, and $XDG_DATA_HOME in it. */
int support_setup(void **state);
int support_teardown(void **state);

/* Paths in the directory. Static buffers, one each. */
const char *support_db(void);
const char *support_script(void);
const char *support_log(void);

/* Put a login into the database: a token that expires in expires_in_s seconds (its texts contain
 * `generation`) with a member the CLI does not know, and a registration. */
void support_login(int64_t expires_in_s, int generation);
void support_token_text(char *text, size_t size, int64_t expires_in_s, int generation);

/* Put and get one row. get: heap text, or NULL. */
void support_put(const char *key, const char *value);
char *support_get(const char *key);
void support_remove(const char *key);

/* What the transport will play, and what it was asked so far (heap text). */
void support_play(const char *script);
char *support_asked(void);
int support_requests(void);

/* A client with these plugins. */
struct aq_client *support_client(void);

/* The answer of a successful refresh, as a part of a script. */
#define REFRESH_OK \
    "status 200\n" \
    "header content-type: application/json\n" \
    "body {\"accessToken\":\"access-2\",\"expiresIn\":3600,\"refreshToken\":\"refresh-2\"}\n" \
    "---\n"

#endif
