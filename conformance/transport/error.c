/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that are not there, break off, or break the protocol. */
#include "exchange.h"
#include "suite.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Which of a transport's protocols gets to see a fault. */
enum who { ALL, ONLY_HTTP1, ONLY_HTTP2 };

static bool concerns(enum who who, const struct way *way)
{
    return who == ALL || (who == ONLY_HTTP2) == way->http2;
}

/* Ten bytes come in two pieces, so that the first is read before the rest is lost. */
#define BREAKS(name, what) \
    { \
        .path = "/" name, .body_len = 1000, .piece_len = 5, .fate = (what), .fate_at = 10 \
    }
#define BREAKS_BEFORE_HEAD(name, what) \
    { \
        .path = "/" name, .fate = (what), .fate_at = LAB_BEFORE_HEAD \
    }
#define RAW(name, bytes) \
    { \
        .path = "/" name, .raw = (bytes) \
    }

static const struct lab_answer answers[] = {
    BREAKS("closes", LAB_CLOSES),
    BREAKS("resets", LAB_RESETS),
    BREAKS("goes", LAB_GOES_AWAY),
    { .path = "/closes-chunk",
      .body_len = 1000,
      .piece_len = 5,
      .chunked = true,
      .fate = LAB_CLOSES,
      .fate_at = 10 },
    BREAKS_BEFORE_HEAD("closes-early", LAB_CLOSES),
    BREAKS_BEFORE_HEAD("resets-early", LAB_RESETS),
    BREAKS_BEFORE_HEAD("refuses", LAB_REFUSES),
    RAW("not-http", "SSH-2.0-something\r\nelse\r\n\r\n"),
    RAW("no-status", "HTTP/1.1 \r\nContent-Length: 0\r\n\r\n"),
    RAW("two-lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"),
    RAW("two-framings",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
        "0\r\n\r\n"),
    RAW("negative-length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nab"),
    RAW("chunk-without-size",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"),
    RAW("endless-chunk-size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "fffffffffffffffff\r\nab\r\n0\r\n\r\n"),
    { .path = NULL },
};

static void run_all(struct trial *t, const char *const *paths, enum who who,
                    void (*judge)(struct exchange *e, const struct way *w))
{
    struct scene s;
    struct client c;
    unsigned count = 0;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (const char *const *path = paths; *path && concerns(who, w); path++) {
            const struct ask ask = { .method = "POST", .body = "x", .body_len = 1 };
            struct exchange e;
            exchange_start(&e, &c, w, *path, &ask);
            judge(&e, w);
            exchange_finish(&e);
            count++;
        }
    }
    if (count == 0) {
        trial_skip(t, "it does not speak %s", who == ONLY_HTTP2 ? "HTTP/2" : "HTTP/1.1");
    }
    exchange_expect_well(&c);
    client_close(&c);
    scene_close(&s);
}

/* Read one half of what comes, and let the other be lost. */
static void cut(struct exchange *e)
{
    struct lab *lab = &e->client->scene->lab;
    exchange_until_head(e);
    lab_go(lab);
    exchange_until_bytes(e, 5);
    lab_go(lab);
    exchange_until_over(e);
}

static void judge_cut(struct exchange *e, const struct way *w)
{
    (void)w;
    cut(e);
    exchange_expect_error(e, AQ_E_TRUNCATED, "the body was cut off after 10 of 1000 bytes");
    if (e->differs) {
        trial_fail(e->client->trial, "%s: byte %llu of the part that came is wrong", e->url,
                   (unsigned long long)e->differs_at);
    }
}

static void cuts_are_no_end(struct trial *t)
{
    static const char *const paths[] = { "/closes", "/resets", "/goes", "/closes-chunk", NULL };
    run_all(t, paths, ALL, judge_cut);
}

static void judge_no_answer(struct exchange *e, const struct way *w)
{
    exchange_until_over(e);
    if (e->head || (e->status != AQ_E_NETWORK && e->status != AQ_E_TRUNCATED)) {
        trial_fail(e->client->trial,
                   "%s: %s was over before an answer came, and that is AQ_E_NETWORK; it ended with "
                   "%s%s%s",
                   e->url, w->http2 ? "the stream" : "the connection", aq_status_name(e->status),
                   e->status < 0 ? ": " : "", e->status < 0 ? e->error.text : "");
    }
}

static void no_answer_is_an_error(struct trial *t)
{
    static const char *const paths[] = { "/closes-early", "/resets-early", "/refuses", NULL };
    run_all(t, paths, ALL, judge_no_answer);
}

static void judge_broken(struct exchange *e, const struct way *w)
{
    (void)w;
    exchange_until_over(e);
    if (e->status != AQ_E_PROTOCOL && e->status != AQ_E_TRUNCATED) {
        exchange_expect_error(e, AQ_E_PROTOCOL, "the answer was not HTTP/1.1");
    }
}

static void broken_answers_are_errors(struct trial *t)
{
    static const char *const paths[] = { "/not-http",           "/no-status",
                                         "/two-lengths",        "/two-framings",
                                         "/negative-length",    "/chunk-without-size",
                                         "/endless-chunk-size", NULL };
    run_all(t, paths, ONLY_HTTP1, judge_broken);
}

/* ---- nobody there ---- */

/* A port of this machine at which nobody listens: bound, and left at that. */
static int take_port(int *ret_fd)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(*ret_fd, (struct sockaddr *)&at, len) != 0 ||
        getsockname(*ret_fd, (struct sockaddr *)&at, &len) != 0) {
        return 0;
    }
    return ntohs(at.sin_port);
}

