/* SPDX-License-Identifier: Apache-2.0 */
/* transport-curl, except for what the setting "deed" says: for those who have to notice.
 * tests/conformance/test_wrong_transports.py has the list. */
#include <amazonq/plugin.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SETTINGS_MAX = 32, TEXT_MAX = 256, HOARD_PIECE = 65536, BLOCK_MS = 2300, FIELDS_MAX = 40 };
enum { HTTPS_PROXY = 2 }; /* among transport-curl's settings */

static const struct aq_plugin *right; /* transport-curl */
static const struct aq_host *closed_host;
static jmp_buf way_out;

struct call {
    struct call *next;
    struct instance *owner;
    void *right;
    void *cookie;
    int is_awaited, is_told, is_over, reads, tries;
    struct aq_response head;                         /* status 0: not yet */
    char url[TEXT_MAX], method[16], field[TEXT_MAX]; /* as start was given them */
    uint8_t *hoard;
    size_t hoard_len, hoard_at, hoard_room;
    aq_status hoard_end;
};

struct instance {
    struct aq_host host; /* what transport-curl sees; ctx is this */
    struct aq_open_args args;
    struct aq_setting_value values[SETTINGS_MAX];
    const struct aq_host *outer;
    const char *deed;
    void *right;
    struct call *calls;
    void *finished, *late; /* cookies */
    int other_fd, asked;
    pid_t pid;
};

static int does(const struct instance *self, const char *deed)
{
    return strcmp(self->deed, deed) == 0;
}

static void block(void)
{
    static int done;
    const struct timespec pause = { BLOCK_MS / 1000, BLOCK_MS % 1000 * 1000000 };
    if (!done++) {
        nanosleep(&pause, NULL);
    }
}

/* ---- the host, as transport-curl sees it ---- */

static void pass_log(void *ctx, int32_t level, struct aq_str line)
{
    const struct instance *self = ctx;
    self->outer->log(self->outer->ctx, level, line);
}

static uint64_t pass_now_us(void *ctx)
{
    const struct instance *self = ctx;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return does(self, "own-clock") ? (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u
                                   : self->outer->now_us(self->outer->ctx);
}

static void say_ready(const struct instance *self, void *cookie)
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
        say_ready(self, call);
    }
    if (does(self, "ready-finished") && self->finished) {
        say_ready(self, self->finished);
    }
    say_ready(self, call->cookie);
    if (does(self, "ready-twice")) {
        say_ready(self, call->cookie);
    }
}

/* ---- the instance ---- */

static aq_status wrong_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct instance *self = calloc(1, sizeof(*self));
    const struct aq_setting_value *deed =
        (const void *)((const char *)args->values +
                       (size_t)right->setting_count * args->value_stride);
    if (!self) {
        strcpy(err->text, "transport wrong: out of memory");
        return err->status = AQ_E_NOMEM;
    }
    self->outer = args->host;
    self->deed = deed->text.ptr;
    self->pid = getpid();
    self->other_fd = -1;
    self->host = *args->host;
    self->host.ctx = self;
    self->host.log = pass_log;
    self->host.now_us = pass_now_us;
    self->host.ready = pass_ready;
    self->args = *args;
    self->args.value_count = right->setting_count;
    self->args.values =
        memcpy(self->values, args->values, right->setting_count * args->value_stride);
    const char *proxy = getenv("HTTPS_PROXY");
    if (does(self, "no-proxy-at-all")) {
        self->values[HTTPS_PROXY].text.len = 0;
    } else if (does(self, "proxy-of-the-environment") && proxy) {
        self->values[HTTPS_PROXY].text = (struct aq_str){ proxy, strlen(proxy) };
    }
    self->args.host = &self->host;
    if (does(self, "calls-after-close") && closed_host) {
        closed_host->log(closed_host->ctx, AQ_LOG_INFO, AQ_STR("from the instance before"));
    } else if (does(self, "changes-signals")) {
        signal(SIGPIPE, SIG_IGN);
    } else if (does(self, "leaks-descriptor")) {
        open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    aq_status st = right->transport->open(&self->args, &self->right, err);
    if (st != AQ_OK) {
        free(self);
        return st;
    }
    if (does(self, "open-nothing")) {
        right->transport->close(self->right);
        free(self);
        return AQ_OK;
    }
    *ret_self = self;
    return AQ_OK;
}

