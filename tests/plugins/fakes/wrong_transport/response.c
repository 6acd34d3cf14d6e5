/* SPDX-License-Identifier: Apache-2.0 */
/* The head of what comes back, how a call fails, and facts. */
#include "wrong.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { UPLOAD_MIN = 1024 * 1024 };

/* ---- errors ---- */

/* The status that it gives in place of the right one. */
static aq_status other_status(const struct call *call, aq_status st, const struct aq_error *err)
{
    const struct instance *self = call->owner;
    const int not_sent = (err->flags & AQ_ERROR_NOT_SENT) != 0;
    if (does(self, "tls-is-network") && st == AQ_E_TLS) {
        return AQ_E_NETWORK;
    }
    if (does(self, "broken-is-network") && st == AQ_E_PROTOCOL) {
        return AQ_E_NETWORK;
    }
    if (does(self, "decodes") && st == AQ_E_PROTOCOL && is_for(call, "/encoded")) {
        return AQ_E_TRUNCATED;
    }
    if (st == AQ_E_NETWORK &&
        ((does(self, "refused-is-timeout") && not_sent && strncmp(call->url, "http:", 5) == 0) ||
         (does(self, "no-answer-is-timeout") && !not_sent))) {
        return AQ_E_TIMEOUT;
    }
    return does(self, "status-login") && st == AQ_E_NETWORK ? AQ_E_LOGIN_NEEDED : st;
}

void doom(struct call *call, aq_status st, const char *what)
{
    call->doom = what;
    call->doom_status = st;
}

aq_status fail(struct call *call, aq_status st, struct aq_error *err)
{
    struct instance *self = call->owner;
    call->is_over = 1;
    if (does(self, "says-not-sent")) {
        err->flags |= AQ_ERROR_NOT_SENT;
    } else if (does(self, "error-shows-request")) {
        snprintf(err->text, sizeof(err->text), "%.60s: failed with %.200s", call->url, call->field);
    } else if (does(self, "error-silent")) {
        err->text[0] = '\0';
    } else if (does(self, "raises-sigpipe") && call->body_len >= UPLOAD_MIN) {
        raise(SIGPIPE);
    }
    if (does(self, "goaway-stays") && st == AQ_E_TRUNCATED &&
        call->head.protocol.len == strlen("HTTP/2")) {
        self->poison = 1;
    }
    return err->status = other_status(call, st, err);
}

/* ---- the head ---- */

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

static struct aq_str field_of(const struct aq_response *head, const char *name)
{
    const char *at = (const char *)head->headers;
    for (uint32_t i = 0; i < head->header_count; i++, at += head->header_stride) {
        struct aq_header header;
        memcpy(&header, at, sizeof(header));
        if (header.name.len == strlen(name) &&
            memcmp(header.name.ptr, name, header.name.len) == 0) {
            return header.value;
        }
    }
    return (struct aq_str){ NULL, 0 };
}

/* The fields without those of this name, and one more if there is a value. */
static void set_field(struct instance *self, struct aq_response *ret, const char *name,
                      const char *value)
{
    const char *at = (const char *)ret->headers;
    uint32_t count = 0;
    for (uint32_t i = 0; i < ret->header_count; i++, at += ret->header_stride) {
        if (count + 1 < FIELDS_MAX) {
            memcpy(&self->fields[count], at, sizeof(self->fields[0]));
            count += self->fields[count].name.len != strlen(name) ||
                     memcmp(self->fields[count].name.ptr, name, strlen(name)) != 0;
        }
    }
    if (value) {
        self->fields[count++] =
            (struct aq_header){ { name, strlen(name) }, { value, strlen(value) } };
    }
    ret->headers = self->fields;
    ret->header_count = count;
    ret->header_stride = sizeof(self->fields[0]);
}

/* Values in memory that is the next response's, too. */
static void share_head(struct instance *self, struct aq_response *ret)
{
    size_t len = 0;
    if (ret->header_count >= FIELDS_MAX) {
        return;
    }
    set_field(self, ret, "", NULL);
    for (uint32_t i = 0; i < ret->header_count; i++) {
        struct aq_str *value = &self->fields[i].value;
        if (value->len <= sizeof(self->shared) - len) {
            value->ptr = memcpy(self->shared + len, value->ptr, value->len);
            len += value->len;
        }
    }
}

