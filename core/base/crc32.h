/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 as zlib, gzip and the event stream know it (ISO-HDLC). */
#ifndef AQ_BASE_CRC32_H
#define AQ_BASE_CRC32_H

#include <amazonq/view.h>

/* Checksum of all bytes. */
uint32_t crc32_bytes(struct aq_bytes bytes);

/* Checksum of exactly eight bytes; several times faster than the general one for so few. */
uint32_t crc32_eight(const uint8_t bytes[8]);

#endif