static void wrong_close(void *ptr)
{
    struct instance *self = ptr;
    if (self) {
        closed_host = self->outer;
        right->transport->close(self->right);
        if (self->other_fd >= 0) {
            close(self->other_fd);
        }
        if (!does(self, "leaks-memory")) {
            free(self);
        }
    }
}

static void wrong_interest(void *ptr, struct aq_interest *ret)
{
    struct instance *self = ptr;
    right->transport->interest(self->right, ret);
    if (does(self, "interest-changes") && self->asked++ % 2) {
        self->other_fd = self->other_fd < 0 ? fcntl(ret->fd, F_DUPFD_CLOEXEC, 0) : self->other_fd;
        ret->fd = self->other_fd;
    } else if (does(self, "interest-overdue") && self->calls) {
        ret->deadline_us = 1;
    } else if (does(self, "interest-busy") && self->calls) {
        ret->deadline_us = self->outer->now_us(self->outer->ctx);
    } else if (does(self, "interest-file")) {
        self->other_fd =
            self->other_fd < 0 ? open("/dev/zero", O_RDONLY | O_CLOEXEC) : self->other_fd;
        ret->fd = self->other_fd;
    } else if (does(self, "interest-nothing")) {
        ret->fd = -1;
    } else if (self->late) {
        say_ready(self, self->late);
        self->late = NULL;
    } else if (does(self, "longjmp")) {
        setjmp(way_out); /* a step comes back here */
    }
}

/* Take all there is, whether anybody reads it or not. */
static void hoard(struct call *call)
{
    struct aq_error err = { 0 };
    struct aq_response head = { .struct_size = sizeof(head) };
    size_t len = 0;
    if (call->hoard_end || right->transport->response(call->right, &head, &err) != AQ_OK) {
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
        call->hoard_end = right->transport->read(call->right, call->hoard + call->hoard_len,
                                                 HOARD_PIECE, &len, &err);
        call->hoard_len += call->hoard_end == AQ_OK ? len : 0;
    } while (call->hoard_end == AQ_OK);
    call->hoard_end = call->hoard_end == AQ_AGAIN ? 0 : call->hoard_end;
}

