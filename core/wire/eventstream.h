/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the AWS event stream (docs/protocol.md): bytes in, messages out, and back.
 *
 * Decoding borrows what it is fed and hands out views of it; only a frame that spans two chunks is
 * copied, into a buffer that grows with the bytes that arrived, never with what a length promises.
 *
 *     struct eventstream_decoder d = { 0 };
 *     struct eventstream_message m;
 *     eventstream_feed(&d, chunk, err)         after the last chunk: eventstream_finish(&d)
 *     loop: eventstream_next(&d, &m, err)
 *           AQ_OK     a message; its views live until the next call on d
 *           AQ_AGAIN  the chunk is used up and given back: feed the next one
 *           AQ_END    the stream ended between two frames
 *           negative  it is broken; the same answer from now on
 *     eventstream_done(&d)
 *
 * A message is handed out only after its lengths, both checksums and every header were checked.
 */
#ifndef AQ_WIRE_EVENTSTREAM_H
#define AQ_WIRE_EVENTSTREAM_H

#include "base/buf.h"

#include <amazonq/status.h>

enum {
    EVENTSTREAM_FRAME_MAX = 16 * 1024 * 1024, /* bytes, with prelude and checksums */
    EVENTSTREAM_HEADERS_MAX = 128 * 1024,     /* bytes of all headers of a frame */
    EVENTSTREAM_HEADER_COUNT_MAX = 1024,
    EVENTSTREAM_NAME_MAX = 255,    /* bytes of a header's name */
    EVENTSTREAM_VALUE_MAX = 65535, /* bytes of a header's value */
    EVENTSTREAM_UUID_LEN = 16,     /* bytes */
};

/* Type of a header's value, numbered as on the wire. */
enum eventstream_type {
    EVENTSTREAM_TRUE,
    EVENTSTREAM_FALSE,
    EVENTSTREAM_BYTE,
    EVENTSTREAM_SHORT,
    EVENTSTREAM_INTEGER,
    EVENTSTREAM_LONG,
    EVENTSTREAM_BYTES,
    EVENTSTREAM_STRING, /* UTF-8 */
    EVENTSTREAM_TIMESTAMP,
    EVENTSTREAM_UUID,
};

/* A header. The type says which of the two values it has; the other one is zero. */
struct eventstream_header {
    struct aq_str name;
    enum eventstream_type type;
    int64_t number;        /* 1 and 0 for the truths; a timestamp is in ms since 1970 */
    struct aq_bytes bytes; /* BYTES, STRING, UUID */
};

/* What :message-type says. */
enum eventstream_kind {
    EVENTSTREAM_EVENT,     /* has an event_type */
    EVENTSTREAM_EXCEPTION, /* has an exception_type */
    EVENTSTREAM_ERROR,     /* error_code and error_message, where sent */
};

/* A checked message. Texts that were not sent are empty. */
struct eventstream_message {
    uint64_t offset; /* of the frame in the stream */
    enum eventstream_kind kind;
    uint32_t header_count;
    struct aq_str event_type;
    struct aq_str exception_type;
    struct aq_str content_type;
    struct aq_str error_code;
    struct aq_str error_message;
    struct aq_bytes headers; /* as sent; for eventstream_header_next */
    struct aq_bytes payload;
};

/* Zero-initialise; all members are private. */
struct eventstream_decoder {
    struct aq_bytes chunk; /* what is left of what was fed */
    struct buf carry;      /* a frame that spans chunks, as far as it arrived */
    uint64_t offset;       /* of the frame being read, in the stream */
    uint32_t total;        /* its length; 0 until its prelude was checked */
    bool delivered;        /* carry holds the message last handed out */
    bool finished;
    struct aq_error failure;
    struct eventstream_message known; /* what the last header block said ... */
    uint8_t block[256];               /* ... and the block, if it fits: mostly the next one, too */
};

/*
 * Lend a chunk, until eventstream_next returns something other than AQ_OK.
 *
 * Returns AQ_OK; AQ_E_STATE while the last chunk is not used up, and after finish or a failure.
 */
aq_status eventstream_feed(struct eventstream_decoder *d, struct aq_bytes chunk,
                           struct aq_error *err);

/* Say that nothing comes after what was fed. */
void eventstream_finish(struct eventstream_decoder *d);

/*
 * Get the next message.
 *
 * Returns AQ_OK, AQ_AGAIN, AQ_END, or for good
 *   AQ_E_PROTOCOL   malformed; the text names the field and its offset in the stream
 *   AQ_E_LIMIT      well-formed so far, but larger than the limits above
 *   AQ_E_TRUNCATED  the stream ended inside a frame
 *   AQ_E_NOMEM
 */
aq_status eventstream_next(struct eventstream_decoder *d, struct eventstream_message *ret,
                           struct aq_error *err);

/* Wipe and free. */
void eventstream_done(struct eventstream_decoder *d);

/*
 * Step through the headers of a message; false after the last.
 *
 *     struct aq_bytes rest = m.headers;
 *     while (eventstream_header_next(&rest, &header)) ...
 */
bool eventstream_header_next(struct aq_bytes *rest, struct eventstream_header *ret);

/*
 * Append one frame to out, as the service does: for tests alone. What it accepts, the decoder
 * accepts, if :message-type and its companion are among the headers.
 *
 * Returns AQ_OK; AQ_E_INVALID if a header cannot be sent: a name that is empty, too long, twice
 * there or not UTF-8, a value that does not fit its type; AQ_E_LIMIT; AQ_E_NOMEM.
 */
aq_status eventstream_encode(const struct eventstream_header *headers, size_t count,
                             struct aq_bytes payload, struct buf *out, struct aq_error *err);

#endif
