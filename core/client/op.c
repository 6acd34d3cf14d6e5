/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* A batch ends when its views take this many bytes; one event may go beyond. */
enum { BATCH_MAX = 1 << 20 };

/* ---- inside ---- */

/* Make the client's descriptor readable; during a step its caller looks anyway. */
static void op_wake(struct aq_client *client)
{
    const uint64_t one = 1;
    if (!client->stepping && !client->woken) {
        client->woken = write(client->wake_fd, &one, sizeof(one)) == sizeof(one);
    }
}

struct aq_op *op_new(struct aq_client *client, const struct op_class *class, struct aq_op *parent)
{
    struct aq_op *op = alloc_array(1, class->size);
    if (!op) {
        return NULL;
    }
    op->class = class;
    op->client = client;
    op->parent = parent;
    op->watch_fd = -1;
    op->deadline_us = CLOCK_NEVER;
    op->next = client->ops;
    if (op->next) {
        op->next->prev = op;
    }
    client->ops = op;
    return op;
}

static void op_enqueue(struct aq_op *op)
{
    struct aq_client *client = op->client;
    if (op->queued || op->reported) {
        return;
    }
    op->queued = true;
    op->ready_next = NULL;
    if (client->ready_last) {
        client->ready_last->ready_next = op;
    } else {
        client->ready_first = op;
    }
    client->ready_last = op;
}

static struct aq_op *op_dequeue(struct aq_client *client)
{
    struct aq_op *op = client->ready_first;
    if (op) {
        client->ready_first = op->ready_next;
        if (!client->ready_first) {
            client->ready_last = NULL;
        }
        op->queued = false;
    }
    return op;
}

static void op_forget(struct aq_op *op)
{
    struct aq_client *client = op->client;
    struct aq_op *previous = NULL;
    for (struct aq_op *at = client->ready_first; at; previous = at, at = at->ready_next) {
        if (at == op) {
            *(previous ? &previous->ready_next : &client->ready_first) = op->ready_next;
            if (client->ready_last == op) {
                client->ready_last = previous;
            }
            break;
        }
    }
    op->queued = false;
}

void op_ready(struct aq_op *op)
{
    if (op->class->must_finish && op->class->must_finish(op)) {
        op->workable = op->client->has_work = true;
    }
    while (op->parent) {
        op = op->parent;
    }
    if (!op->detached) {
        op_enqueue(op);
    }
    op_wake(op->client);
}

void op_wake_at(struct aq_op *op, uint64_t deadline_us)
{
    const bool was_timed = op->deadline_us != CLOCK_NEVER;
    const bool is_timed = deadline_us != CLOCK_NEVER;
    op->deadline_us = deadline_us;
    if (is_timed && !was_timed) {
        op->timed_prev = NULL;
        op->timed_next = op->client->timed;
        if (op->timed_next) {
            op->timed_next->timed_prev = op;
        }
        op->client->timed = op;
    } else if (was_timed && !is_timed) {
        *(op->timed_prev ? &op->timed_prev->timed_next : &op->client->timed) = op->timed_next;
        if (op->timed_next) {
            op->timed_next->timed_prev = op->timed_prev;
        }
    }
}

aq_status op_end(struct aq_op *op, aq_status status, const struct aq_error *error)
{
    op->ended = status;
    op_wake_at(op, CLOCK_NEVER);
    if (status < 0) {
        op->error = *error;
    }
    return status;
}

struct aq_event *op_event(struct aq_op *op, int32_t type)
{
    op->event = (struct aq_event){ .struct_size = sizeof(op->event), .type = type };
    return &op->event;
}

void op_destroy(struct aq_op *op, bool forked)
{
    struct aq_client *client = op->client;
    op->class->done(op, forked);
    buf_done(&op->batch);
    op_wake_at(op, CLOCK_NEVER);
    if (op->queued) {
        op_forget(op);
    }
    if (op->detached) {
        client->detached_count--;
    }
    *(op->prev ? &op->prev->next : &client->ops) = op->next;
    if (op->next) {
        op->next->prev = op->prev;
    }
    alloc_free(op, op->class->size);
}

static aq_status op_advance(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    if (op->ended == AQ_END) {
        return AQ_END;
    }
    if (op->ended < 0) {
        return error_copy(err, &op->error);
    }
    aq_status st = op->class->next(op, ret, err);
    if (st == AQ_AGAIN) {
        op->reported = false;
    }
    return st;
}

void op_work(struct aq_client *client)
{
    struct aq_op *next;
    if (!client->has_work) {
        return;
    }
    client->has_work = false;
    for (struct aq_op *op = client->ops; op; op = next) {
        next = op->next;
        if (op->workable) {
            op->workable = false;
            if (op->class->must_finish(op)) { /* whoever asks for events may have done it */
                op->class->work(op);
            }
        }
        if (op->detached && !op->class->must_finish(op)) {
            op_destroy(op, false);
        }
    }
}

/* ---- the face ---- */

struct aq_op *aq_client_ready(struct aq_client *client)
{
    struct aq_op *op = NULL;
    if (client_check(client, NULL) == AQ_OK) {
        op = op_dequeue(client);
        if (op) {
            op->reported = true;
        }
    }
    return op;
}

aq_status aq_op_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    struct aq_error local;
    aq_status st = client_check(op->client, err);
    if (st != AQ_OK) {
        return st;
    }
    st = op_advance(op, ret, err ? err : &local);
    if (st != AQ_OK) {
        client_sync(op->client);
    }
    return st;
}

