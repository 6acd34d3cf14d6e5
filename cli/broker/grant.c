/* SPDX-License-Identifier: Apache-2.0 */
#include "grant.h"
#include "fault.h"
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>

enum { REFRESH_PAUSE_US = 30 * 1000 * 1000 };

/* ---- what the library is asked for ---- */

/* More than the usual: a new token, or one that may have to live longer than a token can. */
static bool is_demanding(const struct request *request)
{
    return request->force || request->min_valid_s > 0;
}

static bool is_paused(const struct grants *g, uint64_t now_us)
{
    return !g->external && g->refreshed_us != 0 && now_us < g->refreshed_us + REFRESH_PAUSE_US;
}

static aq_status start(const struct grants *g, struct grant *grant, uint32_t flags,
                       int64_t min_valid_s, struct aq_error *err)
{
    struct aq_token_options wish = AQ_TOKEN_OPTIONS_INIT;
    wish.flags = flags;
    wish.min_valid_s = min_valid_s;
    aq_op_free(grant->op);
    grant->op = NULL;
    return aq_token_start(g->session->client, &wish, &grant->op, err);
}

/* The usual wish includes that a token near its end is refreshed in good time. */
static aq_status start_look(const struct grants *g, struct grant *grant, bool paused,
                            struct aq_error *err)
{
    const struct request *r = &grant->request;
    bool early = !is_demanding(r) && !r->no_refresh && !paused;
    grant->looks = true;
    return start(g, grant, AQ_TOKEN_NO_REFRESH, early ? AHEAD_WINDOW_S : r->min_valid_s, err);
}

/*
 * Who demands waits for the refresh that is going on, and asks again when it is over. The usual
 * wish does not: the library knows best whether it has to wait, and takes what others have brought.
 */
static aq_status start_refresh(struct grants *g, struct grant *grant, struct aq_error *err)
{
    const struct request *r = &grant->request;
    grant->looks = false;
    if (g->refresh && is_demanding(r)) {
        aq_op_free(grant->op);
        grant->op = NULL;
        return AQ_OK;
    }
    if (!g->refresh) {
        g->refresh = grant;
        g->why = (struct aq_error){ .status = AQ_OK };
    }
    return start(g, grant, r->force ? AQ_TOKEN_FORCE_REFRESH : 0, r->min_valid_s, err);
}

static aq_status begin(struct grants *g, struct grant *grant, uint64_t now_us, struct aq_error *err)
{
    const struct request *r = &grant->request;
    bool paused = is_paused(g, now_us);
    grant->limited = paused && is_demanding(r) && !r->no_refresh;
    return r->force && !paused ? start_refresh(g, grant, err) : start_look(g, grant, paused, err);
}

/* ---- life ---- */

static bool is_same(const struct request *a, const struct request *b)
{
    return a->force == b->force && a->no_refresh == b->no_refresh &&
           a->min_valid_s == b->min_valid_s;
}

struct grant *grants_ask(struct grants *g, const struct request *request, uint64_t now_us,
                         struct aq_error *err)
{
    for (struct grant *grant = g->running; grant; grant = grant->next) {
        if (is_same(&grant->request, request)) {
            return grant;
        }
    }
    struct grant *grant = calloc(1, sizeof(*grant));
    if (!grant) {
        (void)fault_set(err, AQ_E_NOMEM, "broker: out of memory");
        return NULL;
    }
    grant->request = *request;
    grant->next = g->running;
    g->running = grant;
    if (begin(g, grant, now_us, err) != AQ_OK) {
        grants_end(g, grant);
        return NULL;
    }
    return grant;
}

bool grants_are_ahead(const struct grants *g)
{
    bool ahead = false;
    for (const struct grant *grant = g->running; grant && !g->refresh && !ahead;
         grant = grant->next) {
        ahead = !grant->op;
    }
    return ahead;
}

void grants_end(struct grants *g, struct grant *grant)
{
    struct grant **at = &g->running;
    while (*at != grant) {
        at = &(*at)->next;
    }
    *at = grant->next;
    if (g->refresh == grant) {
        g->refresh = NULL;
    }
    aq_op_free(grant->op);
    free(grant);
}

/* ---- its outcome ---- */

static bool is_hopeless(aq_status st)
{
    return st == AQ_E_LOGIN_NEEDED || st == AQ_E_NOT_LOGGED_IN;
}

/* A refresh that left the same token there, for it was not due, stands in nobody's way. */
static void note_token(struct grants *g, const struct grant *grant, const struct aq_token *token,
                       uint64_t now_us)
{
    bool known = g->ahead.expires_at_s != 0;
    bool other = ahead_saw(&g->ahead, token->expires_at_s);
    g->external = token->flags & AQ_TOKEN_EXTERNAL;
    if (g->refresh == grant) {
        g->refresh = NULL;
        g->refreshed_us = other || grant->request.force ? now_us : 0;
    } else if (known && other) {
        g->refreshed_us = now_us;
    }
}

static aq_status note_failure(struct grants *g, const struct grant *grant, aq_status st,
                              uint64_t now_us, struct aq_error *err)
{
    if (g->refresh == grant) {
        g->refresh = NULL;
        if (st == AQ_E_EXPIRED) {
            g->refreshed_us = now_us; /* it was, but no token lives that long */
        } else {
            g->why = *err;
            g->refreshed_us = 0;
        }
    }
    if (st == AQ_E_EXPIRED && grant->limited) {
        (void)fault_set(err, st,
                        "token: refreshed just now, and not valid as long as is needed; ask for "
                        "less, or again in half a minute");
    } else if (!grant->request.no_refresh) {
        ahead_failed(&g->ahead, is_hopeless(st));
    }
    return st;
}

/* ---- going on ---- */

/* The refresh that it waited for is over. What kept that from coming is the answer for all. */
static aq_status begin_again(struct grants *g, struct grant *grant, uint64_t now_us,
                             struct aq_error *err)
{
    if (g->why.status != AQ_OK) {
        *err = g->why;
        return err->status;
    }
    return begin(g, grant, now_us, err);
}

/* Until there is a token, or what there is to wait for. */
static aq_status run(struct grant *grant, const struct aq_token **ret_token, struct aq_error *err)
{
    const struct aq_event *event;
    aq_status st;
    while ((st = aq_op_next(grant->op, &event, err)) == AQ_OK) {
        if (event->type == AQ_EVENT_WARNING) {
            (void)snprintf(grant->warning, sizeof(grant->warning), "%.*s", AQ_STR_ARG(event->text));
            journal("warning: %s", grant->warning);
        } else if (event->type == AQ_EVENT_TOKEN) {
            *ret_token = event->token;
            return AQ_OK;
        }
    }
    return st;
}

static bool may_refresh(const struct grant *grant)
{
    return grant->looks && !grant->limited && !grant->request.no_refresh;
}

aq_status grants_next(struct grants *g, struct grant *grant, uint64_t now_us,
                      const struct aq_token **ret_token, struct aq_error *err)
{
    aq_status st = AQ_OK;
    if (!grant->op) {
        st = g->refresh ? AQ_AGAIN : begin_again(g, grant, now_us, err);
    }
    if (st == AQ_OK) {
        st = run(grant, ret_token, err);
    }
    if (st == AQ_E_EXPIRED && may_refresh(grant)) {
        st = start_refresh(g, grant, err);
        st = st == AQ_OK ? AQ_AGAIN : st; /* the client's descriptor tells when to go on */
    }
    if (st == AQ_OK) {
        note_token(g, grant, *ret_token, now_us);
    }
    return st < 0 ? note_failure(g, grant, st, now_us, err) : st;
}
