/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 on a connection, by nghttp2: calls become streams, and a peer that wastes our time is
 * noticed. Bytes in, bytes out; no socket. */
#ifndef TRANSPORT_H2_SESSION_H
#define TRANSPORT_H2_SESSION_H

#include <amazonq/plugin.h>
#include <nghttp2/nghttp2.h>
#include <stdbool.h>

struct call;
struct connection;

/* What all sessions of an instance share. */
struct protocol {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
};

struct session {
    struct connection *connection;
    nghttp2_session *ng;    /* NULL: closed */
    bool greeted;           /* the first bytes have come */
    bool pushed;            /* the peer sent a promise */
    int32_t reset_id;       /* the stream that the peer reset last */
    int64_t allowance;      /* frames that may come without carrying anything */
    int64_t received;       /* bytes */
    int64_t understood;     /* bytes of frames that nghttp2 did not pass over */
    int64_t may_be_ignored; /* bytes of those that it did */
    uint64_t refilled_us;
};

/* AQ_E_NOMEM; then there is nothing to undo. */
aq_status protocol_init(struct protocol *protocol);
void protocol_done(struct protocol *protocol);

/* Begin: our greeting waits to be sent. AQ_E_NOMEM. */
aq_status session_open(struct session *session, const struct protocol *protocol,
                       struct connection *connection);
void session_close(struct session *session);

/* Streams that the peer lets us have at a time. */
uint32_t session_max_streams(const struct session *session);

/* Make a stream for call. AQ_E_NOMEM, AQ_E_STATE when there are no more stream numbers. */
aq_status session_submit(struct session *session, struct call *call);

/* Forget the call of a stream, and reset it unless it is complete, in both directions. */
void session_cancel(struct session *session, struct call *call, bool is_complete);

#define SESSION_FLOODED "too many frames that carry nothing"

/* The peer spent our time on so many things that carry nothing. False: they are too many. */
bool session_bear(struct session *session, unsigned count);

/* Take what the peer sent. On failure *ret_what says what is wrong; NULL: this is not HTTP/2. */
aq_status session_receive(struct session *session, const uint8_t *bytes, size_t len,
                          const char **ret_what);

/* The next bytes to send, valid until the next call; *ret_len is 0 when there are none. */
aq_status session_send(struct session *session, const uint8_t **ret_bytes, size_t *ret_len);

bool session_wants_to_send(const struct session *session);

/* True if there is nothing more to hear: the connection can be closed. */
bool session_is_over(const struct session *session);

/* Give back the window for bytes that were read. */
void session_consumed(struct session *session, const struct call *call, size_t len);

/* Ask for a sign of life. */
void session_ping(struct session *session);

/* Say goodbye. */
void session_terminate(struct session *session);

#endif
