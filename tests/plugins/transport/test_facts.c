/* SPDX-License-Identifier: Apache-2.0 */
/* What a transport tells of a request's way: enough to find a fault, and no secret. */
#include "fixture.h"

#include <time.h>

static const struct ask asked = { .flags = AQ_REQUEST_FACTS };

static struct aq_facts facts_of(const struct exchange *e)
{
    struct aq_facts facts = { .struct_size = sizeof(facts) };
    assert_int_equal(e->client->ops->facts(e->call, &facts), AQ_OK);
    return facts;
}

static void assert_contains(struct aq_str text, const char *part)
{
    char copy[1024];
    snprintf(copy, sizeof(copy), "%.*s", AQ_STR_ARG(text));
    if (!strstr(copy, part)) {
        fail_msg("'%s' has no '%s'", copy, part);
    }
}

static void an_answer_has_an_address_a_certificate_and_times(void **state)
{
    struct client client;
    struct exchange e;
    char address[32];
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("tls", "/ok"), &asked);
    assert_body(&e, "ok");
    struct aq_facts facts = facts_of(&e);
    snprintf(address, sizeof(address), ":%d", server_port("tls"));
    assert_contains(facts.address, address);
    assert_int_equal(facts.proxy.len, 0);
    assert_contains(facts.trust, server_file("ca.pem"));
    assert_contains(facts.subject, "qservice");
    assert_contains(facts.issuer, "CA");
    assert_true(facts.not_after_s > time(NULL));
    assert_true(facts.connected_us > 0 && facts.answered_us >= facts.connected_us);
    exchange_finish(&e);
    client_close(&client);
}

static void who_did_not_say_so_before_is_told_nothing(void **state)
{
    struct aq_facts facts = { .struct_size = sizeof(facts) };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("tls", "/ok"), NULL);
    assert_int_equal(client.ops->facts(e.call, &facts), AQ_E_UNSUPPORTED);
    exchange_finish(&e);
    client_close(&client);
}

static void a_certificate_that_was_refused_can_be_looked_at(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    if (!subject.http2_alone) {
        skip(); /* libcurl tells nothing of those */
    }
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("expired", "/ok"), &asked);
    assert_failed(&e, AQ_E_TLS, "expired");
    struct aq_facts facts = facts_of(&e);
    assert_contains(facts.subject, "qservice");
    assert_true(facts.not_after_s > 0 && facts.not_after_s < time(NULL));
    assert_int_equal(facts.connected_us, 0);
    exchange_finish(&e);
    client_close(&client);
}

static void a_proxy_is_named_without_its_password(void **state)
{
    char proxy[96];
    char named[32];
    (void)state;
    snprintf(named, sizeof(named), "127.0.0.1:%d", server_port("proxy"));
    snprintf(proxy, sizeof(proxy), "http://user:secret@%s", named);
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "https_proxy", proxy },
                                               { 0 } };
    struct client client;
    struct exchange e;
    client_open(&client, settings);
    exchange_run(&e, &client, server_url("tls", "/ok"), &asked);
    assert_body(&e, "ok");
    struct aq_facts facts = facts_of(&e);
    snprintf(proxy, sizeof(proxy), "http://%s", named);
    assert_int_equal(facts.proxy.len, strlen(proxy));
    assert_contains(facts.proxy, proxy);
    exchange_finish(&e);
    client_close(&client);
}

static void without_a_connection_there_is_no_address(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, "https://name.invalid/", &asked);
    assert_failed(&e, AQ_E_NETWORK, "does not resolve");
    struct aq_facts facts = facts_of(&e);
    assert_int_equal(facts.address.len + facts.subject.len + facts.connected_us, 0);
    exchange_finish(&e);
    client_close(&client);
}

static void facts_may_be_asked_for_at_any_time(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url("tls", "/ok"), &asked);
    do {
        facts_of(&e);
        exchange_pull(&e);
    } while (!e.over && client_wait(&client, 10000));
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

int main(void)
{
    static const char *const listeners[] = { "tls", "expired", "proxy", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_an_address_a_certificate_and_times),
        cmocka_unit_test(who_did_not_say_so_before_is_told_nothing),
        cmocka_unit_test(a_certificate_that_was_refused_can_be_looked_at),
        cmocka_unit_test(a_proxy_is_named_without_its_password),
        cmocka_unit_test(without_a_connection_there_is_no_address),
        cmocka_unit_test(facts_may_be_asked_for_at_any_time),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
