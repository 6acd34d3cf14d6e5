/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that wait: added at the end, taken from the front. */
#ifndef CONFORMANCE_BYTES_H
#define CONFORMANCE_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *at;
    size_t len, cap;
};

/* Room for so many more bytes behind the last; ends the process when there is no memory. */
uint8_t *bytes_room(struct bytes *b, size_t len);
void bytes_add(struct bytes *b, const void *from, size_t len);
void bytes_print(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bytes_take(struct bytes *b, size_t len);
void bytes_free(struct bytes *b);

#endif
