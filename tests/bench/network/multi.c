/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program would write with libcurl alone: curl_multi_socket_action over epoll, and this
 * project's decoder for what comes.
 *
 *     multi URL STREAMS PROMPT
 *
 * Prints what meter_print says.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "meter.h"
#include "wire/chat.h"
#include "wire/eventstream.h"

#define EVENTS 64

struct answer {
    CURL *easy;
    struct eventstream_decoder decoder;
    struct buf scratch;
    struct meter_stream stream;
};

static int epoll_fd;
static long timeout_ms = -1;
static CURLM *multi;

static size_t take(char *bytes, size_t size, size_t count, void *data)
{
    struct answer *answer = data;
    struct eventstream_message message;
    aq_status st = eventstream_feed(&answer->decoder,
                                    (struct aq_bytes){ (uint8_t *)bytes, size * count }, NULL);
    while (st == AQ_OK && (st = eventstream_next(&answer->decoder, &message, NULL)) == AQ_OK) {
        struct aq_str text = { NULL, 0 };
        const struct chat_kind *kind = chat_kind_find(message.event_type);
        if (kind) {
            st = chat_text(kind, message.payload, &answer->scratch, &text, NULL);
        }
        meter_event(&answer->stream, text.ptr, text.len);
    }
    return st == AQ_AGAIN ? size * count : 0;
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
    struct epoll_event event = { .data.fd = fd };
    (void)easy, (void)data;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    curl_multi_assign(multi, fd, multi);
    return 0;
}

static int timer_changed(CURLM *of, long ms, void *data)
{
    (void)of, (void)data;
    timeout_ms = ms;
    return 0;
}

static void start(struct answer *answer, const char *url, struct curl_slist *headers,
                  const char *body)
{
    answer->easy = curl_easy_init();
    curl_easy_setopt(answer->easy, CURLOPT_URL, url);
    curl_easy_setopt(answer->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(answer->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(answer->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(answer->easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(answer->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(answer->easy, CURLOPT_NOSIGNAL, 1L);
    curl_multi_add_handle(multi, answer->easy);
}

static unsigned count_done(void)
{
    unsigned done = 0;
    int left;
    for (CURLMsg *message = curl_multi_info_read(multi, &left); message;
         message = curl_multi_info_read(multi, &left)) {
        if (message->data.result != CURLE_OK) {
            meter_fail(curl_easy_strerror(message->data.result));
        }
        done++;
    }
    return done;
}

static void run(unsigned streams)
{
    struct epoll_event events[EVENTS];
    int running;
    while (streams) {
        int count = epoll_wait(epoll_fd, events, EVENTS, (int)timeout_ms);
        if (count == 0) {
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        for (int i = 0; i < count; i++) {
            const uint32_t is = events[i].events;
            const int what = (is & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                             (is & EPOLLOUT ? CURL_CSELECT_OUT : 0);
            curl_multi_socket_action(multi, events[i].data.fd, what, &running);
        }
        if ((unsigned)running < streams) {
            streams -= count_done();
        }
    }
}

int main(int argc, char **argv)
{
    const unsigned streams = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    struct answer *answers = streams ? calloc(streams, sizeof(*answers)) : NULL;
    char body[256];
    if (!answers) {
        meter_fail("usage: multi URL STREAMS PROMPT");
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/x-amz-json-1.0");
    snprintf(body, sizeof(body), "{\"content\":\"%s\"}", argv[3]);
    meter_expect(streams);
    for (unsigned i = 0; i < streams; i++) {
        start(&answers[i], argv[1], headers, body);
    }
    run(streams);
    meter_print();
    for (unsigned i = 0; i < streams; i++) {
        curl_multi_remove_handle(multi, answers[i].easy);
        curl_easy_cleanup(answers[i].easy);
        eventstream_done(&answers[i].decoder);
        buf_done(&answers[i].scratch);
    }
    curl_slist_free_all(headers);
    curl_multi_cleanup(multi);
    free(answers);
    return 0;
}
