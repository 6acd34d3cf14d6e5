/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out: start. */
#include "wrong.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLS_MAX = 20, BORROWED_MIN = 100 * 1024, UPLOAD_MAX = 1024 * 1024 };
enum { HTTPS_PROXY = 2 }; /* among transport-curl's settings */

/* A request that is changed, and room for that. */
struct draft {
    struct aq_request request;
    struct aq_header headers[FIELDS_MAX];
    char url[TEXT_MAX], bearer[TEXT_MAX];
};

static const struct aq_header *header_at(const struct aq_request *request, uint32_t i)
{
    return (const void *)((const char *)request->headers + (size_t)i * request->header_stride);
}

static int is_called(const struct aq_header *header, const char *name)
{
    return header->name.len == strlen(name) &&
           strncasecmp(header->name.ptr, name, header->name.len) == 0;
}

static int begins(const struct aq_str url, const char *text)
{
    return url.len >= strlen(text) && strncmp(url.ptr, text, strlen(text)) == 0;
}

static void remember(struct call *call, const struct aq_request *request)
{
    snprintf(call->url, sizeof(call->url), "%.*s", AQ_STR_ARG(request->url));
    snprintf(call->method, sizeof(call->method), "%.*s", AQ_STR_ARG(request->method));
    call->body_len = request->body.len;
    call->idle_ms = request->idle_timeout_ms;
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct aq_header *h = header_at(request, i);
        if (i == 0) {
            snprintf(call->name, sizeof(call->name), "%.*s", AQ_STR_ARG(h->name));
            snprintf(call->field, sizeof(call->field), "%.*s", AQ_STR_ARG(h->value));
        }
        if (is_called(h, "authorization")) {
            snprintf(call->bearer, sizeof(call->bearer), "%.*s", AQ_STR_ARG(h->value));
        }
    }
}

int is_for(const struct call *call, const char *path)
{
    const char *host = strstr(call->url, "//");
    const char *at = host ? strchr(host + 2, '/') : NULL;
    return at && strcmp(at, path) == 0;
}

/* ---- what it changes ---- */

static void add_field(struct draft *d, const char *name, const char *value)
{
    d->headers[d->request.header_count++] =
        (struct aq_header){ { name, strlen(name) }, { value, strlen(value) } };
}

static void change_fields(struct instance *self, struct draft *d)
{
    if (does(self, "adds-field")) {
        add_field(d, "user-agent", "wrong/1.0");
    } else if (does(self, "sends-cookies") && self->cookie[0]) {
        add_field(d, "cookie", self->cookie);
    } else if (does(self, "bearer-after-redirect") && self->bearer[0]) {
        memcpy(d->bearer, self->bearer, sizeof(d->bearer));
        add_field(d, "authorization", d->bearer);
        self->bearer[0] = '\0';
    }
}

/* "https://user@host/" without the user; blanks as '+'. */
static void change_url(const struct instance *self, struct draft *d)
{
    struct aq_str *url = &d->request.url;
    snprintf(d->url, sizeof(d->url), "%.*s", AQ_STR_ARG(*url));
    char *at = strchr(d->url, '@');
    char *blank = strchr(d->url, ' ');
    if (does(self, "strips-user") && at) {
        memmove(strstr(d->url, "//") + 2, at + 1, strlen(at));
        *url = (struct aq_str){ d->url, strlen(d->url) };
    } else if (does(self, "mends-requests") && blank) {
        *blank = '+';
        url->ptr = d->url;
    }
}

static void change_rest(const struct instance *self, struct aq_request *r)
{
    if (does(self, "delete-is-get") && begins(r->method, "DELETE")) {
        r->method = AQ_STR("GET");
    } else if (does(self, "cuts-uploads") && r->body.len > UPLOAD_MAX) {
        r->body.len = UPLOAD_MAX;
    } else if (does(self, "no-connect-timeout")) {
        r->connect_timeout_ms = 0;
    } else if (does(self, "no-first-byte-timeout")) {
        r->first_byte_timeout_ms = 0;
    } else if (does(self, "no-idle-timeout")) {
        r->idle_timeout_ms = 0;
    } else if (does(self, "no-total-timeout")) {
        r->total_timeout_ms = 0;
    } else if (does(self, "no-header-limit")) {
        r->max_header_bytes = 0;
    }
}

/* A connection to the proxy, for a request that is not to go through one. */
static void ask_proxy(const struct instance *self)
{
    const char *port = strrchr(self->values[HTTPS_PROXY].text.ptr, ':');
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons((in_port_t)strtol(port + 1, NULL, 10)),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("the proxy");
    }
    close(fd);
}