aq_status aq_op_wait(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    aq_status st;
    while ((st = aq_op_next(op, ret, err)) == AQ_AGAIN) {
        if (op->class->wants_token && op->class->wants_token(op)) {
            return error_set(err, AQ_E_AUTH,
                             "service: the access token was rejected, give another one");
        }
        if (op->class->wants_profile && op->class->wants_profile(op)) {
            return error_set(err, AQ_E_STATE,
                             "profile: none was chosen yet, give one to the operation");
        }
        struct pollfd wait = { .fd = op->client->epoll_fd, .events = POLLIN };
        /* Work of our own making is there already: no need to ask the system about it. */
        if (!op->client->woken && poll(&wait, 1, -1) < 0 && errno != EINTR) {
            return error_sys(err, AQ_E_IO, errno, "client: poll");
        }
        aq_client_step(op->client, NULL); /* an error reaches op through its own request */
    }
    if (op->client->ready_first && (op->client->ready_first != op || op->ready_next)) {
        op_wake(op->client); /* what this wait found for others, their watcher must see, too */
    }
    return st;
}

/* ---- batches: the views of every event must outlive the next one, so they are copied ---- */

/* Call f for each view of an event, always in the same order. */
static void op_each_view(struct aq_event *event, void (*f)(void *ctx, struct aq_bytes *view),
                         void *ctx)
{
    struct aq_str *texts[] = { &event->name, &event->text, &event->request_id };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct aq_bytes view = { (const uint8_t *)texts[i]->ptr, texts[i]->len };
        f(ctx, &view);
        texts[i]->ptr = (const char *)view.ptr;
    }
    f(ctx, &event->payload);
}

static void op_copy_view(void *ctx, struct aq_bytes *view)
{
    buf_add_bytes(ctx, *view);
}

static void op_point_view(void *ctx, struct aq_bytes *view)
{
    const uint8_t **at = ctx;
    view->ptr = *at;
    *at += view->len;
}

static void op_point_batch(const struct buf *batch, char *events, uint32_t stride, uint32_t len)
{
    const uint8_t *at = batch->ptr;
    for (uint32_t i = 0; i < len; i++) {
        struct aq_event event = { 0 };
        size_t size = stride < sizeof(event) ? stride : sizeof(event);
        memcpy(&event, events + (size_t)i * stride, size);
        op_each_view(&event, op_point_view, &at);
        memcpy(events + (size_t)i * stride, &event, size);
    }
}

/* Events that stand for more than their views end a batch. */
static bool op_ends_batch(const struct aq_event *event)
{
    return event->token || event->login || event->access_key || event->type == AQ_EVENT_HEAD ||
           event->type == AQ_EVENT_NEED_TOKEN;
}

aq_status aq_op_drain(struct aq_op *op, struct aq_event *events, uint32_t cap, uint32_t stride,
                      uint32_t *ret_len, struct aq_error *err)
{
    aq_status st = AQ_OK;
    uint32_t len = 0;
    *ret_len = 0;
    if (cap == 0 || stride < sizeof(uint32_t) * 2) {
        return error_set(err, AQ_E_INVALID, "aq_op_drain: cap or stride is too small");
    }
    buf_clear(&op->batch);
    while (len < cap && op->batch.len < BATCH_MAX) {
        const struct aq_event *next = NULL;
        struct aq_event event = { 0 };
        st = aq_op_next(op, &next, err);
        if (st != AQ_OK || !next) {
            break;
        }
        memcpy(&event, next, stride < sizeof(event) ? stride : sizeof(event));
        op_each_view(&event, op_copy_view, &op->batch);
        memcpy((char *)events + (size_t)len++ * stride, &event,
               stride < sizeof(event) ? stride : sizeof(event));
        if (op_ends_batch(&event)) {
            break;
        }
    }
    if (buf_status(&op->batch) != AQ_OK) {
        struct aq_error why; /* events are gone: the operation cannot go on as if nothing were */
        error_nomem(&why, "aq_op_drain");
        op_end(op, AQ_E_NOMEM, &why);
        return error_copy(err, &why);
    }
    op_point_batch(&op->batch, (char *)events, stride, len);
    *ret_len = len;
    return st;
}

int aq_op_may_block(const struct aq_op *op)
{
    return op->class->may_block;
}

aq_status aq_op_give_token(struct aq_op *op, struct aq_str access_token, struct aq_error *err)
{
    aq_status st = client_check(op->client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (!op->class->wants_token || !op->class->wants_token(op) || op->ended != AQ_OK) {
        return error_set(err, AQ_E_STATE, "operation: did not ask for a token");
    }
    st = op->class->give_token(op, access_token, err);
    if (st == AQ_OK) {
        op_ready(op);
    }
    return st;
}

aq_status aq_op_give_profile(struct aq_op *op, struct aq_str arn, struct aq_error *err)
{
    aq_status st = client_check(op->client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (!op->class->wants_profile || !op->class->wants_profile(op) || op->ended != AQ_OK) {
        return error_set(err, AQ_E_STATE, "operation: did not ask for a profile");
    }
    st = op->class->give_profile(op, arn, err);
    if (st == AQ_OK) {
        op_ready(op);
    }
    return st;
}

void aq_op_set_userdata(struct aq_op *op, void *userdata)
{
    op->userdata = userdata;
}

void *aq_op_userdata(const struct aq_op *op)
{
    return op->userdata;
}

void aq_op_free(struct aq_op *op)
{
    if (!op) {
        return;
    }
    struct aq_client *client = op->client;
    bool forked = client_check(client, NULL) != AQ_OK;
    if (!forked && op->class->must_finish && op->class->must_finish(op)) {
        if (op->queued) {
            op_forget(op);
        }
        op->detached = true;
        client->detached_count++;
        op_ready(op);
        return;
    }
    op_destroy(op, forked);
    if (!forked) {
        client_sync(client);
    }
}
