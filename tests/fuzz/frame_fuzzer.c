/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a stream: whole and in pieces it gives the same messages and the same end. The first
 * byte chooses the size of the pieces. */
#include "fuzz/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        stream_check((struct aq_bytes){ data + 1, size - 1 }, 1 + data[0] % 40u);
    }
    return 0;
}
