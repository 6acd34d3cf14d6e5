/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vocabulary of the service (docs/protocol.md): its operations, the body of a question and the
 * events of an answer. What its errors mean is in fault.h; exchange.c puts it in order of time.
 */
#ifndef AQ_WIRE_CHAT_H
#define AQ_WIRE_CHAT_H

#include "base/buf.h"

#include <amazonq/status.h>
#include <stdbool.h>

/* --- operations and their bodies --- */

/* One operation of the service; see AQ_CALL_... */
struct chat_call {
    struct aq_str target;       /* value of x-amz-target */
    struct aq_str default_body; /* when the caller gives none; empty: a body is needed */
    const struct aq_str *query; /* members that travel in the query string too, up to an empty
                                   name; NULL if none */
    bool streams;               /* answers with an event stream */
    bool asks;                  /* its body can be made from a prompt */
    bool takes_profile;         /* has a member profileArn */
    bool takes_client_token;    /* has a member clientToken that makes repetitions harmless */
};

/* The operation with this number, or NULL. */
const struct chat_call *chat_call_find(int32_t call);

/* What goes into a body: either `body`, a whole JSON object, or the parts of a question. */
struct chat_parts {
    struct aq_str body;
    struct aq_str prompt;
    struct aq_str conversation_id;
    struct aq_str model_id;     /* empty: the service's default */
    struct aq_str profile_arn;  /* added if the operation takes it and the body has none */
    struct aq_str client_token; /* likewise */
    struct aq_str source;       /* of a question; empty: none */
};

/* Append the body. AQ_E_INVALID if parts do not make one. */
aq_status chat_body(const struct chat_call *call, const struct chat_parts *parts, struct buf *out,
                    struct aq_error *err);

/* Append "?name=value&..." for the members of body that travel in the query string. */
void chat_query(const struct chat_call *call, struct aq_str body, struct buf *out);

/* --- events --- */

/* One type of event. */
struct chat_kind {
    struct aq_str name;     /* value of :event-type */
    struct aq_str text_key; /* member of the payload that is the text; empty: none */
    int32_t kind;           /* AQ_MESSAGE_... */
};

/* The type with this name, or NULL: services learn new ones. */
const struct chat_kind *chat_kind_find(struct aq_str name);

/*
 * Find the text of an event: valid UTF-8, a view of payload or of scratch, empty if the member is
 * missing or null. AQ_E_PROTOCOL if the payload is not what it must be.
 */
aq_status chat_text(const struct chat_kind *kind, struct aq_bytes payload, struct buf *scratch,
                    struct aq_str *ret, struct aq_error *err);

#endif
