/* SPDX-License-Identifier: Apache-2.0 */
/* The host, as transport-curl sees it. */
#include "wrong.h"

#include <string.h>
#include <time.h>

#define HOUR_US UINT64_C(3600000000)

const struct aq_host *wrong_closed_host;

static void pass_log(void *ctx, int32_t level, struct aq_str line)
{
    const struct instance *self = ctx;
    self->outer->log(self->outer->ctx, level, line);
}

uint64_t now_us(const struct instance *self)
{
    return self->outer->now_us(self->outer->ctx);
}

static uint64_t pass_now_us(void *ctx)
{
    const struct instance *self = ctx;
    struct timespec now;
    if (does(self, "own-clock")) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    }
    return now_us(self) + (does(self, "clock-ahead") ? 2 * HOUR_US : 0);
}

void host_say_ready(const struct instance *self, void *cookie)
{
    self->outer->ready(self->outer->ctx, cookie);
}

static void pass_ready(void *ctx, void *cookie)
{
    struct instance *self = ctx;
    struct call *call = cookie;
    call->is_awaited = 0;
    if (does(self, "hoards") && call->is_told++) {
        return;
    }
    if (does(self, "ready-in-interest") && !self->late) {
        self->late = call->cookie;
        return;
    }
    if (does(self, "ready-own-pointer")) {
        host_say_ready(self, call);
    }
    if (does(self, "ready-finished") && self->finished) {
        host_say_ready(self, self->finished);
    }
    host_say_ready(self, call->cookie);
    if (does(self, "ready-twice")) {
        host_say_ready(self, call->cookie);
    }
}

void host_init(struct instance *self)
{
    self->host = *self->outer;
    self->host.ctx = self;
    self->host.log = pass_log;
    self->host.now_us = pass_now_us;
    self->host.ready = pass_ready;
}
