/* SPDX-License-Identifier: Apache-2.0 */
/* A request as HTTP/2 wants it: checked, copied, and wiped when it is freed. */
#ifndef TRANSPORT_H2_OUTGOING_H
#define TRANSPORT_H2_OUTGOING_H

#include <amazonq/plugin.h>
#include <nghttp2/nghttp2.h>

#include "upload.h"
#include "url.h"

struct outgoing {
    struct origin origin;
    char *text; /* names and values of the fields */
    size_t text_size;
    nghttp2_nv *fields; /* pseudo-header fields first */
    size_t field_count;
    struct upload body;
};

/* Check and copy a request. On failure *outgoing can still be given to outgoing_done. */
aq_status outgoing_init(struct outgoing *outgoing, const struct aq_request *request,
                        struct aq_error *err);

/* The fields have been sent: wipe and free them. Twice is fine. */
void outgoing_forget_fields(struct outgoing *outgoing);

void outgoing_done(struct outgoing *outgoing);

#endif
