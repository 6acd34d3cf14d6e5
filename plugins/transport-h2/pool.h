/* SPDX-License-Identifier: Apache-2.0 */
/* Which call goes on which connection. */
#ifndef TRANSPORT_H2_POOL_H
#define TRANSPORT_H2_POOL_H

#include "call.h"

struct transport;

/* A call wants a connection; it gets one at the next step that has one. */
void pool_join(struct call *call);

/* A call is over, or the host has finished it. Twice is fine. */
void pool_leave(struct call *call);

/* Give connections to calls that wait, opening new ones as needed. */
void pool_place(struct transport *transport);

/* A connection has lost its last call: close it, or another one, if there are too many. */
void pool_trim(struct transport *transport);

#endif
