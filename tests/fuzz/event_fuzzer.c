/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the payload of each kind of event: the text is valid UTF-8 and no longer than the
 * payload, a payload that is taken is JSON, and the short way for the usual shape finds the same as
 * the long one. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "fuzz/fuzzer.h"
#include "wire/chat.h"

#include <string.h>

static const struct aq_str names[] = {
    AQ_STR_INIT("assistantResponseEvent"),
    AQ_STR_INIT("toolUseEvent"),
    AQ_STR_INIT("reasoningContentEvent"),
    AQ_STR_INIT("codeEvent"),
    AQ_STR_INIT("metadataEvent"),
    AQ_STR_INIT("messageMetadataEvent"),
    AQ_STR_INIT("meteringEvent"),
    AQ_STR_INIT("citationEvent"),
    AQ_STR_INIT("codeReferenceEvent"),
    AQ_STR_INIT("supplementaryWebLinksEvent"),
    AQ_STR_INIT("followupPromptEvent"),
    AQ_STR_INIT("intentsEvent"),
    AQ_STR_INIT("interactionComponentsEvent"),
    AQ_STR_INIT("invalidStateEvent"),
    AQ_STR_INIT("toolResultEvent"),
    AQ_STR_INIT("dryRunSucceedEvent"),
    AQ_STR_INIT("contextUsageEvent"),
    AQ_STR_INIT("initial-response"),
    AQ_STR_INIT("binaryMetadataEvent"),
    AQ_STR_INIT("binaryPayloadEvent"),
};

static void kind_check(const struct chat_kind *kind, struct aq_bytes payload,
                       struct aq_bytes shifted)
{
    AUTO(buf) struct buf scratch = BUF(0);
    AUTO(buf) struct buf again = BUF(0);
    struct aq_str text = { NULL, 0 };
    struct aq_str same = { NULL, 0 };
    struct aq_error err;

    aq_status st = chat_text(kind, payload, &scratch, &text, &err);
    PROMISE(st == AQ_OK || st == AQ_E_PROTOCOL);
    if (st == AQ_OK) {
        PROMISE(text.len <= payload.len);
        PROMISE(utf8_valid((const uint8_t *)text.ptr, text.len));
        PROMISE(!kind->text_key.len || !payload.len || json_valid(str_of_bytes(payload)));
    } else {
        PROMISE(err.status == st);
        error_text_check(&err);
    }
    if (payload.len) { /* a blank in front of it changes nothing but the way */
        PROMISE(chat_text(kind, shifted, &again, &same, NULL) == st);
        PROMISE(st != AQ_OK || str_eq(text, same));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *shifted = malloc(size + 1);
    shifted[0] = ' ';
    if (size) {
        memcpy(shifted + 1, data, size);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct chat_kind *kind = chat_kind_find(names[i]);
        PROMISE(kind && str_eq(kind->name, names[i]));
        kind_check(kind, (struct aq_bytes){ data, size }, (struct aq_bytes){ shifted, size + 1 });
    }
    free(shifted);
    return 0;
}
