/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies come from settings alone, see only CONNECT, and their credentials stay with them. */
#include "cases.h"

#include <stdlib.h>

static const char *proxy(const char *credentials)
{
    static char url[96];
    snprintf(url, sizeof(url), "http://%s127.0.0.1:%d", credentials, server_port("proxy"));
    return url;
}

static void ask_through(const struct plugin_setting *settings, const char *url, long tunnels)
{
    struct client client;
    struct exchange e;
    long before = server_number("requests", "CONNECT");
    client_open(&client, settings);
    exchange_run(&e, &client, url, NULL);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
    assert_int_equal(server_number("requests", "CONNECT") - before, tunnels);
}

static void https_goes_through_a_tunnel(void **state)
{
    const char *headers[] = { "Authorization: Bearer x", NULL };
    const struct ask ask = { .headers = headers };
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "https_proxy", proxy("user:secret@") },
                                               { 0 } };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, settings);
    exchange_run(&e, &client, server_url("tls", "/tunnelled"), &ask);
    assert_body(&e, "ok");
    assert_int_equal(e.response.header_count, 1); /* none of the proxy's */
    exchange_finish(&e);
    client_close(&client);
    assert_null(strstr(server_text("head", "CONNECT"), "Bearer"));
    assert_non_null(strstr(server_text("head", "CONNECT"), "Proxy-Authorization: Basic"));
    assert_non_null(strstr(server_text("head", "/tunnelled"), "Bearer"));
    assert_null(strstr(server_text("head", "/tunnelled"), "Proxy-Authorization"));
}

static void all_proxy_stands_in_for_https_proxy(void **state)
{
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "all_proxy", proxy("user:secret@") },
                                               { 0 } };
    (void)state;
    ask_through(settings, server_url("tls", "/ok"), 1);
}

/* The same list means the same hosts to every transport. */
static const struct exemption {
    const char *list;
    const char *host;
    bool proxied;
} exemptions[] = {
    { "*", "localhost", false },
    { "LocalHost", "localhost", false },
    { ".localhost", "localhost", false },
    { "a.example localhost", "localhost", false },
    { ", localhost ,", "localhost", false },
    { "localhost.", "localhost", false },
    { "ocalhost", "localhost", true },
    { "my.localhost", "localhost", true },
    { "localhost.example", "localhost", true },
    { "*.localhost", "localhost", true },
    { "localhost:443", "localhost", true }, /* ports mean nothing */
    { "127.0.0.1", "localhost", true },     /* nobody looks the name up */
    { "127.0.0.1", "127.0.0.1", false },
    { "127.0.0.0/8", "127.0.0.1", false },
    { "127.0.0.0/31", "127.0.0.1", false },
    { "127.0.0.2/31", "127.0.0.1", true },
    { "10.0.0.0/", "127.0.0.1", true },
    { "10.0.0.0/x", "127.0.0.1", true },
    { "10.0.0.0/8,::1", "127.0.0.1", true },
    { "localhost", "127.0.0.1", true },
    { "", "127.0.0.1", true },
};

static void hosts_in_no_proxy(void **state)
{
    const struct exemption *row = *state;
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "https_proxy", proxy("user:secret@") },
                                               { "no_proxy", row->list },
                                               { 0 } };
    char url[64];
    snprintf(url, sizeof(url), "https://%s:%d/ok", row->host, server_port("tls"));
    ask_through(settings, url, row->proxied);
}

static void credentials_may_be_percent_encoded(void **state)
{
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "https_proxy", proxy("%75ser:se%63ret@") },
                                               { 0 } };
    (void)state;
    ask_through(settings, server_url("tls", "/ok"), 1);
}

/* Something else than a proxy: it hangs up, or does not speak HTTP; libcurl would wait for the end
 * of such an answer until the connect timeout. */
static void a_proxy_that_is_none_is_a_network_error_of_a_request_not_sent(void **state)
{
    static const char *const others[] = { "rude", "ssh" };
    const size_t count = subject.http2_alone ? 2 : 1;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        char url[64];
        snprintf(url, sizeof(url), "http://127.0.0.1:%d", server_port(others[i]));
        const struct plugin_setting settings[] = { { "https_proxy", url },
                                                   { "no_proxy", "other.example" },
                                                   { 0 } };
        struct client client;
        struct exchange e;
        client_open(&client, settings);
        exchange_run(&e, &client, server_url("tls", "/unproxied"), NULL);
        assert_failed(&e, AQ_E_NETWORK, "the proxy does not let us through");
        assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
        exchange_finish(&e);
        client_close(&client);
        assert_int_equal(server_number("requests", "/unproxied"), 0);
    }
}

static void plain_http_never_leaves_through_a_proxy(void **state)
{
    const struct plugin_setting settings[] = { { "https_proxy", proxy("user:secret@") },
                                               { "all_proxy", proxy("user:secret@") },
                                               { 0 } };
    (void)state;
    ask_through(settings, server_url("plain", "/ok"), 0);
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy",
                                         "ALL_PROXY" };
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv(names[i], "http://127.0.0.1:1", 1);
    }
    ask_through(NULL, server_url("tls", "/ok"), 0);
    ask_through(NULL, server_url("plain", "/ok"), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

static void no_proxy_of_the_environment_is_ignored(void **state)
{
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "https_proxy", proxy("user:secret@") },
                                               { 0 } };
    (void)state;
    setenv("no_proxy", "*", 1);
    ask_through(settings, server_url("tls", "/ok"), 1);
    unsetenv("no_proxy");
}

