/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection comes to be open: TCP, a proxy's tunnel, TLS. */
#ifndef TRANSPORT_H2_OPENING_H
#define TRANSPORT_H2_OPENING_H

#include "connection.h"

/* Begin. Not before its first call is there to be told how it ends: that may be at once. */
void opening_begin(struct connection *connection);

#endif
