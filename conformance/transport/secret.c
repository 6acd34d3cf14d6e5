/* SPDX-License-Identifier: Apache-2.0 */
/* The bearer goes to the host that was named, and shows up nowhere else. */
#include "exchange.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

#define BEARER "conformance-bearer-0123456789"
#define BODY "conformance-body-0123456789"

static const struct lab_answer answers[] = {
    { .path = "/moved", .status = 307, .fields = "location: /elsewhere\n", .text = "there" },
    { .path = "/closes-early", .fate = LAB_CLOSES, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/resets-early", .fate = LAB_RESETS, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/closes", .body_len = 1000, .fate = LAB_CLOSES, .fate_at = 10 },
    { .path = "/resets", .body_len = 1000, .fate = LAB_RESETS, .fate_at = 10 },
    { .path = "/unauthorised", .status = 401, .text = "who are you" },
    { .path = "/bomb", .more = 10000 },
    { .path = "/not-http", .raw = "SSH-2.0-something\r\n\r\n" },
    { .path = NULL },
};

static const struct ask ask = { .method = "POST",
                                .fields = "authorization: Bearer " BEARER "\n",
                                .body = BODY,
                                .body_len = sizeof(BODY) - 1 };

/* Everything that can go wrong, with the bearer in the request. The witness reads each text. */
static void does_not_tell(struct trial *t)
{
    static const enum lab_listener untrusted[] = { LAB_WRONG_NAME, LAB_EXPIRED,  LAB_STRANGER,
                                                   LAB_SELF_MADE,  LAB_RUDE_TLS, LAB_RUDE };
    struct scene s;
    struct client c;
    struct exchange e;
    trial_plant_secret(t, BEARER);
    trial_plant_secret(t, BODY);
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        for (const struct lab_answer *a = answers; a->path; a++) {
            exchange_run(&e, &c, w, a->path, &ask);
            exchange_finish(&e);
        }
    }
    for (size_t i = 0; i < sizeof(untrusted) / sizeof(untrusted[0]); i++) {
        exchange_start_url(&e, &c, lab_url(&s.lab, untrusted[i], "/"), &ask);
        exchange_until_over(&e);
        exchange_finish(&e);
    }
    client_close(&c);
    scene_close(&s);
    if (t->has_told) {
        trial_fail(t, "an error or a line of the log showed a field or the body of its request");
    }
}

/* Each request with the bearer was for the path and the listener that the host named. */
static void goes_to_the_named_host(struct trial *t)
{
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, answers);
    client_open(&c, &s);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        const unsigned before = atomic_load(&s.lab.record->count);
        exchange_run(&e, &c, w, "/moved", &ask);
        exchange_finish(&e);
        exchange_run(&e, &c, w, "/", NULL); /* nothing of it stays for the next */
        exchange_finish(&e);
        for (unsigned i = before; i < atomic_load(&s.lab.record->count); i++) {
            const struct lab_seen *seen = &s.lab.record->seen[i];
            if (strstr(seen->head, BEARER) &&
                (seen->listener != w->listener || strcmp(seen->target, "/moved") != 0)) {
                trial_fail(t, "%s: the bearer of a request for /moved was sent with %s %s", w->name,
                           seen->method, seen->target);
            }
        }
    }
    client_close(&c);
    scene_close(&s);
}

const struct clause transport_secret_clauses[] = {
    { "transport.secret.named-host", "A field of a request goes with that request, and no other.",
      goes_to_the_named_host, 0, 0 },
    { "transport.secret.silent", "Whatever goes wrong, no error and no log shows a request.",
      does_not_tell, 0, 0 },
    CLAUSES_END,
};