static void ask_nobody(struct exchange *e, struct client *c, bool tls)
{
    char url[64];
    int fd;
    snprintf(url, sizeof(url), "%s:%d/", tls ? "https://localhost" : "http://127.0.0.1",
             take_port(&fd));
    exchange_start_url(e, c, url, NULL);
    exchange_until_over(e);
    close(fd);
}

static void nobody_is_an_error(struct trial *t)
{
    struct scene s;
    struct client c;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (int tls = 0; tls < 2; tls++) {
        struct exchange e;
        ask_nobody(&e, &c, tls);
        exchange_expect_error(&e, AQ_E_NETWORK, "nobody listens there");
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

/* ---- what was certainly not sent ---- */

static void expect_flag(const struct exchange *e, bool not_sent, const char *why)
{
    const bool said = e->error.flags & AQ_ERROR_NOT_SENT;
    if (e->status < 0 && said != not_sent) {
        trial_fail(e->client->trial, "%s: AQ_ERROR_NOT_SENT was %sset, and %s: %s", e->url,
                   said ? "" : "not ", why, e->error.text);
    }
}

static void says_what_was_not_sent(struct trial *t)
{
    static const char *const seen[] = { "/closes-early", "/resets-early", NULL };
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (int tls = 0; tls < 2; tls++) {
        ask_nobody(&e, &c, tls);
        expect_flag(&e, true, "there was nobody to send it to");
        exchange_finish(&e);
    }
    if (scene_with_tls(&s)) {
        exchange_start_url(&e, &c, lab_url(&s.lab, LAB_STRANGER, "/"), NULL);
        exchange_until_over(&e);
        expect_flag(&e, true, "TLS failed before");
        exchange_finish(&e);
    }
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (const char *const *path = seen; *path; path++) {
            exchange_run(&e, &c, w, *path, NULL);
            expect_flag(&e, false, "the peer had read all of it");
            exchange_finish(&e);
        }
        exchange_start(&e, &c, w, "/closes", NULL);
        cut(&e);
        expect_flag(&e, false, "the peer had begun to answer");
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
}

/* ---- HTTP/2 goes away ---- */

static void survives_goaway(struct trial *t)
{
    struct scene s;
    struct client c;
    struct exchange e;
    unsigned count = 0;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        if (w->http2) {
            exchange_start(&e, &c, w, "/goes", NULL);
            cut(&e);
            exchange_finish(&e);
            exchange_run(&e, &c, w, "/", NULL);
            exchange_expect_text(&e, "ok");
            exchange_finish(&e);
            count++;
        }
    }
    if (count == 0) {
        trial_skip(t, "it does not speak HTTP/2");
    }
    client_close(&c);
    scene_close(&s);
}

const struct clause transport_error_clauses[] = {
    { "transport.error.refused", "Where nobody listens, a call ends with AQ_E_NETWORK.",
      nobody_is_an_error, 0, 0 },
    { "transport.error.no-answer", "A peer that breaks off before its answer is AQ_E_NETWORK.",
      no_answer_is_an_error, 0, 0 },
    { "transport.error.truncated", "A body that is cut off is AQ_E_TRUNCATED, never AQ_END.",
      cuts_are_no_end, 0, 0 },
    { "transport.error.protocol", "An answer that is not HTTP is AQ_E_PROTOCOL.",
      broken_answers_are_errors, 0, 0 },
    { "transport.error.goaway", "After GOAWAY the next call has a new connection.", survives_goaway,
      0, 0 },
    { "transport.error.not-sent",
      "AQ_ERROR_NOT_SENT is set if, and only if, the peer cannot have acted on the request.",
      says_what_was_not_sent, 0, 0 },
    CLAUSES_END,
};
