/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    OVERDUE_MAX = 1000,
    RESTLESS_STEPS = 20000,
    QUIET_ROUNDS = 3,
    QUIET_MS = 10,
};

/* A second is what the host puts into its log. */
static const struct call open_call = { "open", 0, NULL, AQ_OK, AQ_E_LIMIT, AQ_OK };
static const struct call close_call = {
    "close", 1000, "transport.close.prompt", AQ_OK, AQ_OK, AQ_OK
};
static const struct call interest_call = { "interest", 1000,  "transport.interest.prompt",
                                           AQ_OK,      AQ_OK, AQ_OK };
static const struct call step_call = { "step", 1000,       "transport.step.never-blocks",
                                       AQ_OK,  AQ_E_LIMIT, AQ_OK };

/* ---- the instance ---- */

static uint64_t client_now_us(const struct client *c)
{
    return trial_now_us() + c->witness.ahead_us;
}

/* Cookies are numbers that count up, so that one which was never given is told from one whose call
 * is finished. */
#define FIRST_COOKIE UINT64_C(0x5eed0000)
enum { COOKIE_STRIDE = 64 };
static uintptr_t next_cookie = FIRST_COOKIE;

uintptr_t client_cookie(void)
{
    next_cookie += COOKIE_STRIDE;
    return next_cookie - COOKIE_STRIDE;
}

static void client_ready(struct witness *w, void *cookie)
{
    struct client *c = w->user;
    const uintptr_t number = (uintptr_t)cookie;
    struct exchange *e = c->exchanges;
    c->said++;
    if (w->inside != &step_call) {
        trial_breach(w->trial, "transport.ready.inside-step",
                     "ready was called inside %s; only step says ready, the others make the "
                     "descriptor readable",
                     w->inside->function);
    }
    while (e && e->cookie != number) {
        e = e->next;
    }
    if (!e && number >= FIRST_COOKIE && number < next_cookie &&
        number % COOKIE_STRIDE == FIRST_COOKIE % COOKIE_STRIDE) {
        trial_breach(w->trial, "transport.ready.after-finish",
                     "ready was called for a call that had been finished; finish forgets it");
    } else if (!e) {
        trial_breach(w->trial, "transport.ready.cookie",
                     "ready was called with %p, which no start was given as its cookie", cookie);
    } else if (e->news || e->over) {
        trial_breach(w->trial, "transport.ready.once",
                     "ready was called twice for %s, which had not been read down to AQ_AGAIN in "
                     "between",
                     e->url);
    } else {
        e->news = true;
    }
}

aq_status client_try_open(struct client *c, struct scene *s)
{
    struct trial *t = s->trial;
    *c = (struct client){ .trial = t, .scene = s, .ops = &t->plugin->transport, .fd = -1 };
    if (trial_declares(t, "ca_bundle") && !trial_setting(t, "ca_bundle")) {
        trial_set(t, "ca_bundle", s->lab.ca_bundle);
    }
    witness_init(&c->witness, t);
    c->witness.user = c;
    c->witness.on_ready = client_ready;
    witness_enter(&c->witness, &open_call);
    return witness_leave(&c->witness, &open_call,
                         c->ops->open(&c->witness.args, &c->self, &c->witness.err));
}

void client_open(struct client *c, struct scene *s)
{
    if (client_try_open(c, s) != AQ_OK) {
        trial_break_off(c->trial, "transport.open", "%s", c->witness.err.text);
    }
    if (!c->self) {
        trial_break_off(c->trial, "transport.open", "open returned AQ_OK without an instance");
    }
}

void client_close(struct client *c)
{
    while (c->exchanges) {
        exchange_finish(c->exchanges);
    }
    witness_enter(&c->witness, &close_call);
    c->ops->close(c->self);
    witness_leave_void(&c->witness, &close_call);
    c->self = NULL;
    witness_done(&c->witness);
}

/* It has to be one that any loop can wait for: files are not. */
static void client_check_fd(const struct client *c)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        trial_break_off(c->trial, "transport.interest.pollable",
                        "interest gave the descriptor %d, which cannot be waited for: %s; give an "
                        "epoll, an eventfd, a socket or a pipe",
                        c->fd, strerror(errno));
    }
    close(epoll);
}

static bool client_is_awaited(const struct client *c)
{
    const struct exchange *e = c->exchanges;
    while (e && (e->news || e->over)) {
        e = e->next;
    }
    return e != NULL;
}

