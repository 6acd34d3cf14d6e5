/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "transport.h"

bool facts_prepare(struct facts **facts, CURL *easy)
{
    *facts = calloc(1, sizeof(**facts));
    return *facts && curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L) == CURLE_OK;
}

static struct aq_str view(const char *text)
{
    return (struct aq_str){ text, strlen(text) };
}

/* Copy, without what a terminal could obey. */
static struct aq_str keep(char *buf, size_t cap, const char *text)
{
    snprintf(buf, cap, "%s", text);
    for (char *p = buf; *p; p++) {
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
    }
    return view(buf);
}

static uint32_t time_of(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return us > 0 && us < UINT32_MAX ? (uint32_t)us : 0;
}

static void tell_address(CURL *easy, struct facts *facts, struct aq_facts *ret)
{
    char *ip = NULL;
    long port = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    if (ip && *ip && port > 0) {
        snprintf(facts->address, sizeof(facts->address), strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld",
                 ip, port);
        ret->address = view(facts->address);
    }
}

/* Without user and password. */
static void tell_proxy(const struct call *call, struct facts *facts, struct aq_facts *ret)
{
    const char *proxy = call->outgoing.proxy;
    if (!proxy) {
        return;
    }
    const char *scheme_end = strstr(proxy, "://");
    const char *rest = scheme_end ? scheme_end + strlen("://") : proxy;
    const char *at = strrchr(rest, '@');
    char text[sizeof(facts->proxy)];
    snprintf(text, sizeof(text), "%.*s%s", scheme_end ? (int)(rest - proxy) : 0, proxy,
             at ? at + 1 : rest);
    ret->proxy = keep(facts->proxy, sizeof(facts->proxy), text);
}

/* The first certificate is the peer's: lines of "Name:value". */
static void tell_certificate(CURL *easy, struct facts *facts, struct aq_facts *ret)
{
    static const char subject[] = "Subject:";
    static const char issuer[] = "Issuer:";
    static const char end[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain ||
        chain->num_of_certs < 1) {
        return;
    }
    for (const struct curl_slist *line = chain->certinfo[0]; line; line = line->next) {
        if (strncmp(line->data, subject, strlen(subject)) == 0) {
            ret->subject =
                keep(facts->subject, sizeof(facts->subject), line->data + strlen(subject));
        } else if (strncmp(line->data, issuer, strlen(issuer)) == 0) {
            ret->issuer = keep(facts->issuer, sizeof(facts->issuer), line->data + strlen(issuer));
        } else if (strncmp(line->data, end, strlen(end)) == 0) {
            const time_t at = curl_getdate(line->data + strlen(end), NULL);
            ret->not_after_s = at > 0 ? at : 0;
        }
    }
}

aq_status facts_tell(const struct call *call, struct aq_facts *ret)
{
    struct facts *facts = call->facts;
    struct aq_facts known = { .struct_size = ret->struct_size };
    if (!facts) {
        return AQ_E_UNSUPPORTED;
    }
    tell_address(call->easy, facts, &known);
    tell_proxy(call, facts, &known);
    if (call->outgoing.https) {
        char trust[sizeof(facts->trust)];
        options_name_trust(&call->transport->options, call->easy, trust, sizeof(trust));
        known.trust = keep(facts->trust, sizeof(facts->trust), trust);
        tell_certificate(call->easy, facts, &known);
    }
    if (call->attempted) {
        known.connected_us = time_of(call->easy, CURLINFO_PRETRANSFER_TIME_T);
    }
    if (call->head.complete) {
        known.answered_us = time_of(call->easy, CURLINFO_STARTTRANSFER_TIME_T);
    }
    memcpy(ret, &known, ret->struct_size < sizeof(known) ? ret->struct_size : sizeof(known));
    return AQ_OK;
}
