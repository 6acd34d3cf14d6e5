/* SPDX-License-Identifier: Apache-2.0 */
/* Every host that this login needs: can it be reached, is it who it should be, does its clock
 * agree, does it take the login. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "client/check.h"
#include "wire/endpoint.h"
#include "wire/renewal.h"
#include "wire/timestamp.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
    SKEW_WARN_S = 60, /* as much as a token must still be valid for */
    SKEW_FAIL_S = 300,
    CERTIFICATE_WARN_S = 14 * 24 * 3600,
};

/* Names of the findings about one host. */
static const struct subjects {
    const char *connect, *certificate, *clock, *login;
} sign_in = { "sign-in.connect", "sign-in.certificate", "sign-in.clock", NULL },
  service = { "service.connect", "service.certificate", "service.clock", "service.login" };

static const struct subjects *subjects_of(const struct check_network *n)
{
    return n->next == 0 ? &sign_in : &service;
}

void check_network_done(struct check_network *n, bool forked)
{
    probe_done(&n->probe, forked);
    buf_done(&n->url);
    *n = (struct check_network){ 0 };
}

/* ---- which hosts ---- */

/* "https://HOST" of a URL: its path may name an organisation, and is not needed to get there. */
static void cut_path(struct buf *url)
{
    const char *text = (const char *)url->ptr;
    const char *host = text ? strstr(text, "://") : NULL;
    const char *slash = host ? strchr(host + sizeof("://") - 1, '/') : NULL;
    if (slash) {
        url->len = (size_t)(slash - text);
        url->ptr[url->len] = '\0';
    }
}

/* Whom a new token is asked of. AQ_E_NOTFOUND: somebody else asks, or nobody does. */
static aq_status sign_in_url(struct check_network *n, struct aq_error *err)
{
    const struct source_login *login = &n->login->found;
    enum token_kind kind = n->login->has_login ? login->source->kind : TOKEN_OIDC;
    if (!n->login->has_login && settings_sign(&n->client->settings)) {
        return AQ_E_NOTFOUND;
    }
    if (n->login->has_login && (store_grants(login->store) || !store_can_refresh(login->store))) {
        return AQ_E_NOTFOUND;
    }
    aq_status st = renewal_endpoint(AQ_STR("login"), kind, &login->token, AQ_STR("us-east-1"),
                                    source_endpoint(n->client, kind), &n->url, err);
    if (st == AQ_OK) {
        cut_path(&n->url);
    }
    return st;
}

/* A site of the service, or the one that the user named. */
static aq_status service_url(struct check_network *n, uint32_t site, struct aq_error *err)
{
    struct aq_str url = settings_get(&n->client->settings, SETTINGS_ENDPOINT).text;
    struct aq_str other;
    if (settings_has_service(&n->client->settings, &other) && url.len == 0) {
        url = other;
    }
    n->named = url.len > 0;
    if (n->named) {
        return endpoint_check(AQ_STR("endpoint"), url, true, &n->url, err);
    }
    return endpoint_service(site, false, endpoint_region(buf_str(&n->login->profile_arn)), &n->url,
                            err);
}

/* ---- what is told of one ---- */

/* How the request went, for a person: ", through the proxy P (from HTTPS_PROXY)". */
static void add_proxy(const struct check_network *n, struct buf *out)
{
    static const char *const keys[] = { "https_proxy", "all_proxy" };
    const struct plugin *plugin = &n->client->transport_plugin;
    const struct aq_str proxy = n->probe.facts.proxy;
    if (proxy.len == 0) {
        return;
    }
    buf_printf(out, ", through the proxy %.*s", AQ_STR_ARG(proxy));
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (uint32_t i = 0; i < plugin->info.setting_count; i++) {
            struct aq_setting setting = plugin_setting(plugin, i);
            struct settings_value value =
                settings_get_plugin(&n->client->settings, "transport", plugin->info.name, &setting);
            if (str_eq(str_from(setting.key), str_from(keys[k])) && value.text.len) {
                buf_add_char(out, ' ');
                check_origin(n->client, value, out);
                return;
            }
        }
    }
}

/* Where the certificates that are trusted come from: ", trusted by FILE (from SSL_CERT_FILE)". */
static void add_trust(const struct check_network *n, struct buf *out)
{
    static const char *const keys[] = { "ca_bundle", "ca_dir" };
    const struct plugin *plugin = &n->client->transport_plugin;
    struct settings_value chosen = settings_get(&n->client->settings, SETTINGS_CA_BUNDLE);
    if (n->probe.facts.trust.len == 0) {
        return;
    }
    buf_printf(out, "; trusted are those of %.*s", AQ_STR_ARG(n->probe.facts.trust));
    for (uint32_t i = 0; i < plugin->info.setting_count; i++) {
        struct aq_setting setting = plugin_setting(plugin, i);
        struct settings_value value =
            settings_get_plugin(&n->client->settings, "transport", plugin->info.name, &setting);
        bool is_trust = str_eq(str_from(setting.key), str_from(keys[0])) ||
                        str_eq(str_from(setting.key), str_from(keys[1]));
        if (is_trust && value.text.len && value.origin > chosen.origin) {
            chosen = value;
        }
    }
    buf_add_char(out, ' ');
    check_origin(n->client, chosen, out);
}

