/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory that fails, or is interfered with, when a case says so. */
#ifndef AQ_TESTS_CLIENT_FAKE_STORE_H
#define AQ_TESTS_CLIENT_FAKE_STORE_H

#include "client/client.h"

enum fake_call {
    FAKE_OPEN,
    FAKE_GET,
    FAKE_LOCK,
    FAKE_CAN_SAVE,
    FAKE_COMMIT,
    FAKE_GRANT,
    FAKE_CALLS,
};

enum { FAKE_FOR_EVER = 1 << 30 };

/* Forget all rows and plans. */
void fake_store_reset(void);

/* Give this client the store, as if it had been loaded. */
void fake_store_install(struct aq_client *client);

/* Let logins in this client's store have names, and its collections, which all lead to the same
 * rows. */
void fake_store_name(struct aq_client *client);

/* Make the client's store a token server: it hands over what the rows say, whatever the wish. */
void fake_store_serve(struct aq_client *client);

/* The wish of the last grant. */
struct aq_token_wish fake_store_wish(void);

/* Let the next calls but `skip` fail, `times` times. AQ_E_TIMEOUT from a commit: it was done. */
void fake_store_fail(enum fake_call call, int skip, int times, aq_status status);

/* Let somebody do something just before the next call but `skip`. */
void fake_store_meet(enum fake_call call, int skip, void (*somebody)(void));

/* How often it was called. */
int fake_store_calls(enum fake_call call);

const char *fake_store_row(const char *key); /* NULL: none */
void fake_store_put(const char *key, const char *value);
void fake_store_remove(const char *key);

#endif
