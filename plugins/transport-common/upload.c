/* SPDX-License-Identifier: Apache-2.0 */
#include "upload.h"

#include "memory.h"

static void forget(struct upload *upload)
{
    memory_free(upload->bytes, upload->len);
    upload->bytes = NULL;
}

aq_status upload_init(struct upload *upload, struct aq_bytes body)
{
    *upload = (struct upload){ 0 };
    if (body.len == 0) {
        return AQ_OK;
    }
    upload->bytes = malloc(body.len);
    if (!upload->bytes) {
        return AQ_E_NOMEM;
    }
    memcpy(upload->bytes, body.ptr, body.len);
    upload->len = body.len;
    return AQ_OK;
}

size_t upload_read(struct upload *upload, void *buf, size_t cap)
{
    size_t len = upload->len - upload->sent;
    if (len > cap) {
        len = cap;
    }
    if (len) {
        memcpy(buf, upload->bytes + upload->sent, len);
        upload->sent += len;
    }
    if (upload_is_sent(upload)) { /* the answer may take long */
        forget(upload);
    }
    return len;
}

void upload_done(struct upload *upload)
{
    forget(upload);
    *upload = (struct upload){ 0 };
}
