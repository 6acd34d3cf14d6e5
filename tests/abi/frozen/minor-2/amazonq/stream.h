/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_STREAM_H
#define AMAZONQ_STREAM_H

/*
 * The operations that talk to the service.
 *
 * aq_stream_start takes a token from the caller and never touches a store. aq_chat_start joins it
 * with the token operation: it loads the login, asks, and refreshes once if the service rejects the
 * token before it has answered.
 */

#include <amazonq/access_key.h>
#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Operations of the service. */
#define AQ_CALL_GENERATE_ASSISTANT_RESPONSE 0 /* streams */
#define AQ_CALL_SEND_MESSAGE 1                /* streams */
#define AQ_CALL_GENERATE_TASK_ASSIST_PLAN 2   /* streams */
#define AQ_CALL_EXPORT_RESULT_ARCHIVE 3       /* streams */
#define AQ_CALL_LIST_AVAILABLE_MODELS 4
#define AQ_CALL_LIST_AVAILABLE_PROFILES 5
#define AQ_CALL_GET_PROFILE 6
#define AQ_CALL_GET_USAGE_LIMITS 7
#define AQ_CALL_CREATE_SUBSCRIPTION_TOKEN 8

/** A request to the service. Zero-initialise, then set struct_size. Everything is copied. */
struct aq_stream_options {
    uint32_t struct_size;
    int32_t call; /* AQ_CALL_... */

    struct aq_str access_token; /* aq_chat_start: must be empty */
    struct aq_str profile_arn; /* as aq_token.profile_arn; chooses the region, goes into the body */

    /* What to ask: a whole body as JSON (sent as it is, only profileArn is added if it has none)
     * ... */
    struct aq_bytes body;

    /* ... or, for the first two calls, the parts of a single question. */
    struct aq_str prompt;          /* UTF-8 */
    struct aq_str conversation_id; /* UUID; empty: a new one is made */
    struct aq_str model_id;        /* empty: the service's default */

    const struct aq_access_key *access_key; /* in place of access_token, for AQ_CALL_SEND_MESSAGE
                                               alone (amazonq/access_key.h); NULL: none */

    struct aq_str token_kind; /* aq_token.kind: the service wants to be told of some; may be empty.
                                 aq_chat_start: the login's own, whatever is said here */
};

#define AQ_STREAM_OPTIONS_INIT \
    { \
        sizeof(struct aq_stream_options), 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, \
            { NULL, 0 }, { NULL, 0 }, NULL, \
        { \
            NULL, 0 \
        } \
    }

/**
 * Start a request with a token the caller has. Reports, in this order: AQ_EVENT_NEED_TOKEN if the
 * service rejects the token, AQ_EVENT_RETRY for each repetition, AQ_EVENT_RESPONSE once, then
 * AQ_EVENT_MESSAGE for each event of the answer (or AQ_EVENT_REPLY once), then AQ_END.
 *
 * The operation fails with the network's errors, AQ_E_AUTH ... AQ_E_SERVICE, AQ_E_PROTOCOL or
 * AQ_E_TRUNCATED. A connection that ends inside an event is an error, never an end. At most 1 MiB
 * is buffered, or the event being assembled (16 MiB at most).
 *
 * @return AQ_OK, AQ_E_INVALID, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_stream_start(struct aq_client *client, const struct aq_stream_options *options,
                                 struct aq_op **ret, struct aq_error *err);

/**
 * Start a request with the login of the client's store. Reports AQ_EVENT_WARNING as the token
 * operation does, then the same events as aq_stream_start, except AQ_EVENT_NEED_TOKEN, which it
 * answers itself. Fails like either. May block, see aq_op_may_block.
 *
 * @param options  access_token must be empty; profile_arn empty means the login's own; neither body
 *                 nor prompt is AQ_E_INVALID for calls that need one
 * @return AQ_OK, AQ_E_INVALID, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_chat_start(struct aq_client *client, const struct aq_stream_options *options,
                               struct aq_op **ret, struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
