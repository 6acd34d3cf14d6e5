/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 from the server's side: nghttp2 knows the frames. */
#include "reply.h"
#include "server.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELDS_MAX = 64,            /* of the table */
    HEAD_MAX = 4 * 1024 * 1024, /* bytes that we send; the peer's limit is what is tried */
};

struct stream {
    int32_t id;
    struct lab_seen *seen;
    size_t head_len;
    struct reply reply;
    struct stream *next;
};

struct http2 {
    nghttp2_session *session;
    struct stream *streams;
};

/* ---- requests ---- */

static struct stream *add_stream(struct connection *c, int32_t id)
{
    struct http2 *h = c->session;
    struct stream *stream = calloc(1, sizeof(*stream));
    stream->id = id;
    stream->next = h->streams;
    h->streams = stream;
    nghttp2_session_set_stream_user_data(h->session, id, stream);
    return stream;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ptr)
{
    struct connection *c = ptr;
    (void)session;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        add_stream(c, frame->hd.stream_id)->seen = server_note(c);
        atomic_fetch_add(&c->server->record->count, 1);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ptr)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    struct lab_seen *seen = stream ? stream->seen : NULL;
    const int name_size = (int)name_len;
    const int size = (int)value_len;
    (void)flags;
    (void)ptr;
    if (!seen) {
        return 0;
    }
    if (strcmp((const char *)name, ":method") == 0) {
        snprintf(seen->method, sizeof(seen->method), "%.*s", size, (const char *)value);
    } else if (strcmp((const char *)name, ":path") == 0) {
        snprintf(seen->target, sizeof(seen->target), "%.*s", size, (const char *)value);
    } else if (strcmp((const char *)name, ":scheme") != 0 &&
               stream->head_len + name_len + value_len + 8 < sizeof(seen->head)) {
        const bool host = strcmp((const char *)name, ":authority") == 0;
        stream->head_len += (size_t)snprintf(
            seen->head + stream->head_len, sizeof(seen->head) - stream->head_len, "%.*s: %.*s\n",
            host ? 4 : name_size, host ? "host" : (const char *)name, size, (const char *)value);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *ptr)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    (void)ptr;
    if (stream && stream->seen) {
        stream->seen->body_sum = lab_sum(stream->seen->body_sum, data, len);
        stream->seen->body_len += len;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *ptr)
{
    struct connection *c = ptr;
    struct http2 *h = c->session;
    (void)session;
    (void)error_code;
    for (struct stream **at = &h->streams; *at; at = &(*at)->next) {
        if ((*at)->id == id) {
            struct stream *gone = *at;
            *at = gone->next;
            c->closing = c->closing || (gone->reply.answer && gone->reply.answer->closes);
            free(gone);
            break;
        }
    }
    return 0;
}

/* ---- answers ---- */

/* What becomes of this stream now. */
static void break_off(struct connection *c, const struct stream *stream)
{
    struct http2 *h = c->session;
    switch (stream->reply.answer->fate) {
    case LAB_RESETS:
        nghttp2_submit_rst_stream(h->session, 0, stream->id, NGHTTP2_INTERNAL_ERROR);
        break;
    case LAB_REFUSES:
        nghttp2_submit_rst_stream(h->session, 0, stream->id, NGHTTP2_REFUSED_STREAM);
        break;
    case LAB_GOES_AWAY:
        nghttp2_session_terminate_session2(h->session, stream->id, NGHTTP2_NO_ERROR);
        break;
    default:
        c->closing = true;
    }
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *ptr)
{
    struct stream *stream = source->ptr;
    (void)session;
    (void)id;
    switch (reply_state(&stream->reply)) {
    case REPLY_MORE: {
        size_t len = reply_take(&stream->reply, buf, cap);
        if (reply_state(&stream->reply) == REPLY_ENDS) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        }
        return (ssize_t)len;
    }
    case REPLY_ENDS:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return 0;
    case REPLY_BREAKS:
        break_off(ptr, stream);
        return NGHTTP2_ERR_DEFERRED;
    default:
        return NGHTTP2_ERR_DEFERRED;
    }
}

static nghttp2_nv field(const char *name, size_t name_len, const char *value, size_t value_len)
{
    return (nghttp2_nv){ .name = (uint8_t *)name,
                         .namelen = name_len,
                         .value = (uint8_t *)value,
                         .valuelen = value_len };
}

/* The table's fields, names in lower case in `names`. Returns how many. */
static size_t read_fields(const char *fields, nghttp2_nv *nva, struct bytes *names)
{
    size_t count = 0;
    bytes_room(names, fields ? strlen(fields) : 0); /* so that none of them moves */
    while (fields && *fields) {
        const size_t len = strcspn(fields, "\n");
        const size_t name_len = strcspn(fields, ":");
        const size_t blank = strspn(fields + name_len + 1, " ");
        char *name = (char *)names->at + names->len;
        for (size_t i = 0; i < name_len; i++) {
            name[i] = (char)(fields[i] >= 'A' && fields[i] <= 'Z' ? fields[i] + 32 : fields[i]);
        }
        names->len += name_len;
        nva[count++] =
            field(name, name_len, fields + name_len + 1 + blank, len - name_len - 1 - blank);
        fields += len + (fields[len] == '\n');
    }
    return count;
}

