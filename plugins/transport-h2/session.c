/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <string.h>

#include "connection.h"
#include "fault.h"
#include "transport.h"

#define CONNECTION_WINDOW_BYTES (16 * 1024 * 1024)
#define FRAME_HEAD_BYTES 9
#define MAX_SEND_HEADER_BYTES (1024u * 1024u)

#define ERR_TOO_MANY_CONTINUATIONS (-905) /* not in every header of nghttp2 */

/* What carries nothing for any call: an honest peer needs little of it. Two budgets, of frames, and
 * of bytes that nghttp2 passes over, refilled by time, by what we ask for and by what does carry
 * something. */
#define REFILL_TIME_US 20000u /* that pass, for the next two */
#define REFILL_FRAMES 1
#define REFILL_IGNORED_BYTES 512
#define ALLOWANCE_MAX 1000
#define ALLOWANCE_EARNED_BYTES 1024 /* sent by us, for one frame: windows, for instance */
#define IGNORED_EARNED_BYTES 4096   /* that may be passed over, for one answer */
#define IGNORED_MAX_BYTES (2 * CONNECTION_WINDOW_BYTES) /* on their way for cancelled calls */

static struct call *call_of(nghttp2_session *ng, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(ng, stream_id);
}

/* Receiving. */

static void grant(struct session *session, int64_t frames)
{
    session->allowance += frames;
    if (session->allowance > ALLOWANCE_MAX) {
        session->allowance = ALLOWANCE_MAX;
    }
}

static int64_t count_ignored(const struct session *session)
{
    return session->received - session->understood;
}

static void grant_ignored(struct session *session, int64_t bytes)
{
    const int64_t max = count_ignored(session) + IGNORED_MAX_BYTES;
    session->may_be_ignored += bytes;
    if (session->may_be_ignored > max) {
        session->may_be_ignored = max;
    }
}

static void refill(struct session *session)
{
    const uint64_t now_us = session->connection->transport->now_us;
    const int64_t count = (int64_t)((now_us - session->refilled_us) / REFILL_TIME_US);
    session->refilled_us += (uint64_t)count * REFILL_TIME_US;
    grant(session, count * REFILL_FRAMES);
    grant_ignored(session, count * REFILL_IGNORED_BYTES);
}

static void spend(struct session *session, int64_t frames)
{
    session->allowance -= frames;
    if (session->allowance < 0) {
        refill(session);
    }
}

