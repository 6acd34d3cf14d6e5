/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of any content whose lengths and checksums are right, so that what is behind them is
 * reached. Input: a byte for the size of the pieces; then for each frame the lengths of its headers
 * and its payload, a byte each, and these. */
#include "fuzz/stream.h"

/* Append a frame; returns the bytes of the input it used. */
static size_t add_frame(struct buf *out, const uint8_t *data, size_t size)
{
    size_t left = size - 2;
    size_t headers_len = data[0] < left ? data[0] : left;
    size_t payload_len = data[1] < left - headers_len ? data[1] : left - headers_len;
    stream_add(out, (struct aq_bytes){ data + 2, headers_len },
               (struct aq_bytes){ data + 2 + headers_len, payload_len });
    return 2 + headers_len + payload_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf) struct buf stream = BUF(0);
    size_t at = 1;
    while (at + 2 <= size) {
        at += add_frame(&stream, data + at, size - at);
    }
    if (stream.len) {
        aq_status st = stream_check(buf_bytes(&stream), 1 + data[0] % 40u);
        PROMISE(st == AQ_END || st == AQ_E_PROTOCOL);
    }
    return 0;
}
