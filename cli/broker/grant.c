/* SPDX-License-Identifier: Apache-2.0 */
#include "grant.h"
#include "fault.h"
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>

enum { REFRESH_PAUSE_US = 30 * 1000 * 1000 };

static bool is_same(const struct grant *grant, const struct grant *other)
{
    return grant->wish.flags == other->wish.flags &&
           grant->wish.min_valid_s == other->wish.min_valid_s && grant->limited == other->limited;
}

/* What the library is asked for. A new token, or one that is valid longer than a token can be, is
 * not had twice in half a minute. */
static struct grant plan(const struct grants *g, const struct request *request, uint64_t now_us)
{
    struct grant grant = { .wish = AQ_TOKEN_OPTIONS_INIT };
    bool demanding = request->force || request->min_valid_s > 0;
    grant.limited = demanding && !request->no_refresh && g->refreshed_us != 0 &&
                    now_us < g->refreshed_us + REFRESH_PAUSE_US;
    grant.forced = request->force && !grant.limited;
    grant.wish.min_valid_s = request->min_valid_s;
    grant.wish.flags = grant.forced                             ? AQ_TOKEN_FORCE_REFRESH
                       : (request->no_refresh || grant.limited) ? AQ_TOKEN_NO_REFRESH
                                                                : 0;
    return grant;
}

struct grant *grants_ask(struct grants *g, const struct request *request, uint64_t now_us,
                         struct aq_error *err)
{
    const struct grant wanted = plan(g, request, now_us);
    for (struct grant *grant = g->running; grant; grant = grant->next) {
        if (is_same(grant, &wanted)) {
            return grant;
        }
    }
    struct grant *grant = malloc(sizeof(*grant));
    if (!grant) {
        (void)fault_set(err, AQ_E_NOMEM, "broker: out of memory");
        return NULL;
    }
    *grant = wanted;
    if (aq_token_start(g->session->client, &grant->wish, &grant->op, err) != AQ_OK) {
        free(grant);
        return NULL;
    }
    grant->next = g->running;
    g->running = grant;
    return grant;
}

void grants_end(struct grants *g, struct grant *grant)
{
    struct grant **at = &g->running;
    while (*at != grant) {
        at = &(*at)->next;
    }
    *at = grant->next;
    aq_op_free(grant->op);
    free(grant);
}

static bool is_hopeless(aq_status st)
{
    return st == AQ_E_LOGIN_NEEDED || st == AQ_E_NOT_LOGGED_IN;
}

static void note_token(struct grants *g, const struct grant *grant, const struct aq_token *token,
                       uint64_t now_us)
{
    bool known = g->ahead.expires_at_s != 0;
    bool other = ahead_saw(&g->ahead, token->expires_at_s);
    if (grant->forced || (known && other)) {
        g->refreshed_us = now_us;
    }
}

static aq_status note_failure(struct grants *g, const struct grant *grant, aq_status st,
                              uint64_t now_us, struct aq_error *err)
{
    if (st == AQ_E_EXPIRED && !(grant->wish.flags & AQ_TOKEN_NO_REFRESH)) {
        g->refreshed_us = now_us; /* it was, but no token lives that long */
    }
    if (st == AQ_E_EXPIRED && grant->limited) {
        (void)fault_set(err, st,
                        "token: refreshed just now, and not valid as long as is needed; ask for "
                        "less, or again in half a minute");
    }
    if (!(grant->wish.flags & AQ_TOKEN_NO_REFRESH)) {
        ahead_failed(&g->ahead, is_hopeless(st));
    }
    return st;
}

aq_status grants_next(struct grants *g, struct grant *grant, uint64_t now_us,
                      const struct aq_token **ret_token, struct aq_error *err)
{
    const struct aq_event *event;
    aq_status st;
    while ((st = aq_op_next(grant->op, &event, err)) == AQ_OK) {
        if (event->type == AQ_EVENT_WARNING) {
            (void)snprintf(grant->warning, sizeof(grant->warning), "%.*s", AQ_STR_ARG(event->text));
            journal("warning: %s", grant->warning);
        } else if (event->type == AQ_EVENT_TOKEN) {
            note_token(g, grant, event->token, now_us);
            *ret_token = event->token;
            return AQ_OK;
        }
    }
    return st < 0 ? note_failure(g, grant, st, now_us, err) : st;
}
