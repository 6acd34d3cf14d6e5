/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies are settings; a transport that declares none of them has none to use. */
#include "exchange.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEARER "Bearer proxy-must-not-see-it"

static const struct way *open_lab(struct scene *s, struct trial *t)
{
    if (!trial_declares(t, "https_proxy")) {
        trial_skip(t, "it declares no setting 'https_proxy', by which a proxy is named to it");
    }
    scene_open(s, t, NULL);
    const struct way *way = scene_with_tls(s);
    if (!way) {
        trial_skip(t, "it speaks nothing over TLS, see transport.protocols");
    }
    return way;
}

static void set_proxy(struct scene *s, const char *password, char *url, size_t cap)
{
    snprintf(url, cap, "%s", lab_proxy_url(&s->lab, password));
    trial_set(s->trial, "https_proxy", url);
}

static unsigned tunnels(const struct scene *s)
{
    return atomic_load(&s->lab.record->accepted[LAB_PROXY]);
}

/* The value of a field that must not be there. */
static void expect_none(struct trial *t, const struct lab_seen *seen, const char *name,
                        const char *who)
{
    char value[256];
    if (lab_field(seen, name, value, sizeof(value))) {
        trial_fail(t, "%s was sent the field %s", who, name);
    }
}

static void goes_through(struct trial *t)
{
    const struct ask ask = { .fields = "authorization: " BEARER "\n" };
    char url[256];
    struct scene s;
    open_lab(&s, t);
    set_proxy(&s, LAB_PROXY_PASSWORD, url, sizeof(url));
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        const unsigned before = atomic_load(&s.lab.record->count);
        const struct lab_seen *seen = &s.lab.record->seen[before];
        struct client c;
        struct exchange e;
        if (!w->tls) {
            continue;
        }
        client_open(&c, &s);
        exchange_run(&e, &c, w, "/", &ask);
        exchange_expect_text(&e, "ok");
        if (strcmp(seen[0].method, "CONNECT") != 0 || seen[0].listener != LAB_PROXY) {
            trial_fail(t, "%s did not go through the proxy that https_proxy names", w->name);
        }
        expect_none(t, &seen[0], "authorization", "the proxy");
        expect_none(t, &seen[1], "proxy-authorization", "the peer behind the proxy");
        if (exchange_field(&e, "x-proxy", 0).ptr) {
            trial_fail(t, "%s: a field of the proxy was given as one of the answer", w->name);
        }
        exchange_finish(&e);
        client_close(&c);
    }
    scene_close(&s);
}

static void is_refused(struct trial *t)
{
    static const char wrong[] = "wrong-lab-password";
    char url[256];
    struct scene s;
    struct client c;
    struct exchange e;
    const struct way *way = open_lab(&s, t);
    trial_plant_secret(t, wrong);
    set_proxy(&s, wrong, url, sizeof(url));
    client_open(&c, &s);
    exchange_run(&e, &c, way, "/behind", NULL);
    exchange_expect_error(&e, AQ_E_NETWORK, "the proxy had refused with 407");
    if (!(e.error.flags & AQ_ERROR_NOT_SENT)) {
        trial_breach(t, "transport.error.not-sent",
                     "AQ_ERROR_NOT_SENT was not set, and the proxy had refused to connect");
    }
    if (lab_requests(&s.lab, "/behind", NULL)) {
        trial_fail(t, "a request reached its peer though the proxy had refused; there is no way "
                      "around a proxy");
    }
    exchange_finish(&e);
    client_close(&c);
    scene_close(&s);
}

static void leaves_hosts_out(struct trial *t)
{
    char url[256];
    struct scene s;
    struct client c;
    struct exchange e;
    if (!trial_declares(t, "no_proxy")) {
        trial_skip(t, "it declares no setting 'no_proxy'");
    }
    const struct way *way = open_lab(&s, t);
    set_proxy(&s, LAB_PROXY_PASSWORD, url, sizeof(url));
    trial_set(t, "no_proxy", "example.com,localhost");
    client_open(&c, &s);
    exchange_run(&e, &c, way, "/", NULL);
    exchange_expect_text(&e, "ok");
    if (tunnels(&s)) {
        trial_fail(t, "no_proxy names localhost, and the proxy was asked for it");
    }
    exchange_finish(&e);
    client_close(&c);
    scene_close(&s);
}

static void leaves_plain_http_out(struct trial *t)
{
    char url[256];
    struct scene s;
    struct client c;
    struct exchange e;
    open_lab(&s, t);
    const struct way *way = scene_next(&s, NULL);
    if (way->tls) {
        trial_skip(t, "it speaks no plain http");
    }
    set_proxy(&s, LAB_PROXY_PASSWORD, url, sizeof(url));
    client_open(&c, &s);
    exchange_run(&e, &c, way, "/", NULL);
    exchange_expect_text(&e, "ok");
    if (tunnels(&s)) {
        trial_fail(t, "plain http, which is for this machine alone, went through the proxy");
    }
    exchange_finish(&e);
    client_close(&c);
    scene_close(&s);
}

static void ignores_the_environment(struct trial *t)
{
    static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy",
                                         "ALL_PROXY" };
    struct scene s;
    struct client c;
    scene_open_unknown(&s, t, NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv(names[i], lab_proxy_url(&s.lab, LAB_PROXY_PASSWORD), 1);
    }
    if (!scene_find_ways(&s)) {
        trial_skip(t, "it speaks no protocol of the lab, see transport.protocols");
    }
    client_open(&c, &s);
    exchange_expect_well(&c);
    client_close(&c);
    if (tunnels(&s)) {
        trial_fail(t, "it took a proxy from the environment; a plugin reads no variable, it "
                      "declares a setting that names one");
    }
    scene_close(&s);
}

const struct clause transport_proxy_clauses[] = {
    { "transport.proxy.tunnel", "https goes through CONNECT, with credentials for the proxy alone.",
      goes_through, 0, 0 },
    { "transport.proxy.refused", "A proxy that refuses is AQ_E_NETWORK, and is not gone around.",
      is_refused, 0, 0 },
    { "transport.proxy.exceptions", "Hosts of no_proxy are reached directly.", leaves_hosts_out, 0,
      0 },
    { "transport.proxy.plain", "Plain http never goes through a proxy.", leaves_plain_http_out, 0,
      0 },
    { "transport.proxy.environment", "Proxies come from settings, never from the environment.",
      ignores_the_environment, 0, 0 },
    CLAUSES_END,
};
