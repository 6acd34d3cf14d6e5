/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { QUIET_WITHIN_MS = 5000 };

const struct way ways[WAYS] = {
    { LAB_HTTP1, false, false, "HTTP/1.1", "plain HTTP/1.1" },
    { LAB_HTTP2, false, true, "HTTP/2", "plain HTTP/2" },
    { LAB_HTTP1_TLS, true, false, "HTTP/1.1", "HTTP/1.1 over TLS" },
    { LAB_HTTP2_TLS, true, true, "HTTP/2", "HTTP/2 over TLS" },
};

void scene_open_unknown(struct scene *s, struct trial *t, const struct lab_answer *answers)
{
    static const struct lab_answer none[] = { { .path = NULL } };
    *s = (struct scene){ .trial = t };
    const char *problem = lab_start(&s->lab, t->dir, answers ? answers : none);
    if (problem) {
        trial_skip(t, "the lab could not be started: %s", problem);
    }
}

/* A protocol that it does not speak ends with an error of whatever kind: the clause about protocols
 * judges it. */
static void scene_try(struct scene *s, struct client *c, size_t way)
{
    struct exchange e;
    const char *url = lab_url(&s->lab, ways[way].listener, "/");
    if (exchange_try_start(&e, c, url, NULL) == AQ_OK) {
        exchange_until_over(&e);
    }
    s->speaks[way] = e.status == AQ_END && strcmp(e.text, "ok") == 0;
    if (e.status == AQ_END && !s->speaks[way]) {
        snprintf(s->refusal[way], sizeof(s->refusal[way]), "the body \"%s\"", e.text);
    } else if (!s->speaks[way]) {
        snprintf(s->refusal[way], sizeof(s->refusal[way]), "%.180s", e.error.text);
    }
    exchange_finish(&e);
}

bool scene_find_ways(struct scene *s)
{
    struct client c;
    client_open(&c, s);
    c.is_probe = true;
    for (size_t i = 0; i < WAYS; i++) {
        scene_try(s, &c, i);
    }
    client_close(&c);
    return scene_next(s, NULL) != NULL;
}

void scene_open(struct scene *s, struct trial *t, const struct lab_answer *answers)
{
    scene_open_unknown(s, t, answers);
    if (!scene_find_ways(s)) {
        trial_skip(t, "it speaks no protocol of the lab, see transport.protocols");
    }
}

void scene_close(struct scene *s)
{
    lab_stop(&s->lab);
}

const struct way *scene_next(const struct scene *s, const struct way *before)
{
    for (size_t i = before ? (size_t)(before - ways) + 1 : 0; i < WAYS; i++) {
        if (s->speaks[i]) {
            return &ways[i];
        }
    }
    return NULL;
}

const struct way *scene_with_tls(const struct scene *s)
{
    const struct way *w = scene_next(s, NULL);
    while (w && !w->tls) {
        w = scene_next(s, w);
    }
    return w;
}

const struct way *scene_with_http2(const struct scene *s)
{
    const struct way *w = scene_next(s, NULL);
    while (w && !w->http2) {
        w = scene_next(s, w);
    }
    return w;
}

bool scene_is_quiet(const struct scene *s)
{
    const struct timespec moment = { 0, 1000 * 1000 };
    const uint64_t since_us = trial_now_us();
    while (lab_open_connections(&s->lab) > 0) {
        if (trial_now_us() - since_us > QUIET_WITHIN_MS * UINT64_C(1000)) {
            return false;
        }
        nanosleep(&moment, NULL);
    }
    return true;
}
