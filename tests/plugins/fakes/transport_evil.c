/* SPDX-License-Identifier: Apache-2.0 */
/* A transport that breaks its contract in the way its setting "deed" says; "none" answers every
 * request with 200 and "body" after one step. test_contract.c has the list. */
#include <amazonq/plugin.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { CALLS_MAX = 64 };

struct evil;

struct call {
    struct evil *owner;
    void *cookie;
    int is_answered, is_read;
};

struct evil {
    const struct aq_host *host;
    const char *deed;
    int fd, other_fd;
    int asked;      /* how often for interest */
    void *finished; /* the cookie of a call that is over */
    struct call *calls[CALLS_MAX];
};

static int does(const struct evil *self, const char *deed)
{
    return strcmp(self->deed, deed) == 0;
}

static aq_status fail(struct aq_error *err, aq_status status, const char *text)
{
    strcpy(err->text, text);
    return err->status = status;
}

static void say_ready(const struct evil *self, void *cookie)
{
    self->host->ready(self->host->ctx, cookie);
}

static void wake(const struct evil *self)
{
    const uint64_t one = 1;
    if (write(self->fd, &one, sizeof(one)) < 0) {
        abort();
    }
}

static aq_status evil_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct evil made = { .host = args->host, .deed = args->values[0].text.ptr };
    if (does(&made, "open-again")) {
        return AQ_AGAIN;
    }
    if (does(&made, "open-nothing")) {
        return AQ_OK;
    }
    if (does(&made, "open-fails-with-an-instance")) {
        *ret_self = err;
        return fail(err, AQ_E_IO, "evil: no");
    }
    if (does(&made, "open-ready")) {
        say_ready(&made, &made);
    }
    struct evil *self = malloc(sizeof(*self));
    made.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    made.other_fd = does(&made, "interest-file") ? open("/dev/null", O_RDONLY | O_CLOEXEC)
                                                 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *self = made;
    *ret_self = self;
    return AQ_OK;
}

static void evil_close(void *ptr)
{
    struct evil *self = ptr;
    if (self) {
        if (does(self, "close-ready")) {
            say_ready(self, self);
        }
        close(self->fd);
        close(self->other_fd);
        free(self);
    }
}

static void evil_interest(void *ptr, struct aq_interest *ret)
{
    struct evil *self = ptr;
    int again = self->asked++ > 0;
    ret->fd = self->fd;
    if (does(self, "interest-changes") && again) {
        ret->fd = self->other_fd;
    } else if (does(self, "interest-withdraws") && again) {
        ret->fd = -1;
    } else if (does(self, "interest-file")) {
        ret->fd = self->other_fd;
    } else if (does(self, "interest-negative")) {
        ret->fd = -7;
    } else if (does(self, "interest-absurd")) {
        ret->fd = INT32_MAX;
    } else if (does(self, "interest-nothing")) {
        ret->fd = -1;
    } else if (does(self, "interest-overdue")) {
        ret->deadline_us = 1;
    } else if (does(self, "interest-ready") && again) {
        say_ready(self, self);
    }
}

static void evil_answer(const struct evil *self, struct call *call)
{
    call->is_answered = 1;
    if (does(self, "ready-never-given")) {
        say_ready(self, (void *)0x1234567);
    } else if (does(self, "ready-null")) {
        say_ready(self, NULL);
    } else if (does(self, "ready-own-pointer")) {
        say_ready(self, call);
    } else if (does(self, "ready-finished") && self->finished) {
        say_ready(self, self->finished);
    } else {
        say_ready(self, call->cookie);
    }
    if (does(self, "ready-twice")) {
        say_ready(self, call->cookie);
    }
}

static aq_status evil_step(void *ptr, struct aq_error *err)
{
    struct evil *self = ptr;
    uint64_t count;
    ssize_t ignored = read(self->fd, &count, sizeof(count));
    (void)ignored;
    if (does(self, "interest-overdue")) {
        return AQ_OK;
    }
    if (does(self, "step-slow")) {
        const struct timespec pause = { 1, 0 };
        nanosleep(&pause, NULL);
    }
    if (does(self, "step-again") || does(self, "step-positive") || does(self, "step-unknown")) {
        return does(self, "step-again") ? AQ_AGAIN : does(self, "step-positive") ? 7 : -22;
    }
    if (does(self, "step-silent")) {
        return AQ_E_NETWORK;
    }
    if (does(self, "step-fails")) {
        err->flags = AQ_ERROR_NOT_SENT; /* of one call, who knows which */
        return fail(err, AQ_E_NETWORK, "evil: lost everything");
    }
    for (int i = 0; i < CALLS_MAX; i++) {
        if (self->calls[i] && !self->calls[i]->is_answered) {
            evil_answer(self, self->calls[i]);
        }
    }
    return AQ_OK;
}

