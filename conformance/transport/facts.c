/* SPDX-License-Identifier: Apache-2.0 */
/* What a call has met on its way: as far as it is told, it is true, and safe to print. */
#include "exchange.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 24 * 3600, LAB_DAYS = 30 }; /* for which the lab's certificates are valid */

static const struct ask ask = { .fields = "authorization: Bearer conformance-facts-0123456789\n",
                                .flags = AQ_REQUEST_FACTS };

static void need_facts(struct trial *t)
{
    if (!t->plugin->transport.facts) {
        trial_skip(t, "it has no function facts");
    }
    trial_plant_secret(t, "conformance-facts-0123456789");
    trial_plant_secret(t, LAB_PROXY_PASSWORD);
}

static void expect_printable(struct trial *t, const char *name, struct aq_str text)
{
    if (!text.ptr && text.len) {
        trial_fail(t, "facts gave a length of %zu without a text for %s", text.len, name);
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f) {
            trial_fail(t, "facts gave a control character in %s, \"%.*s\"", name, AQ_STR_ARG(text));
        }
    }
    trial_look_for_secrets(t, "a text of facts", text);
}

static struct aq_facts ask_facts(struct exchange *e)
{
    struct trial *t = e->client->trial;
    struct aq_facts facts;
    const aq_status st = exchange_facts(e, &facts);
    if (st != AQ_OK) {
        trial_fail(t, "facts returned %s for a request that had said AQ_REQUEST_FACTS",
                   aq_status_name(st));
    }
    expect_printable(t, "address", facts.address);
    expect_printable(t, "proxy", facts.proxy);
    expect_printable(t, "trust", facts.trust);
    expect_printable(t, "tls", facts.tls);
    expect_printable(t, "subject", facts.subject);
    expect_printable(t, "issuer", facts.issuer);
    return facts;
}

/* An empty text says that nothing is known. */
static void expect_in(struct trial *t, const char *name, struct aq_str text, const char *part)
{
    if (text.len && !memmem(text.ptr, text.len, part, strlen(part))) {
        trial_fail(t, "facts gave \"%.*s\" for %s, there is no \"%s\" in it", AQ_STR_ARG(text),
                   name, part);
    }
}

static void expect_certificate(struct trial *t, const struct aq_facts *facts, int64_t days)
{
    const int64_t expected = (int64_t)time(NULL) + days * DAY_S;
    expect_in(t, "subject", facts->subject, "localhost");
    expect_in(t, "issuer", facts->issuer, "Conformance lab");
    if (facts->not_after_s &&
        (facts->not_after_s < expected - DAY_S || facts->not_after_s > expected + DAY_S)) {
        trial_fail(t, "facts gave %lld for not_after_s, the certificate says about %lld",
                   (long long)facts->not_after_s, (long long)expected);
    }
}

static void tells_the_truth(struct trial *t)
{
    struct scene s;
    char address[32];
    need_facts(t);
    scene_open(&s, t, NULL);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct client c;
        struct exchange e;
        struct exchange other;
        client_open(&c, &s);
        exchange_run(&e, &c, w, "/", &ask);
        exchange_expect_text(&e, "ok");
        const struct aq_facts facts = ask_facts(&e);
        snprintf(address, sizeof(address), "127.0.0.1:%d", s.lab.ports[w->listener]);
        exchange_run(&other, &c, w, "/", NULL); /* what was told is valid until finish */
        exchange_finish(&other);
        expect_in(t, "address", facts.address, address);
        if (facts.proxy.len) {
            trial_fail(t, "facts gave \"%.*s\" for proxy, there is none", AQ_STR_ARG(facts.proxy));
        }
        if (!w->tls && (facts.tls.len || facts.subject.len)) {
            trial_fail(t, "facts told of TLS, and this was %s", w->name);
        }
        if (w->tls) {
            expect_in(t, "tls", facts.tls, "TLSv1.");
            expect_certificate(t, &facts, LAB_DAYS);
        }
        if (facts.answered_us == 0 || facts.connected_us > facts.answered_us) {
            trial_fail(t, "facts gave %u us until the connection and %u us until the answer",
                       facts.connected_us, facts.answered_us);
        }
        exchange_finish(&e);
        client_close(&c);
    }
    scene_close(&s);
}

static void tells_of_failures(struct trial *t)
{
    struct scene s;
    struct client c;
    struct exchange e;
    need_facts(t);
    scene_open(&s, t, NULL);
    if (!scene_with_tls(&s)) {
        trial_skip(t, "it speaks nothing over TLS, see transport.protocols");
    }
    client_open(&c, &s);
    exchange_start_url(&e, &c, lab_url(&s.lab, LAB_EXPIRED, "/"), &ask);
    exchange_until_over(&e);
    const struct aq_facts facts = ask_facts(&e);
    expect_certificate(t, &facts, -400);
    if (facts.answered_us) {
        trial_fail(t, "facts gave %u us until an answer that never came", facts.answered_us);
    }
    exchange_finish(&e);
    client_close(&c);
    scene_close(&s);
}

static void tells_no_password(struct trial *t)
{
    struct scene s;
    struct client c;
    struct exchange e;
    need_facts(t);
    if (!trial_declares(t, "https_proxy")) {
        trial_skip(t, "it declares no setting 'https_proxy', by which a proxy is named to it");
    }
    scene_open(&s, t, NULL);
    const struct way *way = scene_with_tls(&s);
    if (!way) {
        trial_skip(t, "it speaks nothing over TLS, see transport.protocols");
    }
    trial_set(t, "https_proxy", lab_proxy_url(&s.lab, LAB_PROXY_PASSWORD));
    client_open(&c, &s);
    exchange_run(&e, &c, way, "/", &ask);
    exchange_expect_text(&e, "ok");
    const struct aq_facts facts = ask_facts(&e);
    const char *bare = lab_proxy_url(&s.lab, NULL);
    if (facts.proxy.len &&
        (facts.proxy.len != strlen(bare) || memcmp(facts.proxy.ptr, bare, facts.proxy.len) != 0)) {
        trial_fail(t, "facts gave \"%.*s\" for proxy, it is \"%s\"", AQ_STR_ARG(facts.proxy), bare);
    }
    expect_in(t, "address", facts.address, strrchr(bare, '/') + 1);
    exchange_finish(&e);
    client_close(&c);
    scene_close(&s);
}

const struct clause transport_facts_clauses[] = {
    { "transport.facts.true", "What facts tells of a call is so, and valid until finish.",
      tells_the_truth, 0, 0 },
    { "transport.facts.failed", "facts tells of a call that has failed as far as it came.",
      tells_of_failures, 0, 0 },
    { "transport.facts.proxy", "facts names a proxy without its user and password.",
      tells_no_password, 0, 0 },
    CLAUSES_END,
};