void client_interest(struct client *c)
{
    struct aq_interest interest = { .fd = -1, .deadline_us = UINT64_MAX };
    witness_enter(&c->witness, &interest_call);
    c->ops->interest(c->self, &interest);
    witness_leave_void(&c->witness, &interest_call);
    if (interest.fd < -1) {
        trial_break_off(c->trial, "transport.interest.pollable",
                        "interest gave the descriptor %d; without one it is -1", interest.fd);
    }
    if (c->fd >= 0 && interest.fd != c->fd) {
        trial_breach(c->trial, "transport.interest.same-descriptor",
                     "interest gave the descriptor %d after %d; it is the same until close, an "
                     "epoll of your own can hold those that change",
                     interest.fd, c->fd);
    } else if (c->fd < 0 && interest.fd >= 0) {
        c->fd = interest.fd;
        client_check_fd(c);
    }
    if (interest.fd < 0 && interest.deadline_us == UINT64_MAX && client_is_awaited(c)) {
        trial_break_off(c->trial, "transport.interest.pollable",
                        "interest gave neither a descriptor nor a deadline while a call waits");
    }
    c->deadline_us = interest.deadline_us;
}

bool client_is_readable(const struct client *c)
{
    struct pollfd poller = { .fd = c->fd, .events = POLLIN };
    return c->fd >= 0 && poll(&poller, 1, 0) > 0;
}

aq_status client_step(struct client *c)
{
    const uint64_t began_us = client_now_us(c);
    c->overdue = c->deadline_us <= c->stepped_us ? c->overdue + 1 : 0;
    if (c->overdue > OVERDUE_MAX) {
        trial_break_off(c->trial, "transport.interest.deadline",
                        "interest gave a deadline that had passed %d times in a row; a step does "
                        "what was due, and the next deadline is later, or UINT64_MAX",
                        OVERDUE_MAX);
    }
    c->stepped_us = began_us;
    c->steps++;
    witness_enter(&c->witness, &step_call);
    return witness_leave(&c->witness, &step_call, c->ops->step(c->self, &c->witness.err));
}

bool client_wait(struct client *c, int timeout_ms)
{
    const unsigned before = c->said;
    int wait_ms = timeout_ms;
    client_interest(c);
    if (c->said != before) {
        return true; /* by a transport that should have waited for step */
    }
    if (c->deadline_us != UINT64_MAX) {
        const uint64_t now_us = client_now_us(c);
        const uint64_t left_ms =
            c->deadline_us > now_us ? (c->deadline_us - now_us + 999) / 1000 : 0;
        wait_ms = left_ms < (uint64_t)timeout_ms ? (int)left_ms : timeout_ms;
    }
    struct pollfd poller = { .fd = c->fd, .events = POLLIN };
    const bool readable = poll(&poller, 1, wait_ms) > 0;
    if (!readable && client_now_us(c) < c->deadline_us) {
        return false;
    }
    if (client_step(c) != AQ_OK && !c->may_fail) {
        trial_fail(c->trial, "step failed, so every call of the instance did: %s",
                   c->witness.err.text);
    }
    return true;
}

void client_settle(struct client *c, int quiet_ms)
{
    const unsigned before = c->steps;
    while (client_wait(c, quiet_ms)) {
        if (c->steps - before > RESTLESS_STEPS) {
            trial_break_off(c->trial,
                            c->exchanges ? "transport.interest.rests-with-calls"
                                         : "transport.interest.rests-without-calls",
                            "%d steps were asked for and there was no rest; make the descriptor "
                            "readable only while there is work",
                            RESTLESS_STEPS);
        }
        for (struct exchange *e = c->exchanges; e; e = e->next) {
            if (e->news && !e->over && !e->stop_reading) {
                exchange_pull(e);
            }
        }
    }
}

void client_settle_both(struct client *c)
{
    for (int quiet = 0; quiet < QUIET_ROUNDS;) {
        const unsigned before = c->steps;
        client_settle(c, QUIET_MS);
        lab_round(&c->scene->lab);
        quiet = c->steps == before ? quiet + 1 : 0;
    }
}

void client_advance(struct client *c, uint32_t ms)
{
    c->witness.ahead_us += (uint64_t)ms * 1000u;
    client_settle(c, 1);
}
