/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between the session of an open connection and its socket, through TLS if there is any. */
#ifndef TRANSPORT_H2_FLOW_H
#define TRANSPORT_H2_FLOW_H

#include "connection.h"

/* Send until the session has nothing more to say, or the socket has no room. AQ_OK, AQ_AGAIN,
 * AQ_E_NETWORK, AQ_E_NOMEM. */
aq_status flow_send(struct connection *connection);

/* Tell the peer at once that a stream was cancelled, as far as that goes without waiting: the host
 * may not call step for a while. */
void flow_cancel(struct connection *connection);

/* Hand what has come to the session, which tells the calls; the connection may be closed by it. */
void flow_receive(struct connection *connection);

/* Say goodbye, as far as that goes without waiting. */
void flow_end(struct connection *connection);

#endif