/* ---- what it refuses ---- */

static int is_here(const struct call *call)
{
    return strstr(call->url, "//localhost") || strstr(call->url, "//127.0.0.1");
}

/* NULL: nothing. */
static const char *refusal(const struct instance *self)
{
    unsigned count = 0;
    for (const struct call *call = self->calls; call; call = call->next) {
        count++;
        if (does(self, "refuses-while-unread") && call->is_unread) {
            return "another call is not read";
        }
        if (does(self, "refuses-while-stalled") && call->got && call->got < 100 &&
            !call->is_unread && !call->is_over) {
            return "another call waits for more";
        }
        if (does(self, "one-name-at-a-time") && !is_here(call)) {
            return "another name is being resolved";
        }
    }
    return does(self, "few-calls") && count >= CALLS_MAX ? "too many calls" : NULL;
}

/* ---- start ---- */

aq_status start_again(struct call *call)
{
    struct aq_error err = { 0 };
    const struct aq_request request = {
        .struct_size = sizeof(request),
        .method = { call->method, strlen(call->method) },
        .url = { call->url, strlen(call->url) },
    };
    wrong_right->transport->finish(call->right);
    call->right = NULL;
    call->is_awaited = 1;
    call->tries++;
    return wrong_right->transport->start(call->owner->right, &request, call, &call->right, &err) ==
                   AQ_OK
               ? AQ_AGAIN
               : AQ_E_NETWORK;
}

/* With all that start was given but the body, which is borrowed for too long. */
void start_deferred(struct instance *self)
{
    struct aq_error err = { 0 };
    for (struct call *call = self->calls; call; call = call->next) {
        struct aq_request *r = &call->deferred;
        const struct aq_header field = { { call->name, strlen(call->name) },
                                         { call->field, strlen(call->field) } };
        if (r->struct_size) {
            r->method = (struct aq_str){ call->method, strlen(call->method) };
            r->url = (struct aq_str){ call->url, strlen(call->url) };
            r->headers = &field;
            wrong_right->transport->start(self->right, r, call, &call->right, &err);
            r->struct_size = 0;
        }
    }
}

/* A call without an inner one; NULL: out of memory. */
static struct call *call_new(struct instance *self, const struct aq_request *given, void *cookie)
{
    struct call *call = calloc(1, sizeof(*call));
    if (call) {
        call->owner = self;
        call->cookie = cookie;
        call->is_awaited = 1;
        call->closed = wrong_closed;
        call->steps = self->steps;
        call->read_us = now_us(self);
        if (self->poison) {
            doom(call, AQ_E_NETWORK, "a connection that is of no use any more");
        }
        self->poison = 0;
        remember(call, given);
    }
    return call;
}

static aq_status start_right(struct call *call, const struct aq_request *given,
                             struct aq_error *err)
{
    struct instance *self = call->owner;
    struct draft d = { .request = *given };
    for (uint32_t i = 0; i < given->header_count; i++) {
        d.headers[i] = *header_at(given, i);
    }
    d.request.headers = d.headers;
    d.request.header_stride = sizeof(d.headers[0]);
    change_fields(self, &d);
    change_url(self, &d);
    change_rest(self, &d.request);
    if (does(self, "plain-asks-proxy") && begins(given->url, "http:") &&
        self->values[HTTPS_PROXY].text.len) {
        ask_proxy(self);
    }
    if (does(self, "borrows-requests") && given->body.len > BORROWED_MIN &&
        given->header_count < 2) {
        call->deferred = *given;
        return AQ_OK;
    }
    return wrong_right->transport->start(self->right, &d.request, call, &call->right, err);
}

aq_status wrong_start(void *ptr, const struct aq_request *given, void *cookie, void **ret_call,
                      struct aq_error *err)
{
    struct instance *self = ptr;
    const char *no = refusal(self);
    struct call *call = no ? NULL : call_new(self, given, cookie);
    if (!call || given->header_count + 1 > FIELDS_MAX) {
        free(call);
        return no ? fail_with(err, AQ_E_LIMIT, no)
                  : fail_with(err, does(self, "no-memory-is-network") ? AQ_E_NETWORK : AQ_E_NOMEM,
                              "out of memory");
    }
    if (does(self, "start-blocks")) {
        block();
    }
    aq_status st = start_right(call, given, err);
    if (st != AQ_OK) {
        free(call);
        return st;
    }
    if (does(self, "start-nothing")) {
        wrong_right->transport->finish(call->right);
        free(call);
        return AQ_OK;
    }
    call->next = self->calls;
    self->calls = call;
    *ret_call = call;
    return AQ_OK;
}