/* What the operating system says of it: " (Connection refused)". */
static void add_reason(const struct aq_error *error, struct buf *out)
{
    char reason[96];
    if (error->status == AQ_E_NETWORK && error->sys) {
        buf_printf(out, " (%s)", strerror_r(error->sys, reason, sizeof(reason)));
    }
}

static void tell_connection(const struct check_network *n)
{
    AUTO(buf) struct buf way = BUF(PATH_MAX);
    AUTO(buf) struct buf reason = BUF(0);
    const struct probe *p = &n->probe;
    const struct aq_facts *facts = &p->facts;
    if (facts->address.len) {
        buf_printf(&way, " at %.*s", AQ_STR_ARG(facts->address));
    }
    if (facts->tls.len) {
        buf_printf(&way, ", %.*s", AQ_STR_ARG(facts->tls));
    }
    if (facts->connected_us) {
        buf_printf(&way, ", connected after %u ms", facts->connected_us / 1000);
    }
    if (facts->answered_us) {
        buf_printf(&way, ", answered after %u ms", facts->answered_us / 1000);
    }
    add_proxy(n, &way);
    if (p->answered) {
        findings_add(n->findings, AQ_FINDING_OK, subjects_of(n)->connect, NULL, "%.*s: %.*s%.*s",
                     AQ_STR_ARG(buf_str(&n->url)), AQ_STR_ARG(p->protocol),
                     AQ_STR_ARG(buf_str(&way)));
    } else {
        add_reason(&p->error, &reason);
        findings_add(n->findings, AQ_FINDING_FAIL, subjects_of(n)->connect, NULL, "%s%.*s%s%.*s",
                     p->error.text, AQ_STR_ARG(buf_str(&reason)), way.len ? "; tried" : "",
                     AQ_STR_ARG(buf_str(&way)));
    }
}

static void add_certificate(const struct aq_facts *facts, struct buf *out)
{
    char until[TIMESTAMP_TEXT_MAX] = "";
    if (facts->subject.len == 0) {
        return;
    }
    buf_printf(out, "of %.*s, issued by %.*s", AQ_STR_ARG(facts->subject),
               AQ_STR_ARG(facts->issuer));
    if (facts->not_after_s && timestamp_format(facts->not_after_s, until)) {
        buf_printf(out, ", valid until %s", until);
    }
}

/* Transports say why they refuse a certificate in these words (docs/writing-a-transport.md). One
 * that does not, or has another reason, gets no advice: more trust is no cure for anything else. */
static const struct refusal {
    const char *words, *fix;
} refusals[] = {
    { ": certificate is signed by an authority",
      "If a proxy of your organisation inspects TLS, ask for its certificate and name the file "
      "with --ca-bundle or AWS_CA_BUNDLE." },
    { ": certificate has expired",
      "Compare the clock of this machine with another; if it is right, the owner of the host has "
      "to renew the certificate." },
    { ": certificate is not valid yet",
      "Compare the clock of this machine with another, and set it: timedatectl set-ntp true. If "
      "it is right, tell the owner of the host." },
    { ": certificate is not valid for this name",
      "Check the name of the host in the endpoint: who answers there is somebody else." },
};

/* NULL: nobody knows. */
static const char *refusal_fix(const struct aq_error *error)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (strstr(error->text, refusals[i].words)) {
            return refusals[i].fix;
        }
    }
    return NULL;
}

static void tell_certificate(const struct check_network *n)
{
    AUTO(buf) struct buf what = BUF(PATH_MAX);
    const struct probe *p = &n->probe;
    bool refused = !p->answered && p->error.status == AQ_E_TLS;
    bool ends_soon =
        p->facts.not_after_s && p->facts.not_after_s < clock_wall_s() + CERTIFICATE_WARN_S;
    const char *fix = refused     ? refusal_fix(&p->error)
                      : ends_soon ? "Tell the owner of the host that its certificate ends soon."
                                  : NULL;
    add_certificate(&p->facts, &what);
    if (what.len == 0 && !refused) {
        return;
    }
    buf_add(&what, what.len ? AQ_STR("") : AQ_STR("not shown by this transport"));
    add_trust(n, &what);
    findings_add(n->findings,
                 refused     ? AQ_FINDING_FAIL
                 : ends_soon ? AQ_FINDING_WARN
                             : AQ_FINDING_OK,
                 subjects_of(n)->certificate, fix, "%.*s: %.*s", AQ_STR_ARG(buf_str(&n->url)),
                 AQ_STR_ARG(buf_str(&what)));
}

