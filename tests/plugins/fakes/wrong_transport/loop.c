/* SPDX-License-Identifier: Apache-2.0 */
/* What the host is to wait for, and steps. */
#include "wrong.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BLOCK_MS = 2300, HIDDEN_US = 50000 };

static jmp_buf way_out;

/* ---- a descriptor behind which transport-curl's can be hidden ---- */

static void show(struct instance *self, int op)
{
    struct aq_interest interest = { .fd = -1 };
    struct epoll_event event = { .events = EPOLLIN };
    wrong_right->transport->interest(self->right, &interest);
    epoll_ctl(self->other_fd, op, interest.fd, &event);
}

static void hide_after_start(struct instance *self, struct aq_interest *ret)
{
    if (self->other_fd < 0) {
        self->other_fd = epoll_create1(EPOLL_CLOEXEC);
        show(self, EPOLL_CTL_ADD);
    }
    if (self->calls && !self->asked++) { /* the first one */
        self->hidden_until = now_us(self) + HIDDEN_US;
        show(self, EPOLL_CTL_DEL);
    }
    ret->fd = self->other_fd;
    ret->deadline_us = self->hidden_until ? self->hidden_until : ret->deadline_us;
}

/* ---- interest ---- */

/* Another descriptor than transport-curl's. */
static void change_fd(struct instance *self, struct aq_interest *ret)
{
    if (does(self, "interest-changes") && self->asked++ % 2) {
        self->other_fd = self->other_fd < 0 ? fcntl(ret->fd, F_DUPFD_CLOEXEC, 0) : self->other_fd;
        ret->fd = self->other_fd;
    } else if (does(self, "interest-file")) {
        self->other_fd =
            self->other_fd < 0 ? open("/dev/zero", O_RDONLY | O_CLOEXEC) : self->other_fd;
        ret->fd = self->other_fd;
    } else if (does(self, "interest-nothing")) {
        ret->fd = -1;
    } else if (does(self, "start-sleeps")) {
        hide_after_start(self, ret);
    }
}

static void change_deadline(struct instance *self, struct aq_interest *ret)
{
    if (does(self, "interest-overdue") && self->calls) {
        ret->deadline_us = 1;
    } else if ((does(self, "interest-busy") && self->calls) ||
               (does(self, "eager") && !self->steps) ||
               (does(self, "restless") && self->steps && !self->calls)) {
        ret->deadline_us = now_us(self);
    }
    for (const struct call *call = self->calls; call; call = call->next) {
        if (call->deferred.struct_size) {
            ret->deadline_us = now_us(self);
        }
    }
}

void wrong_interest(void *ptr, struct aq_interest *ret)
{
    struct instance *self = ptr;
    wrong_right->transport->interest(self->right, ret);
    change_fd(self, ret);
    change_deadline(self, ret);
    if (does(self, "interest-blocks")) {
        block();
    } else if (self->late) {
        host_say_ready(self, self->late);
        self->late = NULL;
    } else if (does(self, "longjmp")) {
        setjmp(way_out); /* a step comes back here */
    }
}

/* ---- step ---- */

/* Wait for its answer, which is soon there. */
static void wait_for_answer(struct instance *self)
{
    static int done;
    struct aq_interest interest = { .fd = -1 };
    wrong_right->transport->interest(self->right, &interest);
    struct pollfd poller = { .fd = interest.fd, .events = POLLIN };
    done += done || poll(&poller, 1, BLOCK_MS) == 0;
}

aq_status wrong_step(void *ptr, struct aq_error *err)
{
    struct instance *self = ptr;
    if (does(self, "forgets-fork") && self->pid != getpid()) {
        return AQ_OK;
    }
    self->steps++;
    self->finished_unstepped = 0;
    start_deferred(self);
    if (self->hidden_until && now_us(self) >= self->hidden_until) {
        self->hidden_until = 0;
        show(self, EPOLL_CTL_ADD);
    }
    aq_status st = wrong_right->transport->step(self->right, err);
    for (struct call *call = self->calls; call; call = call->next) {
        if (does(self, "step-blocks") && call->is_awaited) {
            wait_for_answer(self);
        }
        if (does(self, "hoards") && !call->is_over) {
            hoard(call);
        }
    }
    if (does(self, "step-status")) {
        return AQ_AGAIN;
    }
    if (does(self, "longjmp")) {
        longjmp(way_out, 1);
    }
    return st;
}
