/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1, and the proxy's CONNECT, from the server's side. */
#include "reply.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 256 * 1024 };

struct http1 {
    struct lab_seen *seen; /* the request under way; NULL between two */
    uint64_t body_left;
    struct reply reply; /* answer is NULL: none */
};

static struct http1 *session_of(struct connection *c)
{
    if (!c->session) {
        c->session = calloc(1, sizeof(struct http1));
    }
    return c->session;
}

static void http1_free(struct connection *c)
{
    free(c->session);
}

/* ---- requests ---- */

/* "METHOD TARGET HTTP/1.1\r\nName: value\r\n...", NUL-terminated. False: it is something else. */
static bool read_head(struct lab_seen *seen, char *head)
{
    size_t len = 0;
    char *line = strstr(head, "\r\n");
    if (!line || sscanf(head, "%15s %159s HTTP/1.%*1[01]", seen->method, seen->target) != 2) {
        return false;
    }
    for (line += 2; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t line_len = strcspn(line, "\r\n");
        if (line_len && len + line_len + 2 < sizeof(seen->head)) {
            memcpy(seen->head + len, line, line_len);
            len += line_len;
            seen->head[len++] = '\n';
        }
    }
    return true;
}

/* Take a head from `in`. False: it is not complete. */
static bool take_head(struct connection *c, struct lab_seen **ret)
{
    uint8_t *end = c->in.len ? memmem(c->in.at, c->in.len, "\r\n\r\n", 4) : NULL;
    if (!end) {
        c->reset = c->in.len > HEAD_MAX;
        return false;
    }
    *ret = server_note(c);
    end[2] = '\0';
    if (!read_head(*ret, (char *)c->in.at)) {
        c->reset = true;
        return false;
    }
    atomic_fetch_add(&c->server->record->count, 1);
    bytes_take(&c->in, (size_t)(end + 4 - c->in.at));
    return true;
}

static void take_body(struct connection *c, struct http1 *h)
{
    const size_t len = h->body_left < c->in.len ? (size_t)h->body_left : c->in.len;
    h->seen->body_sum = lab_sum(h->seen->body_sum, c->in.at, len);
    h->seen->body_len += len;
    h->body_left -= len;
    bytes_take(&c->in, len);
}

/* ---- answers ---- */

static void write_fields(struct bytes *out, const char *fields)
{
    while (fields && *fields) {
        const size_t len = strcspn(fields, "\n");
        bytes_print(out, "%.*s\r\n", (int)len, fields);
        fields += len + (fields[len] == '\n');
    }
}

static void write_head(struct connection *c, const struct reply *reply)
{
    const struct lab_answer *answer = reply->answer;
    const int status = answer->status ? answer->status : 200;
    for (uint32_t i = 0; i < answer->interim; i++) {
        bytes_print(&c->out, "HTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n");
    }
    bytes_print(&c->out, "HTTP/1.1 %d Answer\r\n", status);
    write_fields(&c->out, answer->fields);
    for (uint32_t i = 0; i < answer->more; i++) {
        bytes_print(&c->out, "x-more: 1\r\n");
    }
    if (answer->chunked) {
        bytes_print(&c->out, "Transfer-Encoding: chunked\r\n");
    } else if (status != 204 && status != 304) {
        bytes_print(&c->out, "Content-Length: %llu\r\n", (unsigned long long)reply_length(reply));
    }
    bytes_print(&c->out, "\r\n");
}

static void begin_answer(struct connection *c, struct http1 *h)
{
    h->seen->complete = true;
    h->reply = (struct reply){ .answer = server_find(c->server, h->seen->target),
                               .headless = strcmp(h->seen->method, "HEAD") == 0 };
    h->seen = NULL;
    if (h->reply.answer->raw) {
        bytes_print(&c->out, "%s", h->reply.answer->raw);
        c->closing = true;
    } else if (!reply_breaks_before_head(&h->reply)) {
        write_head(c, &h->reply);
    }
}