static void tell_clock(const struct check_network *n)
{
    const struct probe *p = &n->probe;
    const char *subject = subjects_of(n)->clock;
    long long skew_s = p->skew_s < 0 ? -p->skew_s : p->skew_s;
    if (!p->has_date) {
        return;
    }
    if (skew_s <= SKEW_WARN_S) {
        findings_add(n->findings, AQ_FINDING_OK, subject, NULL,
                     "%.*s: agrees with the clock of this machine", AQ_STR_ARG(buf_str(&n->url)));
        return;
    }
    findings_add(n->findings, skew_s > SKEW_FAIL_S ? AQ_FINDING_FAIL : AQ_FINDING_WARN, subject,
                 "Set the clock of this machine, or have it set: timedatectl set-ntp true",
                 "%.*s: %lld s %s the clock of this machine", AQ_STR_ARG(buf_str(&n->url)), skew_s,
                 p->skew_s > 0 ? "ahead of" : "behind");
}

/* What may help a token that is rejected although it has not expired. */
static void advise(const struct source_login *login, char *ret, size_t size)
{
    bool renewable = login->token.refresh_token.len && store_can_refresh(login->store);
    if (renewable || store_grants(login->store)) {
        snprintf(ret, size,
                 "Run: q user export-token --force-refresh --access-only --quiet > /dev/null. "
                 "If this check says the same then, log in again.");
    } else if (login->source->sign_in.len) {
        snprintf(ret, size, "Nothing here can renew what is in %.*s: %.*s.",
                 AQ_STR_ARG(login->source->place), AQ_STR_ARG(login->source->sign_in));
    } else {
        snprintf(ret, size,
                 "Nothing here can renew it: log in again, or put a new token where it "
                 "comes from.");
    }
}

static void tell_acceptance(struct check_network *n)
{
    const struct probe *p = &n->probe;
    struct aq_str url = buf_str(&n->url);
    if (!p->exchange && !n->login->has_login && settings_sign(&n->client->settings)) {
        findings_add(n->findings, AQ_FINDING_OK, service.login, NULL,
                     "%.*s: not asked, for a signature is taken by chat alone", AQ_STR_ARG(url));
        return;
    }
    if (!p->exchange) {
        findings_add(n->findings, AQ_FINDING_WARN, service.login, NULL,
                     "%.*s: not asked, for want of a token that is valid", AQ_STR_ARG(url));
        return;
    }
    if (!p->answered) {
        return;
    }
    bool refused_login = p->error.status == AQ_E_AUTH || p->error.status == AQ_E_ACCESS ||
                         p->error.status == AQ_E_VALIDATION;
    bool last = n->named || n->next == ENDPOINT_SITES;
    if (p->accepted) {
        findings_add(n->findings, AQ_FINDING_OK, service.login, NULL, "%.*s: takes the login",
                     AQ_STR_ARG(url));
    } else if (refused_login && !last) {
        findings_add(n->findings, AQ_FINDING_WARN, service.login, NULL,
                     "%.*s: does not take the login (%s); another site may", AQ_STR_ARG(url),
                     p->error.text);
    } else {
        char fix[160];
        advise(&n->login->found, fix, sizeof(fix));
        findings_add(n->findings, AQ_FINDING_FAIL, service.login,
                     p->error.status == AQ_E_AUTH ? fix : NULL,
                     "%.*s: does not take the login (%s)", AQ_STR_ARG(url), p->error.text);
    }
    n->accepted = p->accepted || !refused_login;
}

static void tell(struct check_network *n)
{
    tell_connection(n);
    tell_certificate(n);
    tell_clock(n);
    if (n->next > 0) {
        tell_acceptance(n);
    }
}

/* ---- one after the other ---- */

static bool is_over(const struct check_network *n)
{
    bool one_is_enough = n->named || n->accepted || !n->login->usable;
    return n->next > ENDPOINT_SITES || (n->next > 1 && one_is_enough);
}

static aq_status begin(struct check_network *n, struct aq_op *op)
{
    struct aq_error err;
    buf_clear(&n->url);
    aq_status st = n->next == 0 ? sign_in_url(n, &err) : service_url(n, n->next - 1, &err);
    if (st == AQ_E_NOTFOUND) {
        return st;
    }
    if (st == AQ_OK) {
        const struct source_login *login = &n->login->found;
        bool ask = n->next > 0 && n->login->usable;
        enum token_kind kind =
            ask ? source_kind(login->source, login->store, &login->token) : TOKEN_KIND_UNKNOWN;
        st = probe_start(&n->probe, op, buf_str(&n->url),
                         ask ? login->token.access_token : AQ_STR(""), token_kind_name(kind),
                         buf_str(&n->login->profile_arn));
        err = n->probe.error;
    }
    if (st != AQ_OK) {
        findings_add(n->findings, AQ_FINDING_FAIL, subjects_of(n)->connect, NULL, "%s", err.text);
    }
    return st;
}

aq_status check_network_run(struct check_network *n, struct aq_op *op)
{
    while (!is_over(n)) {
        if (!n->probe.active && begin(n, op) != AQ_OK) {
            probe_done(&n->probe, false);
            n->next++;
            continue;
        }
        if (probe_run(&n->probe) == AQ_AGAIN) {
            return AQ_AGAIN;
        }
        tell(n);
        probe_done(&n->probe, false);
        n->next++;
        return AQ_OK;
    }
    return AQ_END;
}
