/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT: what is said to a proxy before it passes bytes on. */
#ifndef TRANSPORT_H2_TUNNEL_H
#define TRANSPORT_H2_TUNNEL_H

#include <amazonq/plugin.h>

#include "proxy.h"
#include "socket.h"

#define TUNNEL_ANSWER_MAX (16u * 1024u)

struct tunnel {
    char *answer;
    size_t len;
};

/* Queue the request. AQ_E_NOMEM. */
aq_status tunnel_start(struct tunnel *tunnel, struct socket *socket, const struct proxy *proxy,
                       const struct origin *origin);

/* Read the answer. AQ_OK: the tunnel is there; AQ_AGAIN; or an error, with its text. */
aq_status tunnel_receive(struct tunnel *tunnel, struct socket *socket, const struct origin *origin,
                         struct aq_error *err);

void tunnel_done(struct tunnel *tunnel);

#endif
