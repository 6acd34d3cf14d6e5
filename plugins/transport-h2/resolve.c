/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* A socket of c-ares. */
struct resolve_socket {
    struct watch watch;
    struct resolve *resolve;
    TAILQ_ENTRY(resolve_socket) link;
};

static pthread_once_t ares_once = PTHREAD_ONCE_INIT;
static int ares_ready;

static void init_ares(void)
{
    ares_ready = ares_library_init(ARES_LIB_INIT_ALL);
}

/* Later versions send without SIGPIPE by themselves, and call these functions obsolete. */
#if ARES_VERSION < 0x012200
static ares_socket_t quiet_socket(int family, int type, int protocol, void *data)
{
    (void)data;
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int quiet_close(ares_socket_t fd, void *data)
{
    (void)data;
    return close(fd);
}

static int quiet_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len,
                         void *data)
{
    (void)data;
    return connect(fd, to, len);
}

static ares_ssize_t quiet_receive(ares_socket_t fd, void *buf, size_t cap, int flags,
                                  struct sockaddr *from, ares_socklen_t *len, void *data)
{
    (void)data;
    return recvfrom(fd, buf, cap, flags, from, len);
}

static ares_ssize_t quiet_send(ares_socket_t fd, const struct iovec *parts, int count, void *data)
{
    const struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count };
    (void)data;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void use_quiet_sockets(ares_channel channel)
{
    static const struct ares_socket_functions functions = {
        .asocket = quiet_socket,
        .aclose = quiet_close,
        .aconnect = quiet_connect,
        .arecvfrom = quiet_receive,
        .asendv = quiet_send,
    };
    ares_set_socket_functions(channel, &functions, NULL);
}
#else
static void use_quiet_sockets(ares_channel channel)
{
    (void)channel;
}
#endif

static void update_deadline(struct resolve *resolve)
{
    struct timeval left;
    resolve->deadline_us = LOOP_NEVER;
    if (ares_timeout(resolve->channel, NULL, &left)) {
        resolve->deadline_us =
            loop_now_us(resolve->loop) + (uint64_t)left.tv_sec * 1000000u + (uint64_t)left.tv_usec;
    }
}

/* Let c-ares work; its callbacks only take notes, so that whoever is told may end it. */
static void process(struct resolve *resolve, ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(resolve->channel, readable, writable);
    if (resolve->starved) {
        resolve->v6.done = true;
        resolve->v4.done = true;
        resolve->v4.no_memory = true;
    }
    update_deadline(resolve);
    resolve->on_change(resolve);
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct resolve_socket *socket = (struct resolve_socket *)watch;
    const ares_socket_t fd = watch->fd;
    process(socket->resolve, events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? fd : ARES_SOCKET_BAD,
            events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
}

static struct resolve_socket *find_socket(struct resolve *resolve, ares_socket_t fd)
{
    struct resolve_socket *socket;
    TAILQ_FOREACH(socket, &resolve->sockets, link)
    {
        if (socket->watch.fd == fd) {
            return socket;
        }
    }
    return NULL;
}

static struct resolve_socket *add_socket(struct resolve *resolve, ares_socket_t fd)
{
    struct resolve_socket *socket = calloc(1, sizeof(*socket));
    if (socket) {
        socket->resolve = resolve;
        socket->watch.fd = fd;
        socket->watch.on_event = socket_ready;
        TAILQ_INSERT_TAIL(&resolve->sockets, socket, link);
    }
    return socket;
}

static void remove_socket(struct resolve *resolve, struct resolve_socket *socket)
{
    if (socket) {
        loop_unwatch(resolve->loop, &socket->watch);
        TAILQ_REMOVE(&resolve->sockets, socket, link);
        free(socket);
    }
}

static void socket_changed(void *data, ares_socket_t fd, int readable, int writable)
{
    struct resolve *resolve = data;
    struct resolve_socket *socket = find_socket(resolve, fd);
    if (!readable && !writable) {
        remove_socket(resolve, socket);
        return;
    }
    socket = socket ? socket : add_socket(resolve, fd);
    if (!socket || !loop_watch(resolve->loop, &socket->watch,
                               (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u))) {
        resolve->starved = true;
    }
}

/* Keep the addresses of one family. */
static void keep_addresses(struct resolve_answer *answer, int family,
                           const struct ares_addrinfo *info)
{
    const struct ares_addrinfo_node *node = info ? info->nodes : NULL;
    for (; node && answer->count < RESOLVE_MAX_ADDRESSES; node = node->ai_next) {
        if (node->ai_family == family) {
            memcpy(&answer->addresses[answer->count++], node->ai_addr, node->ai_addrlen);
        }
    }
}

static void end_question(struct resolve_answer *answer, int family, int status,
                         struct ares_addrinfo *info)
{
    answer->done = true;
    answer->no_memory = status == ARES_ENOMEM;
    keep_addresses(answer, family, info);
    if (info) {
        ares_freeaddrinfo(info);
    }
}

static void got_v6(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolve *resolve = data;
    (void)timeouts;
    end_question(&resolve->v6, AF_INET6, status, info);
}

static void got_v4(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolve *resolve = data;
    (void)timeouts;
    end_question(&resolve->v4, AF_INET, status, info);
}

static void got_hosts(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolve *resolve = data;
    (void)status, (void)timeouts;
    keep_addresses(&resolve->v6, AF_INET6, info);
    keep_addresses(&resolve->v4, AF_INET, info);
    if (info) {
        ares_freeaddrinfo(info);
    }
}

/* RFC 6761, 6.3: these names are this machine, whoever is asked. */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t len = strlen(host);
    len -= len && host[len - 1] == '.';
    return len >= strlen(name) && memcmp(host + len - strlen(name), name, strlen(name)) == 0 &&
           (len == strlen(name) || host[len - strlen(name) - 1] == '.');
}

