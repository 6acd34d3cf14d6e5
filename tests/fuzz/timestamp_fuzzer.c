/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a timestamp: what is read can be written, and is then read as the same time. */
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "wire/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TIMESTAMP_TEXT_MAX];
    int64_t s, again;
    if (timestamp_parse((struct aq_str){ (const char *)data, size }, &s)) {
        /* an offset may carry the first and the last day over the edge of four-digit years */
        if (timestamp_format(s, text)) {
            PROMISE(timestamp_parse(str_from(text), &again));
            PROMISE(again == s);
        } else {
            PROMISE(s < -62167219200 || s > 253402300799);
        }
    }
    return 0;
}
