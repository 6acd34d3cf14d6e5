/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encrypted session with the Secret Service: libsecret's, on a connection of ours. libsecret
 * itself always takes the shared connection of the process, which ends the process when the bus
 * goes away.
 */
#ifndef STORE_KEYRING_SESSION_H
#define STORE_KEYRING_SESSION_H

#include "bus.h"
#include "values.h"

struct session; /* a SecretService of libsecret */

/* Open a session with the service that has the well-known name now; between bus_begin and bus_end.
 */
aq_status session_open(struct bus *b, struct session **ret, struct aq_error *err);
void session_close(struct session *session); /* accepts NULL */

/* Whether it belongs to the connection that the bus has now. */
bool session_is_on(const struct session *session, const struct bus *b);

/* Its object path. */
const char *session_path(struct session *session);

/* Encrypt a text; a floating reference. */
GVariant *session_encrypt(struct session *session, struct aq_str text);

/* Decrypt what the service sent. ret was zeroed. */
aq_status session_decrypt(struct session *session, GVariant *secret, struct secret_text *ret,
                          struct aq_error *err);

#endif
