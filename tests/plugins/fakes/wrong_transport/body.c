/* SPDX-License-Identifier: Apache-2.0 */
/* The body, and the end of a call. */
#include "wrong.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { HOARD_PIECE = 65536, RING = 4096 };

void hoard(struct call *call)
{
    struct aq_error err = { 0 };
    struct aq_response head = { .struct_size = sizeof(head) };
    size_t len = 0;
    if (call->hoard_end || wrong_right->transport->response(call->right, &head, &err) != AQ_OK) {
        return;
    }
    call->head = head;
    do {
        if (call->hoard_room < call->hoard_len + HOARD_PIECE) {
            const size_t room = call->hoard_room ? 2 * call->hoard_room : HOARD_PIECE;
            uint8_t *grown = realloc(call->hoard, room);
            if (!grown) {
                return;
            }
            call->hoard = grown;
            call->hoard_room = room;
        }
        call->hoard_end = wrong_right->transport->read(call->right, call->hoard + call->hoard_len,
                                                       HOARD_PIECE, &len, &err);
        call->hoard_len += call->hoard_end == AQ_OK ? len : 0;
    } while (call->hoard_end == AQ_OK);
    call->hoard_end = call->hoard_end == AQ_AGAIN ? 0 : call->hoard_end;
}

static aq_status read_hoard(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len)
{
    size_t len = call->hoard_len - call->hoard_at;
    len = len < cap ? len : cap;
    memcpy(buf, call->hoard + call->hoard_at, len);
    call->hoard_at += len;
    *ret_len = len;
    return AQ_OK;
}

/* What it makes of bytes that were read, or of the end. */
static aq_status change_read(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                             aq_status st)
{
    const struct instance *self = call->owner;
    if (st == AQ_OK && *ret_len == cap && does(self, "read-too-much")) {
        *ret_len = cap + 1;
    } else if (st == AQ_OK && *ret_len == cap && does(self, "read-negative")) {
        *ret_len = (size_t)-1;
    } else if (st == AQ_OK && cap == 1 && call->got == RING && does(self, "read-turns-over")) {
        buf[0] ^= 1;
    } else if (st == AQ_E_TRUNCATED && call->head.status && does(self, "cut-is-end")) {
        return AQ_END;
    }
    return st;
}

/* Reasons to fail that transport-curl does not have. */
static void find_doom(struct call *call)
{
    struct instance *self = call->owner;
    const uint64_t idle_us = now_us(self) - call->read_us;
    call->read_us = now_us(self);
    if (does(self, "one-close-for-all") && call->closed != wrong_closed) {
        doom(call, AQ_E_NETWORK, "another instance was closed");
    } else if (does(self, "idle-while-unread") && call->idle_ms && call->head.status &&
               idle_us > call->idle_ms * UINT64_C(1000)) {
        doom(call, AQ_E_TIMEOUT, "nobody has read it");
    }
}

/* Bytes wait for more of them, or for the end. */
static aq_status hold_back(struct call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                           struct aq_error *err)
{
    if (!call->hoard) {
        call->hoard = malloc(HOARD_PIECE);
        call->hoard_room = call->hoard ? HOARD_PIECE : 0;
    }
    while (!call->hoard_end && call->hoard_len < call->hoard_room) {
        size_t len = 0;
        const aq_status st =
            wrong_right->transport->read(call->right, call->hoard + call->hoard_len,
                                         call->hoard_room - call->hoard_len, &len, err);
        if (st == AQ_AGAIN) {
            return AQ_AGAIN;
        }
        call->hoard_len += st == AQ_OK ? len : 0;
        call->hoard_end = st == AQ_OK ? 0 : st;
    }
    return call->hoard_at < call->hoard_len ? read_hoard(call, buf, cap, ret_len) : call->hoard_end;
}

aq_status wrong_read(void *ptr, uint8_t *buf, size_t cap, size_t *ret_len, struct aq_error *err)
{
    struct call *call = ptr;
    struct instance *self = call->owner;
    aq_status st;
    if (does(self, "read-blocks")) {
        block();
    }
    if (does(self, "hoards") && call->hoard_at < call->hoard_len) {
        return read_hoard(call, buf, cap, ret_len);
    }
    if (does(self, "read-nothing") && call->head.status && call->reads++ == 0) {
        *ret_len = 0;
        return AQ_OK;
    }
    if (!call->right || (does(self, "read-end-once") && call->is_over)) {
        return AQ_AGAIN;
    }
    if (!call->doom) {
        find_doom(call);
    }
    if (call->doom) {
        return fail_with(err, call->doom_status, call->doom);
    }
    if (does(self, "holds-back") && is_for(call, "/pieces")) {
        st = hold_back(call, buf, cap, ret_len, err);
    } else {
        st = wrong_right->transport->read(call->right, buf, cap, ret_len, err);
    }
    st = change_read(call, buf, cap, ret_len, st);
    call->is_unread = st == AQ_OK;
    call->got += st == AQ_OK ? *ret_len : 0;
    if (st == AQ_AGAIN) {
        call->is_awaited = 1;
        call->is_told = 0;
    } else if (st < 0 && st != AQ_E_FORKED) {
        st = fail(call, st, err);
    }
    call->is_over |= st == AQ_END;
    return st;
}

/* What the end of a call does to others. */
static void harm_others(struct call *call)
{
    struct instance *self = call->owner;
    if (does(self, "finish-before-step-harms") && call->steps == self->steps) {
        self->poison = 1;
    }
    if (does(self, "finish-unread-harms") && !call->is_awaited && !call->head.status) {
        for (struct call *other = self->calls; other; other = other->next) {
            if (other != call) {
                doom(other, AQ_E_NETWORK, "a connection that is of no use any more");
            }
        }
    }
}

void wrong_finish(void *ptr)
{
    struct call *call = ptr;
    if (!call) {
        if (strcmp(wrong_deed, "null-crashes") == 0) {
            raise(SIGSEGV);
        }
        return;
    }
    struct instance *self = call->owner;
    struct call **at = &self->calls;
    harm_others(call);
    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
    self->finished = call->cookie;
    self->finished_unstepped++;
    self->late = self->late == call->cookie ? NULL : self->late;
    if (does(self, "finish-blocks")) {
        block();
    }
    if (call->right) {
        wrong_right->transport->finish(call->right);
    }
    free(call->hoard);
    free(call);
}
