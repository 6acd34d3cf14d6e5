/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <string.h>

enum { NO_CONTENT = 204, NOT_MODIFIED = 304 };

uint64_t reply_length(const struct reply *reply)
{
    const struct lab_answer *answer = reply->answer;
    if (reply->headless || answer->status == NO_CONTENT || answer->status == NOT_MODIFIED) {
        return 0;
    }
    return answer->text ? strlen(answer->text) : answer->body_len;
}

bool reply_breaks_before_head(const struct reply *reply)
{
    return reply->answer->fate != LAB_ENDS_WELL && reply->answer->fate_at == LAB_BEFORE_HEAD;
}

/* How many bytes may go out. */
static uint64_t reply_allowed(const struct reply *reply)
{
    const struct lab_answer *answer = reply->answer;
    uint64_t most = reply_length(reply);
    if (answer->fate != LAB_ENDS_WELL && answer->fate_at < most) {
        most = answer->fate_at;
    }
    if (answer->piece_len && reply->let_go * answer->piece_len < most) {
        most = reply->let_go * answer->piece_len;
    }
    return most;
}

enum reply_state reply_state(const struct reply *reply)
{
    const struct lab_answer *answer = reply->answer;
    const bool ill_fated = answer->fate != LAB_ENDS_WELL;
    if (ill_fated && (reply_breaks_before_head(reply) || reply->made >= answer->fate_at)) {
        return answer->fate == LAB_HANGS ? REPLY_WAITS : REPLY_BREAKS;
    }
    if (reply->made == reply_length(reply)) {
        return REPLY_ENDS;
    }
    return reply->made < reply_allowed(reply) ? REPLY_MORE : REPLY_WAITS;
}

size_t reply_take(struct reply *reply, uint8_t *buf, size_t cap)
{
    const uint64_t left = reply_allowed(reply) - reply->made;
    const size_t len = left < cap ? (size_t)left : cap;
    if (reply_state(reply) != REPLY_MORE) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        buf[i] = reply->answer->text ? (uint8_t)reply->answer->text[reply->made + i]
                                     : lab_byte(reply->made + i);
    }
    reply->made += len;
    return len;
}