static bool carries_something(const struct session *session, const nghttp2_frame_hd *hd)
{
    if (hd->type == NGHTTP2_DATA) {
        return hd->length > 0 || (hd->flags & NGHTTP2_FLAG_END_STREAM);
    }
    return hd->type == NGHTTP2_HEADERS && (hd->flags & NGHTTP2_FLAG_END_HEADERS) &&
           call_of(session->ng, hd->stream_id);
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user_data)
{
    struct session *session = user_data;
    (void)ng;
    session->understood += FRAME_HEAD_BYTES + (int64_t)hd->length;
    session->pushed = hd->type == NGHTTP2_PUSH_PROMISE; /* we have said that we want none */
    if (carries_something(session, hd)) {
        grant(session, 1);
    } else {
        spend(session, 1);
    }
    return session->pushed || session->allowance < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* nghttp2 passes over frames of streams that are gone, and of kinds it does not know. What was on
 * its way for a stream that was cancelled is no fault of the peer. */
static bool is_flooded(struct session *session)
{
    if (count_ignored(session) > session->may_be_ignored) {
        refill(session);
    }
    return session->allowance < 0 || count_ignored(session) > session->may_be_ignored;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    struct call *call = call_of(ng, frame->hd.stream_id);
    (void)flags;
    (void)user_data;
    if (!call || call_take_field(call, (struct aq_str){ (const char *)name, name_len },
                                 (struct aq_str){ (const char *)value, value_len })) {
        return 0;
    }
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *user_data)
{
    struct call *call = call_of(ng, frame->hd.stream_id);
    (void)name, (void)name_len, (void)value, (void)value_len, (void)flags, (void)user_data;
    if (call) {
        call_fail(call, AQ_E_PROTOCOL, "a header field is malformed", 0);
    }
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t len, void *user_data)
{
    struct call *call = call_of(ng, stream_id);
    (void)flags;
    (void)user_data;
    nghttp2_session_consume_connection(ng, len); /* a call that is not read stops itself alone */
    if (call) {
        call_take_body(call, bytes, len);
    }
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    struct session *session = user_data;
    struct call *call = call_of(ng, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (call && !call_take_head_end(call)) {
            return 0;
        }
        grant_ignored(session, IGNORED_EARNED_BYTES);
        break;
    case NGHTTP2_RST_STREAM:
        session->reset_id = frame->hd.stream_id;
        return 0;
    case NGHTTP2_GOAWAY:
        connection_drain(session->connection);
        return 0;
    case NGHTTP2_DATA:
        if (frame->hd.length && frame->hd.length == frame->data.padlen) {
            spend(session, 2); /* padding alone: it was taken for more when it began */
        }
        break;
    default:
        return 0;
    }
    if (call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        call_complete(call);
    }
    return 0;
}

/* The stream is gone while its call is not over. */
static int on_stream_close(nghttp2_session *ng, int32_t stream_id, uint32_t code, void *user_data)
{
    const struct session *session = user_data;
    struct call *call = call_of(ng, stream_id);
    if (!call) {
        return 0;
    }
    call->closed = true;
    if (code == NGHTTP2_REFUSED_STREAM) {
        call_refuse(call, "the peer refused the request before it began with it, try again");
    } else if (session->reset_id != stream_id) {
        call_fail(call, AQ_E_PROTOCOL, FAULT_BROKEN_HTTP2, 0);
    } else if (code == NGHTTP2_HTTP_1_1_REQUIRED) {
        struct aq_error error;
        fault_set(&error, AQ_E_PROTOCOL, call->outgoing.origin.text, FAULT_NO_HTTP2);
        call_fail_as(call, &error);
    } else {
        call_fail(call, AQ_E_NETWORK, FAULT_RESET, 0);
    }
    return 0;
}

/* Sending. */

/* Only now the stream exists, and can be told which call it is. */
static int before_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    const struct session *session = user_data;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        const struct connection *connection = session->connection;
        struct call *call = connection_find(connection, frame->hd.stream_id);
        if (call) {
            nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, call);
            call_sending(call, connection->socket.queued);
        }
    }
    return 0;
}

/* It was queued, and then the peer went away, or it is more than a header may be. */
static int on_frame_not_sent(nghttp2_session *ng, const nghttp2_frame *frame, int code,
                             void *user_data)
{
    const struct session *session = user_data;
    (void)ng, (void)code;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        struct call *call = connection_find(session->connection, frame->hd.stream_id);
        if (call) {
            call->closed = true;
            call_fail(call, AQ_E_NETWORK, "the request could not be sent, try again", 0);
        }
    }
    return 0;
}

static ssize_t read_body(nghttp2_session *ng, int32_t stream_id, uint8_t *buf, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct call *call = call_of(ng, stream_id);
    (void)source;
    (void)user_data;
    if (!call) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    const size_t len = upload_read(&call->outgoing.body, buf, cap);
    if (upload_is_sent(&call->outgoing.body)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    call_sent_some(call);
    return (ssize_t)len;
}

/* The protocol. */

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
}

aq_status protocol_init(struct protocol *protocol)
{
    *protocol = (struct protocol){ 0 };
    if (nghttp2_session_callbacks_new(&protocol->callbacks) != 0 ||
        nghttp2_option_new(&protocol->option) != 0) {
        protocol_done(protocol);
        return AQ_E_NOMEM;
    }
    set_callbacks(protocol->callbacks);
    nghttp2_option_set_no_auto_window_update(protocol->option, 1);
    nghttp2_option_set_no_closed_streams(protocol->option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(protocol->option, CONNECTION_STREAMS_AT_FIRST);
    nghttp2_option_set_max_send_header_block_length(protocol->option, MAX_SEND_HEADER_BYTES);
    return AQ_OK;
}

void protocol_done(struct protocol *protocol)
{
    nghttp2_session_callbacks_del(protocol->callbacks);
    nghttp2_option_del(protocol->option);
    *protocol = (struct protocol){ 0 };
}

static bool greet(nghttp2_session *ng)
{
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CALL_WINDOW_BYTES },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_DEFAULT_MAX_BYTES },
    };
    return nghttp2_submit_settings(ng, NGHTTP2_FLAG_NONE, settings,
                                   sizeof(settings) / sizeof(settings[0])) == 0 &&
           nghttp2_session_set_local_window_size(ng, NGHTTP2_FLAG_NONE, 0,
                                                 CONNECTION_WINDOW_BYTES) == 0;
}

