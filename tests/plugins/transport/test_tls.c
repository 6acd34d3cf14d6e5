/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is sent to a peer that cannot prove who it is. */
#include "fixture.h"

#include <stdlib.h>

static void refuse(const char *listener, const struct plugin_setting *settings, const char *text)
{
    struct client client;
    struct exchange e;
    client_open(&client, settings);
    exchange_run(&e, &client, server_url(listener, "/secret"), NULL);
    assert_failed(&e, AQ_E_TLS, text);
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    assert_memory_equal(e.error.text, "https://localhost:", strlen("https://localhost:"));
    assert_false(e.head);
    exchange_finish(&e);
    client_close(&client);
    assert_int_equal(server_number("connections", listener), 1);
    assert_int_equal(server_number("requests", "/secret"), 0);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    (void)state;
    refuse("wrong-name", NULL, "not valid for this name");
}

static void an_expired_certificate_is_refused(void **state)
{
    (void)state;
    refuse("expired", NULL, "expired");
}

static void a_certificate_of_an_unknown_authority_is_refused(void **state)
{
    (void)state;
    refuse("unknown", NULL, "unknown authority, check ca_bundle");
}

static void tls_1_1_is_refused(void **state)
{
    (void)state;
    refuse("old-tls", NULL, "TLS 1.2");
}

static void the_default_trust_does_not_include_our_authority(void **state)
{
    static const struct plugin_setting none[] = { { 0 } };
    (void)state;
    refuse("tls", none, "unknown authority, check ca_bundle");
}

static void a_missing_ca_bundle_is_named(void **state)
{
    static const struct plugin_setting settings[] = { { "ca_bundle", "/nonexistent" }, { 0 } };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, settings);
    exchange_run(&e, &client, server_url("tls", "/secret"), NULL);
    assert_failed(&e, AQ_E_TLS, "check ca_bundle");
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    exchange_finish(&e);
    client_close(&client);
}

static void a_hashed_directory_is_trusted(void **state)
{
    char command[1024];
    struct client client;
    struct exchange e;
    (void)state;
    char certs[192];
    snprintf(certs, sizeof(certs), "%s", server_file("certs"));
    snprintf(command, sizeof(command), "mkdir '%s' && cp '%s' '%s' && openssl rehash '%s'", certs,
             server_file("ca.pem"), certs, certs);
    assert_int_equal(system(command), 0);
    const struct plugin_setting settings[] = { { "ca_dir", certs }, { 0 } };
    client_open(&client, settings);
    exchange_run(&e, &client, server_url("tls", "/ok"), NULL);
    assert_body(&e, "ok");
    exchange_finish(&e);
    client_close(&client);
}

static void the_environment_changes_nothing(void **state)
{
    static const struct plugin_setting none[] = { { 0 } };
    struct client client;
    struct exchange e;
    (void)state;
    setenv("SSL_CERT_FILE", server_file("ca.pem"), 1);
    setenv("CURL_CA_BUNDLE", server_file("ca.pem"), 1);
    client_open(&client, none);
    exchange_run(&e, &client, server_url("tls", "/secret"), NULL);
    assert_failed(&e, AQ_E_TLS, "unknown authority");
    exchange_finish(&e);
    client_close(&client);
    unsetenv("SSL_CERT_FILE");
    unsetenv("CURL_CA_BUNDLE");
}

int main(void)
{
    static const char *const listeners[] = { "tls",     "wrong-name", "expired",
                                             "unknown", "old-tls",    NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_for_another_name_is_refused),
        cmocka_unit_test(an_expired_certificate_is_refused),
        cmocka_unit_test(a_certificate_of_an_unknown_authority_is_refused),
        cmocka_unit_test(tls_1_1_is_refused),
        cmocka_unit_test(the_default_trust_does_not_include_our_authority),
        cmocka_unit_test(a_missing_ca_bundle_is_named),
        cmocka_unit_test(a_hashed_directory_is_trusted),
        cmocka_unit_test(the_environment_changes_nothing),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
