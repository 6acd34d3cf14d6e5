/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "memory.h"

#define TARGET_SIZE (URL_HOST_SIZE + 16)

static bool put_text(struct socket *socket, const char *text)
{
    return socket_put(socket, text, strlen(text));
}

aq_status tunnel_start(struct tunnel *tunnel, struct socket *socket, const struct proxy *proxy,
                       const struct origin *origin)
{
    char target[TARGET_SIZE];
    char request[2 * TARGET_SIZE + 64];
    const bool is_v6 = strchr(origin->host, ':') != NULL;
    snprintf(target, sizeof(target), "%s%s%s:%u", is_v6 ? "[" : "", origin->host, is_v6 ? "]" : "",
             origin->port);
    snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target);
    tunnel->answer = malloc(TUNNEL_ANSWER_MAX);
    tunnel->len = 0;
    bool done = tunnel->answer && put_text(socket, request);
    if (done && proxy->credentials) {
        done = put_text(socket, "Proxy-Authorization: Basic ") &&
               put_text(socket, proxy->credentials) && put_text(socket, "\r\n");
    }
    return done && put_text(socket, "\r\n") ? AQ_OK : AQ_E_NOMEM;
}

/* The status of the answer, 0 if it is not HTTP. */
static long read_status(const struct tunnel *tunnel)
{
    long status = 0;
    static const char form[] = "HTTP/1.x 200";
    if (tunnel->len < strlen(form) || memcmp(tunnel->answer, "HTTP/1.", 7) != 0 ||
        tunnel->answer[8] != ' ') {
        return 0;
    }
    for (size_t i = 9; i < strlen(form); i++) {
        if (tunnel->answer[i] < '0' || tunnel->answer[i] > '9') {
            return 0;
        }
        status = status * 10 + (tunnel->answer[i] - '0');
    }
    return status;
}

static aq_status take_answer(struct tunnel *tunnel, size_t head_len, const struct origin *origin,
                             struct aq_error *err)
{
    const long status = read_status(tunnel);
    if (status >= 300) {
        return fault_tunnel(err, origin->text, status);
    }
    if (status < 200 || head_len != tunnel->len) { /* nobody speaks before we do */
        return fault_set(err, AQ_E_NETWORK, origin->text, FAULT_PROXY);
    }
    return AQ_OK;
}

static bool may_be_http(const struct tunnel *tunnel)
{
    static const char begin[] = "HTTP/1.";
    const size_t len = tunnel->len < strlen(begin) ? tunnel->len : strlen(begin);
    return memcmp(tunnel->answer, begin, len) == 0;
}

aq_status tunnel_receive(struct tunnel *tunnel, struct socket *socket, const struct origin *origin,
                         struct aq_error *err)
{
    for (;;) {
        size_t len = 0;
        aq_status st = socket_receive(socket, tunnel->answer + tunnel->len,
                                      TUNNEL_ANSWER_MAX - tunnel->len, &len);
        if (st == AQ_AGAIN) {
            return AQ_AGAIN;
        }
        tunnel->len += len;
        const char *end = memmem(tunnel->answer, tunnel->len, "\r\n\r\n", 4);
        if (end) {
            return take_answer(tunnel, (size_t)(end + 4 - tunnel->answer), origin, err);
        }
        if (st != AQ_OK || tunnel->len == TUNNEL_ANSWER_MAX || !may_be_http(tunnel)) {
            fault_set(err, AQ_E_NETWORK, origin->text, FAULT_PROXY);
            err->sys = socket->sys;
            return AQ_E_NETWORK;
        }
    }
}

void tunnel_done(struct tunnel *tunnel)
{
    memory_free(tunnel->answer, TUNNEL_ANSWER_MAX);
    *tunnel = (struct tunnel){ 0 };
}
