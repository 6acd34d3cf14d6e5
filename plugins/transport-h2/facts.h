/* SPDX-License-Identifier: Apache-2.0 */
/* What a call has met on its way. Noted as it happens, for the connection may be gone when somebody
 * asks. */
#ifndef TRANSPORT_H2_FACTS_H
#define TRANSPORT_H2_FACTS_H

#include <amazonq/plugin.h>
#include <stdbool.h>

struct call;

struct facts {
    uint64_t started_us;
    uint64_t connected_us; /* 0: not yet */
    uint64_t answered_us;
    int64_t not_after_s;
    char address[64];
    char proxy[320];
    char trust[512];
    char tls[16];
    char subject[256];
    char issuer[256];
};

/* Somebody will ask. False: no memory. */
bool facts_begin(struct call *call);

/* All of these do nothing for a call that nobody will ask about. */

/* It has a connection, or an answer; it is about to lose its connection. */
void facts_connected(struct call *call);
void facts_answered(struct call *call);
void facts_leave(struct call *call);

aq_status facts_tell(struct call *call, struct aq_facts *ret);

#endif