static void change_head(struct call *call, struct aq_response *ret)
{
    static const struct aq_header nameless[] = { { { NULL, 3 }, AQ_STR_INIT("1") } };
    struct instance *self = call->owner;
    if (does(self, "response-interim")) {
        ret->status = 103;
    } else if (does(self, "response-nameless")) {
        ret->headers = nameless;
        ret->header_count = 1;
        ret->header_stride = sizeof(nameless[0]);
    } else if (does(self, "response-drops-field") && ret->header_count == 5) {
        ret->header_count--;
    } else if (does(self, "interim-fields-stay") && is_for(call, "/early")) {
        set_field(self, ret, "x-early", "1");
    } else if (does(self, "head-of-the-instance")) {
        share_head(self, ret);
    } else if (does(self, "says-h2") && ret->protocol.len == strlen("HTTP/2")) {
        ret->protocol = AQ_STR("h2");
    }
}

/* What of an answer is kept for the next request. */
static void keep(struct call *call, const struct aq_response *head)
{
    struct instance *self = call->owner;
    const struct aq_str cookie = field_of(head, "set-cookie");
    if (cookie.len) {
        snprintf(self->cookie, sizeof(self->cookie), "%.*s", AQ_STR_ARG(cookie));
    }
    if (head->status >= 300 && head->status < 400) {
        snprintf(self->bearer, sizeof(self->bearer), "%s", call->bearer);
    }
    if (does(self, "keeps-dead-connections") && is_for(call, "/last")) {
        self->poison = 1; /* the peer closes it */
    }
}

/* An error in place of an answer. */
static void mistake(struct call *call, const struct aq_response *head)
{
    struct instance *self = call->owner;
    if (does(self, "status-500-is-error") && head->status == 500) {
        doom(call, AQ_E_NETWORK, "the server has failed");
    } else if (does(self, "push-disturbs") && is_for(call, "/pushes") && self->pushed++) {
        doom(call, AQ_E_PROTOCOL, "a stream that nobody asked for");
    }
}

aq_status wrong_response(void *ptr, struct aq_response *ret, struct aq_error *err)
{
    struct call *call = ptr;
    const struct instance *self = call->owner;
    char location[TEXT_MAX];
    if (!call->right) {
        return AQ_AGAIN; /* it was put off */
    }
    if (call->head.status && !call->is_over && does(self, "hoards")) {
        *ret = call->head;
        return AQ_OK;
    }
    aq_status st = wrong_right->transport->response(call->right, ret, err);
    if (st == AQ_OK && !call->doom) {
        mistake(call, ret);
    }
    if (st == AQ_OK && call->doom) {
        call->is_over = 1;
        return fail_with(err, call->doom_status, call->doom);
    }
    if (st == AQ_OK) {
        call->head = *ret;
        call->is_unread = 1;
        keep(call, ret);
    }
    if (st == AQ_AGAIN) {
        call->is_awaited = 1;
        call->is_told = 0;
    } else if (st < 0 && st != AQ_E_FORKED) {
        call->doom = NULL; /* this is the end of it */
        return does(self, "retries") && st == AQ_E_NETWORK && !call->tries ? start_again(call)
                                                                           : fail(call, st, err);
    } else if (does(self, "follows-redirects") && ret->status >= 300 &&
               read_location(ret, location, sizeof(location))) {
        char *path = strchr(strstr(call->url, "//") + 2, '/');
        snprintf(path, sizeof(call->url) - (size_t)(path - call->url), "%s", location);
        return start_again(call);
    } else if (st == AQ_OK) {
        change_head(call, ret);
    }
    return st;
}

/* ---- facts ---- */

aq_status wrong_facts(void *ptr, struct aq_facts *ret)
{
    const struct call *call = ptr;
    const struct instance *self = call->owner;
    if (!call->right) {
        return AQ_E_UNSUPPORTED;
    }
    aq_status st = wrong_right->transport->facts(call->right, ret);
    if (st == AQ_OK && does(self, "facts-of-another-peer") && !ret->proxy.len) {
        ret->address = AQ_STR("192.0.2.1:443");
    } else if (st == AQ_OK && does(self, "facts-of-an-answer") && call->is_over &&
               !call->head.status) {
        ret->answered_us = 1;
    } else if (st == AQ_OK && does(self, "facts-with-user") && ret->proxy.len) {
        ret->proxy = AQ_STR("http://lab-user@127.0.0.1:1");
    }
    return st;
}
