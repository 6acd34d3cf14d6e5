/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instance of the transport, used as the host uses it: it waits on the descriptor and the
 * deadline and on nothing else, and steps. Meanwhile it watches over what holds at all times
 * (always.c), and forgives it, so that each clause judges its own matter.
 */
#ifndef CONFORMANCE_CLIENT_H
#define CONFORMANCE_CLIENT_H

#include "scene.h"
#include "witness.h"

struct exchange;

struct client {
    struct trial *trial;
    struct scene *scene;
    struct witness witness;
    const struct aq_transport_ops *ops;
    void *self;
    int32_t fd; /* as interest said */
    uint64_t deadline_us;
    uint64_t stepped_us; /* when the last step began */
    unsigned overdue;    /* steps in a row that were due before the one before */
    unsigned steps;
    unsigned said;              /* times that ready was called */
    struct exchange *exchanges; /* under way */
    bool is_probe;              /* finding out what it speaks */
    bool may_fail;              /* a step that fails ends the calls, not the clause */
};

void client_open(struct client *c, struct scene *s);
aq_status client_try_open(struct client *c, struct scene *s);
void client_close(struct client *c);

/* Ask what to wait for. */
void client_interest(struct client *c);
bool client_is_readable(const struct client *c);

/* Wait for at most so long, then step if it is due. False: it was not. */
bool client_wait(struct client *c, int timeout_ms);
aq_status client_step(struct client *c);

/* Go on until nothing was due for so long. */
void client_settle(struct client *c, int quiet_ms);

/* Go on until the lab, too, has nothing more to do: it waits for this side, or is through. */
void client_settle_both(struct client *c);

/* Let the host's clock, and no other, move on. */
void client_advance(struct client *c, uint32_t ms);

/* A cookie that was not given before. */
uintptr_t client_cookie(void);

#endif