static void a_proxy_that_refuses_is_named_without_its_credentials(void **state)
{
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "https_proxy", proxy("user:wrong-secret@") },
                                               { 0 } };
    struct client client;
    struct exchange e;
    long before = server_number("requests", "CONNECT");
    (void)state;
    client_open(&client, settings);
    exchange_run(&e, &client, server_url("tls", "/refused"), NULL);
    assert_failed(&e, AQ_E_NETWORK, "proxy refused the connection with 407");
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    exchange_finish(&e);
    client_close(&client);
    assert_int_equal(server_number("requests", "CONNECT") - before, 1);
    assert_int_equal(server_number("requests", "/refused"), 0);
}

static void a_proxy_that_cannot_be_used_is_refused_by_its_setting_before_any_request(void **state)
{
    static const char *const keys[] = { "https_proxy", "all_proxy" };
    static const char *const bad[] = { "gopher://user:secret@localhost:1",
                                       "ftp://localhost",
                                       "http://user:secret@",
                                       "http://local host:1",
                                       "http://localhost:secret",
                                       "http://localhost:0",
                                       "http://localhost:1?secret",
                                       "http://localhost:1#secret",
                                       "http://user:%00secret@localhost:1",
                                       "http://user%0d%0a:secret@localhost:1",
                                       "http://user:p@secret@localhost:1" };
    static const char *const good[] = { "localhost", "localhost:3128", "HTTP://localhost",
                                        "http://u:p%40@[::1]:1", "http://u:100%@localhost:1/" };
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            const struct plugin_setting settings[] = { { keys[k], bad[i] }, { 0 } };
            struct plugin_host host;
            struct aq_error err = { 0 };
            char text[64];
            void *self = NULL;
            plugin_host_load(&host, TRANSPORT, settings);
            assert_int_equal(host.plugin->transport->open(&host.args, &self, &err), AQ_E_INVALID);
            assert_null(self);
            snprintf(text, sizeof(text), TRANSPORT_KEY ".%s: is not ", keys[k]);
            assert_memory_equal(err.text, text, strlen(text));
            assert_non_null(strstr(err.text, k == 0 ? ", check HTTPS_PROXY" : ", check ALL_PROXY"));
            assert_null(strstr(err.text, "secret"));
            plugin_host_done(&host);
        }
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
            const struct plugin_setting settings[] = { { keys[k], good[i] }, { 0 } };
            struct client client;
            client_open(&client, settings);
            client_close(&client);
        }
    }
}

/* What only libcurl speaks, the other transport refuses by naming it. */
static void other_kinds_of_proxies_are_for_libcurl(void **state)
{
    static const char *const urls[] = { "https://u:p@localhost:1", "socks4://localhost",
                                        "socks4a://localhost", "socks5://localhost",
                                        "socks5h://[::1]:1080" };
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const struct plugin_setting settings[] = { { "https_proxy", urls[i] }, { 0 } };
        struct plugin_host host;
        struct aq_error err = { 0 };
        void *self = NULL;
        plugin_host_load(&host, TRANSPORT, settings);
        aq_status st = host.plugin->transport->open(&host.args, &self, &err);
        assert_int_equal(st, subject.http2_alone ? AQ_E_INVALID : AQ_OK);
        assert_true(st == AQ_OK || strstr(err.text, "use --transport curl, check HTTPS_PROXY"));
        host.plugin->transport->close(self);
        plugin_host_done(&host);
    }
}

static void proxies_are_declared_as_secrets_and_resolved_by_the_host(void **state)
{
    struct client client;
    unsigned secrets = 0;
    (void)state;
    client_open(&client, NULL);
    for (uint32_t i = 0; i < client.host.plugin->setting_count; i++) {
        const struct aq_setting *setting = &client.host.plugin->settings[i];
        if (strstr(setting->key, "s_proxy") || strstr(setting->key, "all_proxy")) {
            assert_true(setting->flags & AQ_SETTING_SECRET);
            assert_non_null(strstr(setting->env, setting->key));
            secrets++;
        }
    }
    assert_int_equal(secrets, 2);
    client_close(&client);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "proxy", "rude", "ssh", NULL };
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(https_goes_through_a_tunnel),
        cmocka_unit_test(all_proxy_stands_in_for_https_proxy),
        cmocka_unit_test(credentials_may_be_percent_encoded),
        cmocka_unit_test(a_proxy_that_is_none_is_a_network_error_of_a_request_not_sent),
        cmocka_unit_test(plain_http_never_leaves_through_a_proxy),
        cmocka_unit_test(proxies_of_the_environment_are_ignored),
        cmocka_unit_test(no_proxy_of_the_environment_is_ignored),
        cmocka_unit_test(a_proxy_that_refuses_is_named_without_its_credentials),
        cmocka_unit_test(a_proxy_that_cannot_be_used_is_refused_by_its_setting_before_any_request),
        cmocka_unit_test(other_kinds_of_proxies_are_for_libcurl),
        cmocka_unit_test(proxies_are_declared_as_secrets_and_resolved_by_the_host),
    };
    CASES_ADD_ALL(tests);
    for (size_t i = 0; i < sizeof(exemptions) / sizeof(exemptions[0]); i++) {
        cases_add(hosts_in_no_proxy, &exemptions[i], "no_proxy '%s': %s %s a proxy",
                  exemptions[i].list, exemptions[i].host,
                  exemptions[i].proxied ? "through" : "without");
    }
    server_start(listeners);
    return cases_run(NULL, server_stop);
}
