/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a request to the broker: what is accepted is within its limits, what is not says
 * why. */
#include "fuzz/fuzzer.h"
#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request r;
    struct aq_error err;
    aq_status st = request_parse((struct aq_str){ (const char *)data, size }, &r, &err);
    if (st != AQ_OK) {
        PROMISE(st == AQ_E_INVALID && err.status == st);
        error_text_check(&err);
        return 0;
    }
    PROMISE(size < REQUEST_MAX);
    PROMISE(r.op == REQUEST_TOKEN || r.op == REQUEST_LOGIN);
    PROMISE(r.min_valid_s >= 0 && r.min_valid_s <= 365 * 24 * 60 * 60);
    PROMISE(!(r.force && r.no_refresh));
    PROMISE(strnlen(r.source, sizeof(r.source)) < sizeof(r.source));
    return 0;
}