static void push(struct http2 *h, const struct stream *stream)
{
    const nghttp2_nv request[] = { field(":method", 7, "GET", 3), field(":scheme", 7, "https", 5),
                                   field(":authority", 10, "localhost", 9),
                                   field(":path", 5, "/pushed", 7) };
    const nghttp2_nv answer[] = { field(":status", 7, "200", 3), field("x-pushed", 8, "1", 1) };
    if (nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_ENABLE_PUSH)) {
        int32_t id = nghttp2_submit_push_promise(h->session, 0, stream->id, request, 4, NULL);
        nghttp2_submit_response(h->session, id, answer, 2, NULL);
    }
}

static void submit_head(struct http2 *h, struct stream *stream)
{
    static const char early[] = "103";
    const struct lab_answer *answer = stream->reply.answer;
    nghttp2_nv *nva = calloc(FIELDS_MAX + answer->more, sizeof(*nva));
    struct bytes names = { 0 };
    char status[8];
    size_t count = 1;
    const nghttp2_nv interim[] = { field(":status", 7, early, 3), field("x-early", 7, "1", 1) };
    const nghttp2_data_provider body = { .source.ptr = stream, .read_callback = read_body };
    for (uint32_t i = 0; i < answer->interim; i++) {
        nghttp2_submit_headers(h->session, 0, stream->id, NULL, interim, 2, NULL);
    }
    snprintf(status, sizeof(status), "%d", answer->status ? answer->status : 200);
    nva[0] = field(":status", 7, status, 3);
    count += read_fields(answer->fields, nva + count, &names);
    for (uint32_t i = 0; i < answer->more; i++) {
        nva[count++] = field("x-more", 6, "1", 1);
    }
    if (answer->pushes) {
        push(h, stream);
    }
    nghttp2_submit_response(h->session, stream->id, nva, count, &body);
    free(nva);
    bytes_free(&names);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ptr)
{
    struct connection *c = ptr;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!stream || !stream->seen || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)) {
        return 0;
    }
    stream->seen->complete = true;
    stream->reply = (struct reply){ .answer = server_find(c->server, stream->seen->target),
                                    .headless = strcmp(stream->seen->method, "HEAD") == 0 };
    stream->seen = NULL;
    if (!reply_breaks_before_head(&stream->reply)) {
        submit_head(c->session, stream);
    } else if (reply_state(&stream->reply) == REPLY_BREAKS) {
        break_off(c, stream);
    }
    return 0;
}

/* ---- the connection ---- */

static bool open_session(struct connection *c)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    struct http2 *h = calloc(1, sizeof(*h));
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100 } };
    if (!h || nghttp2_option_new(&option) != 0 || nghttp2_session_callbacks_new(&callbacks) != 0) {
        free(h);
        return false;
    }
    nghttp2_option_set_max_send_header_block_length(option, HEAD_MAX);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    int failed = nghttp2_session_server_new2(&h->session, callbacks, c, option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    c->session = h;
    return failed == 0 && nghttp2_submit_settings(h->session, 0, settings, 1) == 0;
}

static void http2_give(struct connection *c)
{
    struct http2 *h = c->session;
    const uint8_t *bytes;
    while (c->out.len < SERVER_AHEAD) {
        ssize_t len = nghttp2_session_mem_send(h->session, &bytes);
        if (len <= 0) {
            c->closing =
                c->closing || len < 0 ||
                (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session));
            return;
        }
        bytes_add(&c->out, bytes, (size_t)len);
    }
}

static void http2_take(struct connection *c)
{
    if (!c->session && !open_session(c)) {
        c->gone = true;
        return;
    }
    struct http2 *h = c->session;
    ssize_t used = c->in.len ? nghttp2_session_mem_recv(h->session, c->in.at, c->in.len) : 0;
    c->in.len = 0;
    if (used < 0) {
        c->closing = true; /* not HTTP/2 */
    }
}

static void http2_go(struct connection *c)
{
    struct http2 *h = c->session;
    for (struct stream *stream = h->streams; stream; stream = stream->next) {
        if (stream->reply.answer) {
            stream->reply.let_go++;
            nghttp2_session_resume_data(h->session, stream->id);
        }
    }
}

static void http2_free(struct connection *c)
{
    struct http2 *h = c->session;
    nghttp2_session_del(h->session);
    while (h->streams) {
        struct stream *gone = h->streams;
        h->streams = gone->next;
        free(gone);
    }
    free(h);
}

const struct protocol http2_protocol = {
    .take = http2_take,
    .give = http2_give,
    .go = http2_go,
    .free = http2_free,
};
