/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the header block of a frame, behind headers that make it an event. */
#include "fuzz/stream.h"

#define EVENT \
    "\x0d:message-type\x07\x00\x05" \
    "event" \
    "\x0b:event-type\x07\x00\x01" \
    "e"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf) struct buf headers = BUF(0);
    AUTO(buf) struct buf stream = BUF(0);
    buf_add(&headers, AQ_STR(EVENT));
    buf_add_bytes(&headers, (struct aq_bytes){ data, size });
    stream_add(&stream, buf_bytes(&headers), (struct aq_bytes){ NULL, 0 });
    stream_check(buf_bytes(&stream), 1000);

    /* the iterator must also stand bytes that nobody checked */
    struct aq_bytes rest = { data, size };
    struct eventstream_header h;
    while (eventstream_header_next(&rest, &h)) {
        PROMISE(rest.len < size);
    }
    return 0;
}
