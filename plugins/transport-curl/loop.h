/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's sockets and timer behind one file descriptor and one deadline. */
#ifndef TRANSPORT_CURL_LOOP_H
#define TRANSPORT_CURL_LOOP_H

#include <amazonq/plugin.h>
#include <curl/curl.h>
#include <stdbool.h>

#define LOOP_NEVER UINT64_MAX

struct loop {
    const struct aq_host *host;
    CURLM *multi;
    CURLSH *share;       /* TLS sessions, to be resumed by later calls */
    int epoll_fd;        /* what the host waits on */
    int wake_fd;         /* an eventfd inside it: work that did not come from the network */
    bool woken;          /* wake_fd is readable */
    uint64_t timer_us;   /* when libcurl wants to be called; LOOP_NEVER */
    curl_socket_t *open; /* every socket of libcurl, idle connections included */
    size_t open_count;
    size_t open_size;
};

/* Make a loop in *loop. On failure nothing is left behind. */
aq_status loop_init(struct loop *loop, const struct aq_host *host, struct aq_error *err);

/* End it; every easy handle has been removed before. Connections are closed in order. */
void loop_done(struct loop *loop);

/* End it in a forked child: close the descriptors, and send nothing on connections that belong to
 * the parent. libcurl's own memory stays. */
void loop_abandon(struct loop *loop);

/* Make the descriptor readable, so that the host calls step. */
void loop_wake(struct loop *loop);

/* Let libcurl do what it can do now. */
CURLMcode loop_run(struct loop *loop);

/* The same as two callbacks of libcurl; clientp is the loop. */
curl_socket_t loop_open_socket(void *clientp, curlsocktype purpose, struct curl_sockaddr *address);
int loop_close_socket(void *clientp, curl_socket_t fd);

/* True if the peer has closed the connection with this local port. libcurl takes it for alive while
 * TLS's last words have not been read. */
bool loop_peer_is_gone(const struct loop *loop, int local_port);

#endif
