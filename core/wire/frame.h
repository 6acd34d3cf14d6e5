/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame, integers big-endian:
 *
 *      0  total length         prelude
 *      4  headers length
 *      8  CRC-32 of bytes 0-7
 *     12  headers              name length u8, name, type u8, value
 *         payload
 *     -4  CRC-32 of all bytes before it
 */
#ifndef AQ_WIRE_FRAME_H
#define AQ_WIRE_FRAME_H

#include "wire/eventstream.h"

enum {
    FRAME_AT_TOTAL = 0,
    FRAME_AT_HEADERS_LEN = 4,
    FRAME_AT_PRELUDE_CRC = 8,
    FRAME_PRELUDE_LEN = 12,
    FRAME_CRC_LEN = 4,
    FRAME_MIN = FRAME_PRELUDE_LEN + FRAME_CRC_LEN,
};

/* Lengths of values; those of bytes and strings are written before them. */
static const uint8_t frame_value_len[] = { 0, 0, 1, 2, 4, 8, 0, 0, 8, EVENTSTREAM_UUID_LEN };

static inline bool frame_has_length(enum eventstream_type type)
{
    return type == EVENTSTREAM_BYTES || type == EVENTSTREAM_STRING;
}

/* True if the value is bytes, not a number. */
static inline bool frame_is_bytes(enum eventstream_type type)
{
    return frame_has_length(type) || type == EVENTSTREAM_UUID;
}

#endif
