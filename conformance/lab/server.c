/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_MAX = 64 * 1024 };

/* ---- connections ---- */

static const struct protocol *protocol_of(enum lab_listener listener)
{
    switch (listener) {
    case LAB_HTTP2:
    case LAB_HTTP2_TLS:
        return &http2_protocol;
    case LAB_PROXY:
        return &proxy_protocol;
    case LAB_SILENT:
    case LAB_RUDE:
    case LAB_RUDE_TLS:
        return NULL;
    default:
        return &http1_protocol;
    }
}

static struct connection *add(struct server *server, int fd, enum lab_listener listener)
{
    const int one = 1;
    struct connection *c =
        server->connection_count < SERVER_CONNECTIONS ? calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        close(fd);
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->server = server;
    c->fd = fd;
    c->listener = listener;
    c->number = ++server->connections_ever;
    server->connections[server->connection_count++] = c;
    return c;
}

static void welcome(struct server *server, enum lab_listener listener)
{
    int fd = accept4(server->listeners[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *c = fd >= 0 ? add(server, fd, listener) : NULL;
    if (!c) {
        return;
    }
    c->protocol = protocol_of(listener);
    if (server->contexts[listener]) {
        c->ssl = SSL_new(server->contexts[listener]);
        SSL_set_fd(c->ssl, fd);
        SSL_set_accept_state(c->ssl);
    }
    atomic_fetch_add(&server->record->accepted[listener], 1);
    atomic_fetch_add(&server->record->open[listener], 1);
}

bool server_connect(struct connection *c, int port)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons((in_port_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return false;
    }
    struct connection *other = add(c->server, fd, LAB_LISTENERS);
    if (!other) {
        return false;
    }
    other->partner = c;
    c->partner = other;
    return true;
}

static void drop(struct connection *c)
{
    const struct linger at_once = { 1, 0 };
    if (c->protocol && c->session) {
        c->protocol->free(c);
    }
    if (c->partner) {
        c->partner->partner = NULL;
        c->partner->closing = true;
        c->partner->gone = c->partner->out.len == 0;
    }
    if (c->reset) {
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    } else if (c->ssl && c->closing) {
        SSL_shutdown(c->ssl);
    }
    SSL_free(c->ssl);
    close(c->fd);
    if (c->listener != LAB_LISTENERS) {
        atomic_fetch_sub(&c->server->record->open[c->listener], 1);
    }
    bytes_free(&c->in);
    bytes_free(&c->out);
    free(c);
}

/* Bytes, 0 for "not now", -1 for the end. */
static ssize_t receive(const struct connection *c, uint8_t *buf, size_t cap)
{
    if (!c->ssl) {
        ssize_t len = recv(c->fd, buf, cap, MSG_DONTWAIT);
        return len > 0 ? len : len < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    ERR_clear_error();
    int len = SSL_read(c->ssl, buf, (int)cap);
    int why = len > 0 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, len);
    return len > 0 ? len : why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t transmit(const struct connection *c, const uint8_t *bytes, size_t len)
{
    if (!c->ssl) {
        ssize_t sent = send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent > 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    ERR_clear_error();
    int sent = SSL_write(c->ssl, bytes, (int)len);
    int why = sent > 0 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, sent);
    return sent > 0 ? sent : why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* What arrives in a tunnel waits for its other end. */
static bool may_read(const struct connection *c)
{
    return !c->partner || c->partner->out.len < SERVER_AHEAD;
}

static void hear(struct connection *c)
{
    uint8_t *room = bytes_room(&c->in, READ_MAX);
    ssize_t len = receive(c, room, READ_MAX);
    if (len < 0) {
        c->gone = true;
    } else if (len > 0 && c->listener != LAB_LISTENERS) {
        atomic_fetch_add(&c->server->record->heard[c->listener], (unsigned long long)len);
    }
    c->in.len += len > 0 ? (size_t)len : 0;
}

static void take(struct connection *c)
{
    const bool rude = c->listener == LAB_RUDE || c->listener == LAB_RUDE_TLS;
    if (c->partner) {
        bytes_add(&c->partner->out, c->in.at, c->in.len);
        c->in.len = 0;
    } else if (c->protocol) {
        c->protocol->take(c);
    } else {
        c->reset = rude && c->in.len > 0;
        c->in.len = 0;
    }
}

/* As much as there is and the kernel takes. */
static void say(struct connection *c)
{
    ssize_t sent = 0;
    do {
        if (c->protocol && c->protocol->give && c->session && !c->closing) {
            c->protocol->give(c);
        }
        sent = c->out.len && !c->reset ? transmit(c, c->out.at, c->out.len) : 0;
        if (sent < 0) {
            c->gone = true;
            return;
        }
        if (c->listener != LAB_LISTENERS) {
            atomic_fetch_add(&c->server->record->said[c->listener], (unsigned long long)sent);
        }
        bytes_take(&c->out, (size_t)sent);
    } while (sent > 0);
    c->gone = c->gone || c->reset || (c->closing && c->out.len == 0);
}

/* ---- the loop ---- */

/* The end of one connection may be that of another. */
static void sweep(struct server *server)
{
    for (size_t i = 0; i < server->connection_count;) {
        if (server->connections[i]->gone) {
            drop(server->connections[i]);
            server->connections[i] = server->connections[--server->connection_count];
            i = 0;
        } else {
            i++;
        }
    }
}

static void let_go(struct server *server)
{
    for (size_t i = 0; i < server->connection_count; i++) {
        struct connection *c = server->connections[i];
        if (c->protocol && c->protocol->go && c->session) {
            c->protocol->go(c);
        }
    }
}

/* Records that OpenSSL has read already are nothing that poll would tell of. */
static void serve(struct connection *c, short events)
{
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        do {
            hear(c);
            take(c);
        } while (!c->gone && c->ssl && SSL_pending(c->ssl) > 0);
    }
    if (!c->gone) {
        say(c);
    }
}

void server_run(struct server *server, int control)
{
    struct pollfd polls[1 + LAB_LISTENERS + SERVER_CONNECTIONS];
    for (;;) {
        const size_t count = server->connection_count;
        struct pollfd *connections = polls + 1 + LAB_LISTENERS;
        char told = '\0';
        polls[0] = (struct pollfd){ .fd = control, .events = POLLIN };
        for (int i = 0; i < LAB_LISTENERS; i++) {
            polls[1 + i] = (struct pollfd){ .fd = server->listeners[i], .events = POLLIN };
        }
        for (size_t i = 0; i < count; i++) {
            const struct connection *c = server->connections[i];
            const int events = (may_read(c) ? POLLIN : 0) | (c->out.len ? POLLOUT : 0);
            connections[i] = (struct pollfd){ .fd = c->fd, .events = (short)events };
        }
        if (poll(polls, 1 + LAB_LISTENERS + count, -1) < 0 && errno != EINTR) {
            return;
        }
        if (polls[0].revents) {
            if (read(control, &told, 1) <= 0) {
                return;
            }
            if (told == LAB_GO) {
                let_go(server);
            }
        }
        for (size_t i = 0; i < count; i++) {
            serve(server->connections[i], connections[i].revents);
        }
        for (int i = 0; i < LAB_LISTENERS; i++) {
            if (polls[1 + i].revents) {
                welcome(server, (enum lab_listener)i);
            }
        }
        sweep(server);
        if (told == LAB_ROUND) {
            atomic_fetch_add(&server->record->rounds, 1);
        }
    }
}

/* ---- what protocols share ---- */

struct lab_seen *server_note(struct connection *c)
{
    struct lab_record *record = c->server->record;
    unsigned count = atomic_load(&record->count);
    struct lab_seen *seen = &record->seen[count < LAB_SEEN_MAX ? count : LAB_SEEN_MAX - 1];
    *seen = (struct lab_seen){ .listener = c->listener, .connection = c->number };
    seen->body_sum = LAB_SUM;
    return seen;
}

const struct lab_answer *server_find(const struct server *server, const char *target)
{
    static const struct lab_answer ok = { .text = "ok" };
    static const struct lab_answer none = { .status = 404 };
    const size_t len = strcspn(target, "?");
    const struct lab_answer *answer = server->answers;
    while (answer->path &&
           (strlen(answer->path) != len || strncmp(answer->path, target, len) != 0)) {
        answer++;
    }
    return answer->path ? answer : strcmp(target, "/") == 0 ? &ok : &none;
}
