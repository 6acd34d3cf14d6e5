/* SPDX-License-Identifier: Apache-2.0 */
/* A peer that cannot prove who it is is told nothing. */
#include "exchange.h"
#include "suite.h"

#include <string.h>

static void refuse(struct trial *t, enum lab_listener listener, const char *why)
{
    struct scene s;
    struct client c;
    struct exchange e;
    const struct ask ask = {
        .method = "POST", .fields = "authorization: Bearer abc\n", .body = "{}", .body_len = 2
    };
    scene_open(&s, t, NULL);
    if (!scene_with_tls(&s)) {
        trial_skip(t, "it speaks nothing over TLS, see transport.protocols");
    }
    client_open(&c, &s);
    exchange_start_url(&e, &c, lab_url(&s.lab, listener, "/"), &ask);
    exchange_until_over(&e);
    exchange_expect_error(&e, AQ_E_TLS, why);
    exchange_finish(&e);
    exchange_expect_well(&c);
    client_close(&c);
    if (atomic_load(&s.lab.record->heard[listener])) {
        trial_fail(t, "%s, and it was sent %llu bytes under TLS all the same", why,
                   atomic_load(&s.lab.record->heard[listener]));
    }
    scene_close(&s);
}

static void refuses_another_name(struct trial *t)
{
    refuse(t, LAB_WRONG_NAME, "the certificate was for another name");
}

static void refuses_the_expired(struct trial *t)
{
    refuse(t, LAB_EXPIRED, "the certificate had expired");
}

static void refuses_strangers(struct trial *t)
{
    refuse(t, LAB_STRANGER, "the certificate's authority was unknown");
}

static void refuses_the_self_made(struct trial *t)
{
    refuse(t, LAB_SELF_MADE, "the certificate vouched for itself");
}

const struct clause transport_tls_clauses[] = {
    { "transport.tls.name", "A certificate for another name is AQ_E_TLS.", refuses_another_name, 0,
      0 },
    { "transport.tls.expired", "A certificate that has expired is AQ_E_TLS.", refuses_the_expired,
      0, 0 },
    { "transport.tls.authority", "A certificate of an unknown authority is AQ_E_TLS.",
      refuses_strangers, 0, 0 },
    { "transport.tls.self-signed", "A certificate that vouches for itself is AQ_E_TLS.",
      refuses_the_self_made, 0, 0 },
    CLAUSES_END,
};