static aq_status wrong_step(void *ptr, struct aq_error *err)
{
    struct instance *self = ptr;
    struct aq_interest interest = { .fd = -1 };
    if (does(self, "forgets-fork") && self->pid != getpid()) {
        return AQ_OK;
    }
    aq_status st = right->transport->step(self->right, err);
    for (struct call *call = self->calls; call; call = call->next) {
        if (does(self, "step-blocks") && call->is_awaited) {
            static int done;
            right->transport->interest(self->right, &interest);
            struct pollfd poller = { .fd = interest.fd, .events = POLLIN };
            done += done || poll(&poller, 1, BLOCK_MS) == 0; /* an answer is soon there */
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

/* ---- calls ---- */

static const struct aq_header *header_at(const struct aq_request *request, uint32_t i)
{
    return (const void *)((const char *)request->headers + (size_t)i * request->header_stride);
}

static void remember(struct call *call, const struct aq_request *request)
{
    snprintf(call->url, sizeof(call->url), "%.*s", AQ_STR_ARG(request->url));
    snprintf(call->method, sizeof(call->method), "%.*s", AQ_STR_ARG(request->method));
    if (request->header_count) {
        snprintf(call->field, sizeof(call->field), "%.*s",
                 AQ_STR_ARG(header_at(request, 0)->value));
    }
}

/* The same call anew, without its fields and its body. */
static aq_status start_again(struct call *call)
{
    struct aq_error err = { 0 };
    const struct aq_request request = {
        .struct_size = sizeof(request),
        .method = { call->method, strlen(call->method) },
        .url = { call->url, strlen(call->url) },
    };
    right->transport->finish(call->right);
    call->right = NULL;
    call->is_awaited = 1;
    call->tries++;
    return right->transport->start(call->owner->right, &request, call, &call->right, &err) == AQ_OK
               ? AQ_AGAIN
               : AQ_E_NETWORK;
}

static aq_status wrong_start(void *ptr, const struct aq_request *given, void *cookie,
                             void **ret_call, struct aq_error *err)
{
    struct instance *self = ptr;
    struct aq_request request = *given;
    struct aq_header headers[FIELDS_MAX];
    struct call *call = calloc(1, sizeof(*call));
    if (!call || given->header_count + 1 > FIELDS_MAX) {
        free(call);
        strcpy(err->text, "transport wrong: out of memory");
        return err->status = AQ_E_NOMEM;
    }
    if (does(self, "adds-field")) {
        for (uint32_t i = 0; i < given->header_count; i++) {
            headers[i] = *header_at(given, i);
        }
        headers[request.header_count++] =
            (struct aq_header){ AQ_STR_INIT("user-agent"), AQ_STR_INIT("wrong/1.0") };
        request.headers = headers;
        request.header_stride = sizeof(headers[0]);
    } else if (does(self, "no-total-timeout")) {
        request.total_timeout_ms = 0;
    } else if (does(self, "no-header-limit")) {
        request.max_header_bytes = 0;
    }
    call->owner = self;
    call->cookie = cookie;
    call->is_awaited = 1;
    remember(call, given);
    aq_status st = right->transport->start(self->right, &request, call, &call->right, err);
    if (st != AQ_OK) {
        free(call);
        return st;
    }
    if (does(self, "start-nothing")) {
        right->transport->finish(call->right);
        free(call);
        return AQ_OK;
    }
    call->next = self->calls;
    self->calls = call;
    *ret_call = call;
    return AQ_OK;
}

/* What a failed call says. */
static aq_status fail(struct call *call, aq_status st, struct aq_error *err)
{
    const struct instance *self = call->owner;
    call->is_over = 1;
    if (does(self, "says-not-sent")) {
        err->flags |= AQ_ERROR_NOT_SENT;
    } else if (does(self, "error-shows-request")) {
        snprintf(err->text, sizeof(err->text), "%.60s: failed with %.200s", call->url, call->field);
    } else if (does(self, "error-silent")) {
        err->text[0] = '\0';
    } else if (does(self, "status-login") && st == AQ_E_NETWORK) {
        return err->status = AQ_E_LOGIN_NEEDED;
    } else if (does(self, "tls-is-network") && st == AQ_E_TLS) {
        return err->status = AQ_E_NETWORK;
    }
    return st;
}

/* The path that a redirect leads to, if it is on the same server. */
static int read_location(const struct aq_response *head, char *ret, size_t cap)
{
    const char *at = (const char *)head->headers;
    for (uint32_t i = 0; i < head->header_count; i++, at += head->header_stride) {
        struct aq_header header;
        memcpy(&header, at, sizeof(header));
        if (header.name.len == 8 && memcmp(header.name.ptr, "location", 8) == 0 &&
            header.value.len && header.value.ptr[0] == '/') {
            snprintf(ret, cap, "%.*s", AQ_STR_ARG(header.value));
            return 1;
        }
    }
    return 0;
}

static aq_status wrong_response(void *ptr, struct aq_response *ret, struct aq_error *err)
{
    static const struct aq_header nameless[] = { { { NULL, 3 }, AQ_STR_INIT("1") } };
    struct call *call = ptr;
    const struct instance *self = call->owner;
    char location[TEXT_MAX];
    if (call->head.status && !call->is_over && does(self, "hoards")) {
        *ret = call->head;
        return AQ_OK;
    }
    aq_status st = right->transport->response(call->right, ret, err);
    if (st == AQ_OK) {
        call->head = *ret;
    }
    if (st == AQ_AGAIN) {
        call->is_awaited = 1;
        call->is_told = 0;
    } else if (st < 0 && st != AQ_E_FORKED) {
        return does(self, "retries") && st == AQ_E_NETWORK && !call->tries ? start_again(call)
                                                                           : fail(call, st, err);
    } else if (does(self, "follows-redirects") && ret->status >= 300 &&
               read_location(ret, location, sizeof(location))) {
        char *path = strchr(strstr(call->url, "//") + 2, '/');
        snprintf(path, sizeof(call->url) - (size_t)(path - call->url), "%s", location);
        return start_again(call);
    } else if (does(self, "response-interim")) {
        ret->status = 103;
    } else if (does(self, "response-nameless")) {
        ret->headers = nameless;
        ret->header_count = 1;
        ret->header_stride = sizeof(nameless[0]);
    } else if (does(self, "response-drops-field") && ret->header_count == 5) {
        ret->header_count--;
    }
    return st;
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

static aq_status wrong_read(void *ptr, uint8_t *buf, size_t cap, size_t *ret_len,
                            struct aq_error *err)
{
    struct call *call = ptr;
    const struct instance *self = call->owner;
    if (call->hoard_at < call->hoard_len) {
        return read_hoard(call, buf, cap, ret_len);
    }
    if (does(self, "read-nothing") && call->head.status && call->reads++ == 0) {
        *ret_len = 0;
        return AQ_OK;
    }
    if (does(self, "read-end-once") && call->is_over) {
        return AQ_AGAIN;
    }
    aq_status st = right->transport->read(call->right, buf, cap, ret_len, err);
    if (st == AQ_AGAIN) {
        call->is_awaited = 1;
        call->is_told = 0;
    } else if (st == AQ_OK && *ret_len == cap && does(self, "read-too-much")) {
        *ret_len = cap + 1;
    } else if (st == AQ_OK && *ret_len == cap && does(self, "read-negative")) {
        *ret_len = (size_t)-1;
    } else if (st == AQ_E_TRUNCATED && call->head.status && does(self, "cut-is-end")) {
        st = AQ_END;
    } else if (st < 0 && st != AQ_E_FORKED) {
        st = fail(call, st, err);
    }
    call->is_over |= st == AQ_END;
    return st;
}

static void wrong_finish(void *ptr)
{
    struct call *call = ptr;
    if (!call) {
        return;
    }
    struct instance *self = call->owner;
    struct call **at = &self->calls;
    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
    self->finished = call->cookie;
    self->late = self->late == call->cookie ? NULL : self->late;
    if (does(self, "finish-blocks")) {
        block();
    }
    right->transport->finish(call->right);
    free(call->hoard);
    free(call);
}

/* ---- the descriptor: transport-curl's with one more setting ---- */

static const struct aq_transport_ops ops = {
    AQ_TRANSPORT_OPS,           .open = wrong_open, .close = wrong_close,
    .interest = wrong_interest, .step = wrong_step, .start = wrong_start,
    .response = wrong_response, .read = wrong_read, .finish = wrong_finish,
};

AQ_PLUGIN_EXPORT const struct aq_plugin *aq_plugin_v1(void)
{
    static struct aq_setting settings[SETTINGS_MAX];
    static struct aq_plugin plugin;
    void *so = dlopen(AQ_TEST_TRANSPORT_CURL, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *entry = so ? dlsym(so, "aq_plugin_v1") : NULL;
    aq_plugin_v1_fn describe;
    if (!entry) {
        return NULL;
    }
    memcpy(&describe, &entry, sizeof(describe));
    right = describe();
    memcpy(settings, right->settings, right->setting_count * sizeof(settings[0]));
    settings[right->setting_count] = (struct aq_setting){
        .key = "deed",
        .type = AQ_SETTING_STRING,
        .default_value = "none",
        .env = "AQ_TEST_DEED",
        .help = "what to do wrong",
    };
    plugin = *right;
    plugin.name = "wrong";
    plugin.summary = "a transport with one fault";
    plugin.settings = settings;
    plugin.setting_count++;
    plugin.transport = &ops;
    return &plugin;
}