static void break_off(struct connection *c, const struct lab_answer *answer)
{
    if (answer->fate == LAB_RESETS || answer->fate == LAB_REFUSES) {
        c->reset = true;
    } else {
        c->closing = true;
    }
}

static void http1_give(struct connection *c)
{
    struct http1 *h = c->session;
    uint8_t piece[16 * 1024];
    while (h->reply.answer && !c->closing && !c->reset && c->out.len < SERVER_AHEAD) {
        const bool chunked = h->reply.answer->chunked;
        switch (reply_state(&h->reply)) {
        case REPLY_MORE: {
            const size_t len = reply_take(&h->reply, piece, sizeof(piece));
            if (chunked) {
                bytes_print(&c->out, "%zx\r\n", len);
            }
            bytes_add(&c->out, piece, len);
            bytes_add(&c->out, "\r\n", chunked ? 2 : 0);
            break;
        }
        case REPLY_ENDS:
            bytes_add(&c->out, "0\r\n\r\n", chunked ? 5 : 0);
            c->closing = h->reply.answer->closes;
            h->reply.answer = NULL;
            break;
        case REPLY_BREAKS:
            /* What was said before is to arrive before the end does. */
            if (c->out.len == 0) {
                break_off(c, h->reply.answer);
            }
            return;
        default:
            return;
        }
    }
}

static void http1_go(struct connection *c)
{
    struct http1 *h = c->session;
    h->reply.let_go++;
}

static void http1_take(struct connection *c)
{
    struct http1 *h = session_of(c);
    while (!h->reply.answer && !c->closing && !c->reset) {
        if (!h->seen) {
            char length[24];
            if (!take_head(c, &h->seen)) {
                return;
            }
            const char *given = lab_field(h->seen, "content-length", length, sizeof(length));
            h->body_left = given ? strtoull(given, NULL, 10) : 0;
        }
        take_body(c, h);
        if (h->body_left) {
            return;
        }
        begin_answer(c, h);
        http1_give(c);
    }
}

const struct protocol http1_protocol = {
    .take = http1_take,
    .give = http1_give,
    .go = http1_go,
    .free = http1_free,
};

/* ---- the proxy ---- */

static bool knows(const struct lab_seen *seen)
{
    static const char user[] = LAB_PROXY_USER ":" LAB_PROXY_PASSWORD;
    char expected[8 + 2 * sizeof(user)] = "Basic ";
    char given[128];
    EVP_EncodeBlock((uint8_t *)expected + strlen(expected), (const uint8_t *)user,
                    (int)sizeof(user) - 1);
    return lab_field(seen, "proxy-authorization", given, sizeof(given)) &&
           strcmp(given, expected) == 0;
}

static void proxy_take(struct connection *c)
{
    struct lab_seen *seen;
    if (!take_head(c, &seen)) {
        return;
    }
    const char *colon = strrchr(seen->target, ':');
    const int port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
    seen->complete = true;
    if (strcmp(seen->method, "CONNECT") != 0) {
        bytes_print(&c->out, "HTTP/1.1 405 CONNECT only\r\nContent-Length: 0\r\n\r\n");
    } else if (!knows(seen)) {
        bytes_print(&c->out, "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n"
                             "Proxy-Authenticate: Basic realm=\"lab\"\r\n\r\n");
    } else if (!server_connect(c, port)) {
        bytes_print(&c->out, "HTTP/1.1 502 Nobody there\r\nContent-Length: 0\r\n\r\n");
    } else {
        bytes_print(&c->out, "HTTP/1.1 200 Connected\r\nx-proxy: 1\r\n\r\n");
        bytes_add(&c->partner->out, c->in.at, c->in.len);
        c->in.len = 0;
    }
}

static void proxy_free(struct connection *c)
{
    (void)c;
}

const struct protocol proxy_protocol = { .take = proxy_take, .free = proxy_free };
