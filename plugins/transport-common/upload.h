/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request: copied, handed out piece by piece, and wiped as soon as all of it is. */
#ifndef TRANSPORT_COMMON_UPLOAD_H
#define TRANSPORT_COMMON_UPLOAD_H

#include <amazonq/plugin.h>
#include <stdbool.h>

/* Zero-initialised is empty. */
struct upload {
    uint8_t *bytes;
    size_t len;
    size_t sent;
};

/* AQ_E_NOMEM. */
aq_status upload_init(struct upload *upload, struct aq_bytes body);

/* Copy the next bytes to buf, return how many; 0 at the end. */
size_t upload_read(struct upload *upload, void *buf, size_t cap);

static inline bool upload_is_sent(const struct upload *upload)
{
    return upload->sent == upload->len;
}

void upload_done(struct upload *upload);

#endif