/* True if host is an address itself, or as good as one; then there is nothing to ask. */
static bool read_address(struct resolve *resolve, const char *host, uint16_t port)
{
    union resolve_address *v4 = &resolve->v4.addresses[0];
    union resolve_address *v6 = &resolve->v6.addresses[0];
    v4->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
    v6->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
    const bool local = is_localhost(host);
    resolve->v4.count = inet_pton(AF_INET, local ? "127.0.0.1" : host, &v4->v4.sin_addr) == 1;
    resolve->v6.count = inet_pton(AF_INET6, local ? "::1" : host, &v6->v6.sin6_addr) == 1;
    const bool known = resolve->v4.count || resolve->v6.count;
    resolve->v4.done = known;
    resolve->v6.done = known;
    return known;
}

/* A channel that looks where lookups says; NULL: where the system does. */
static bool open_channel(struct resolve *resolve, char *lookups)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES, /* HOSTALIASES is for other programs */
        .lookups = lookups,
        .sock_state_cb = socket_changed,
        .sock_state_cb_data = resolve,
    };
    const int set = ARES_OPT_FLAGS | ARES_OPT_SOCK_STATE_CB | (lookups ? ARES_OPT_LOOKUPS : 0);
    pthread_once(&ares_once, init_ares);
    if (ares_ready != ARES_SUCCESS ||
        ares_init_options(&resolve->channel, &options, set) != ARES_SUCCESS) {
        resolve->channel = NULL;
        return false;
    }
    use_quiet_sockets(resolve->channel);
    return true;
}

static void ask(struct resolve *resolve, const char *host, uint16_t port, int family,
                ares_addrinfo_callback answered)
{
    char service[8];
    const struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT,
                                               .ai_family = family,
                                               .ai_socktype = SOCK_STREAM };
    snprintf(service, sizeof(service), "%u", port);
    ares_getaddrinfo(resolve->channel, host, service, &hints, answered, resolve);
}

/* What /etc/hosts says of a name is all there is to know, in both families: whoever has written an
 * IPv4 address there does not want the IPv6 address that DNS has. c-ares answers at once. */
static aq_status read_hosts(struct resolve *resolve, const char *host, uint16_t port)
{
    static char files[] = "f";
    if (!open_channel(resolve, files)) {
        return AQ_E_NOMEM;
    }
    ask(resolve, host, port, AF_UNSPEC, got_hosts);
    resolve_stop(resolve);
    const bool known = resolve->v6.count || resolve->v4.count;
    resolve->v6.done = known;
    resolve->v4.done = known;
    return AQ_OK;
}

/* A channel lives as long as its question, so that /etc/resolv.conf is read anew for each: the
 * network may have changed. */
aq_status resolve_start(struct resolve *resolve, struct loop *loop, const char *host, uint16_t port,
                        void (*on_change)(struct resolve *resolve))
{
    *resolve = (struct resolve){ .loop = loop, .deadline_us = LOOP_NEVER, .on_change = on_change };
    TAILQ_INIT(&resolve->sockets);
    if (read_address(resolve, host, port)) {
        return AQ_OK;
    }
    if (read_hosts(resolve, host, port) != AQ_OK) {
        return AQ_E_NOMEM;
    }
    if (resolve->v4.done) {
        return AQ_OK;
    }
    if (!open_channel(resolve, NULL)) {
        return AQ_E_NOMEM;
    }
    ask(resolve, host, port, AF_INET6, got_v6);
    ask(resolve, host, port, AF_INET, got_v4);
    update_deadline(resolve);
    return resolve->starved ? AQ_E_NOMEM : AQ_OK;
}

void resolve_expire(struct resolve *resolve, uint64_t now_us)
{
    if (resolve->channel && now_us >= resolve->deadline_us) {
        process(resolve, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

void resolve_stop(struct resolve *resolve)
{
    if (resolve->channel) {
        ares_destroy(resolve->channel); /* closes its sockets, and answers with "destroyed" */
        resolve->channel = NULL;
        resolve->deadline_us = LOOP_NEVER;
    }
}