static aq_status evil_start(void *ptr, const struct aq_request *request, void *cookie,
                            void **ret_call, struct aq_error *err)
{
    struct evil *self = ptr;
    (void)request;
    if (does(self, "start-again") || does(self, "start-unknown")) {
        return does(self, "start-again") ? AQ_AGAIN : -999;
    }
    if (does(self, "start-nothing")) {
        return AQ_OK;
    }
    if (does(self, "start-fails-with-a-call")) {
        *ret_call = err;
        return fail(err, AQ_E_NETWORK, "evil: no");
    }
    struct call *call = calloc(1, sizeof(*call));
    int at = 0;
    while (self->calls[at]) {
        at++;
    }
    call->owner = self;
    call->cookie = cookie;
    self->calls[at] = call;
    *ret_call = call;
    if (does(self, "start-ready")) {
        say_ready(self, cookie);
    }
    if (does(self, "start-put")) {
        self->host->put(self->host->ctx, call, AQ_STR("k"), (struct aq_bytes){ NULL, 0 });
    }
    wake(self);
    return AQ_OK;
}

static aq_status evil_response(void *ptr, struct aq_response *ret, struct aq_error *err)
{
    static const struct aq_header good[] = { { AQ_STR_INIT("a"), AQ_STR_INIT("1") } };
    static const struct aq_header no_name[] = { { { NULL, 3 }, AQ_STR_INIT("1") } };
    static const struct aq_header no_value[] = { { AQ_STR_INIT("a"), { NULL, 3 } } };
    static const struct aq_header long_name[] = { { { "a", (size_t)-1 }, AQ_STR_INIT("1") } };
    static const struct aq_header long_value[] = { { AQ_STR_INIT("a"), { "1", (size_t)-1 } } };
    struct call *call = ptr;
    const struct evil *self = call->owner;
    (void)err;
    if (!call->is_answered) {
        return AQ_AGAIN;
    }
    ret->status = does(self, "response-interim")    ? 101
                  : does(self, "response-negative") ? -200
                  : does(self, "response-absurd")   ? 600
                                                    : 200;
    ret->headers = does(self, "response-null")         ? NULL
                   : does(self, "response-no-name")    ? no_name
                   : does(self, "response-no-value")   ? no_value
                   : does(self, "response-long-name")  ? long_name
                   : does(self, "response-long-value") ? long_value
                                                       : good;
    ret->header_count = does(self, "response-many") ? UINT32_MAX : 1;
    ret->header_stride = does(self, "response-stride") ? 1 : sizeof(good[0]);
    ret->protocol = does(self, "response-protocol") ? (struct aq_str){ NULL, 8 } : AQ_STR("x");
    return does(self, "response-end") ? AQ_END : does(self, "response-unknown") ? 3 : AQ_OK;
}

static aq_status evil_read(void *ptr, uint8_t *buf, size_t cap, size_t *ret_len,
                           struct aq_error *err)
{
    struct call *call = ptr;
    const struct evil *self = call->owner;
    (void)err;
    if (call->is_read) {
        return AQ_END;
    }
    call->is_read = 1;
    memcpy(buf, "body", 4);
    *ret_len = does(self, "read-nothing")    ? 0
               : does(self, "read-too-much") ? cap + 1
               : does(self, "read-negative") ? (size_t)-1
                                             : 4;
    if (does(self, "read-ready")) {
        say_ready(self, call->cookie);
    }
    return does(self, "read-unknown") ? 3 : does(self, "read-login") ? AQ_E_LOGIN_NEEDED : AQ_OK;
}

static void evil_finish(void *ptr)
{
    struct call *call = ptr;
    struct evil *self = call->owner;
    for (int i = 0; i < CALLS_MAX; i++) {
        if (self->calls[i] == call) {
            self->calls[i] = NULL;
        }
    }
    self->finished = call->cookie;
    if (does(self, "finish-ready")) {
        say_ready(self, call->cookie);
    }
    free(call);
}

static const struct aq_setting settings[] = {
    { .key = "deed", .type = AQ_SETTING_STRING, .default_value = "none" },
};

static const struct aq_transport_ops ops = {
    AQ_TRANSPORT_OPS,          .open = evil_open, .close = evil_close,
    .interest = evil_interest, .step = evil_step, .start = evil_start,
    .response = evil_response, .read = evil_read, .finish = evil_finish,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    AQ_PLUGIN_SETTINGS(settings),
    .kind = AQ_PLUGIN_TRANSPORT,
    .name = "evil",
    .version = "1",
    .transport = &ops,
};

AQ_PLUGIN(plugin)
