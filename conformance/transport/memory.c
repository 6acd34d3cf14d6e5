/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out: at the plugin's first request for it, at the second, and so on until it needs no
 * more. Then all is as before. */
#include "allocator.h"
#include "exchange.h"
#include "suite.h"

enum { REQUESTS_MAX = 500 };

static const struct lab_answer answers[] = {
    { .path = "/some", .fields = "x-one: 1\nx-two: 2\n", .body_len = 300 * 1000 },
    { .path = NULL },
};

static const struct ask ask = {
    .method = "POST", .fields = "content-type: text/plain\n", .body = "some", .body_len = 4
};

static void expect_nomem(struct trial *t, const char *what, aq_status st, const char *text,
                         unsigned n)
{
    if (st != AQ_E_NOMEM) {
        trial_fail(t,
                   "%s ended with %s (%s) when the plugin's request number %u for memory was "
                   "refused; that is AQ_E_NOMEM",
                   what, aq_status_name(st), text, n);
    }
}

/* From open to close with the n-th request refused; false when it needs fewer. */
static bool live(struct scene *s, const struct way *way, unsigned n)
{
    struct trial *t = s->trial;
    struct client c;
    struct exchange e;
    allocator_refuse(n);
    aq_status st = client_try_open(&c, s);
    if (st != AQ_OK) {
        allocator_end();
        expect_nomem(t, "open", st, c.witness.err.text, n);
        witness_done(&c.witness);
        return true;
    }
    c.may_fail = true;
    const char *url = lab_url(&s->lab, way->listener, "/some");
    if (exchange_try_start(&e, &c, url, &ask) == AQ_OK) {
        exchange_until_over(&e);
    }
    const bool was_refused = allocator_end();
    if (e.status == AQ_END) {
        exchange_expect_pattern(&e, answers[0].body_len);
    } else {
        expect_nomem(t, e.url, e.status, e.error.text, n);
    }
    exchange_finish(&e);
    if (st == AQ_OK && n % 4 == 1) {
        exchange_expect_well(&c);
    }
    client_close(&c);
    return was_refused;
}

static void runs_out(struct trial *t)
{
    struct scene s;
    if (!allocator_is_ours()) {
        trial_skip(t, "malloc cannot be replaced in this build");
    }
    scene_open(&s, t, answers);
    allocator_watch((uintptr_t)t->plugin->transport.start);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (unsigned n = 1; n < REQUESTS_MAX && live(&s, w, n); n++) {
        }
    }
    scene_close(&s);
}

const struct clause transport_memory_clauses[] = {
    { "transport.memory", "Without memory a call ends with AQ_E_NOMEM, and the next one works.",
      runs_out, 0, 120 },
    CLAUSES_END,
};