aq_status session_open(struct session *session, const struct protocol *protocol,
                       struct connection *connection)
{
    *session = (struct session){ .connection = connection,
                                 .allowance = ALLOWANCE_MAX,
                                 .may_be_ignored = CALL_WINDOW_BYTES };
    session->refilled_us = connection->transport->now_us;
    if (nghttp2_session_client_new2(&session->ng, protocol->callbacks, session, protocol->option) !=
        0) {
        session->ng = NULL;
        return AQ_E_NOMEM;
    }
    if (!greet(session->ng)) {
        session_close(session);
        return AQ_E_NOMEM;
    }
    return AQ_OK;
}

void session_close(struct session *session)
{
    nghttp2_session_del(session->ng);
    session->ng = NULL;
}

uint32_t session_max_streams(const struct session *session)
{
    const uint32_t max =
        nghttp2_session_get_remote_settings(session->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    const uint32_t at_first = session->connection->streams_at_first;
    return session->greeted || max < at_first ? max : at_first;
}

aq_status session_submit(struct session *session, struct call *call)
{
    const struct outgoing *outgoing = &call->outgoing;
    const nghttp2_data_provider body = { .read_callback = read_body };
    int32_t id = nghttp2_submit_request(session->ng, NULL, outgoing->fields, outgoing->field_count,
                                        outgoing->body.len ? &body : NULL, NULL);
    if (id < 0) {
        return id == NGHTTP2_ERR_NOMEM ? AQ_E_NOMEM : AQ_E_STATE;
    }
    call->stream_id = id;
    return AQ_OK;
}

void session_cancel(struct session *session, struct call *call, bool is_complete)
{
    nghttp2_session_set_stream_user_data(session->ng, call->stream_id, NULL);
    if (is_complete) {
        return;
    }
    nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
    grant_ignored(session, CALL_WINDOW_BYTES);
}

bool session_bear(struct session *session, unsigned count)
{
    spend(session, count);
    return session->allowance >= 0;
}

aq_status session_receive(struct session *session, const uint8_t *bytes, size_t len,
                          const char **ret_what)
{
    static const char http1[] = "HTTP/1.";
    if (!session->greeted && len >= strlen(http1) && memcmp(bytes, http1, strlen(http1)) == 0) {
        *ret_what = NULL; /* no HTTP/2 at all */
        return AQ_E_PROTOCOL;
    }
    session->greeted = true;
    session->received += (int64_t)len;
    const ssize_t taken = nghttp2_session_mem_recv(session->ng, bytes, len);
    if (is_flooded(session) || taken == NGHTTP2_ERR_FLOODED ||
        taken == ERR_TOO_MANY_CONTINUATIONS) {
        *ret_what = SESSION_FLOODED;
        return AQ_E_LIMIT;
    }
    if (taken == NGHTTP2_ERR_NOMEM) {
        *ret_what = "out of memory";
        return AQ_E_NOMEM;
    }
    *ret_what = FAULT_BROKEN_HTTP2;
    return taken < 0 ? AQ_E_PROTOCOL : AQ_OK;
}

aq_status session_send(struct session *session, const uint8_t **ret_bytes, size_t *ret_len)
{
    const ssize_t len = nghttp2_session_mem_send(session->ng, ret_bytes);
    if (len < 0) {
        return AQ_E_NOMEM;
    }
    *ret_len = (size_t)len;
    grant(session, len / ALLOWANCE_EARNED_BYTES);
    return AQ_OK;
}

bool session_wants_to_send(const struct session *session)
{
    return nghttp2_session_want_write(session->ng);
}

bool session_is_over(const struct session *session)
{
    return !nghttp2_session_want_read(session->ng) && !nghttp2_session_want_write(session->ng);
}

void session_consumed(struct session *session, const struct call *call, size_t len)
{
    nghttp2_session_consume_stream(session->ng, call->stream_id, len);
}

void session_ping(struct session *session)
{
    nghttp2_submit_ping(session->ng, NGHTTP2_FLAG_NONE, NULL);
}

void session_terminate(struct session *session)
{
    nghttp2_session_terminate_session(session->ng, NGHTTP2_NO_ERROR);
}
