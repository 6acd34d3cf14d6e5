/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is sent to a peer that cannot prove who it is. */
#include "fixture.h"

#include <errno.h>
#include <limits.h>
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
    assert_int_equal(server_number("gone", listener), 1);
    assert_int_equal(server_number("connections", listener), 1);
    assert_int_equal(server_number("heard", listener), 0);
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

static void a_certificate_that_is_not_valid_yet_is_refused(void **state)
{
    char certificate[192];
    (void)state;
    snprintf(certificate, sizeof(certificate), "%s", server_file("early.pem"));
    const struct plugin_setting settings[] = { { "ca_bundle", certificate }, { 0 } };
    refuse("early", settings, "not valid yet, check the clock");
}

static void a_certificate_that_vouches_for_itself_is_refused(void **state)
{
    char text[512];
    (void)state;
    snprintf(text, sizeof(text), "authority that %s does not hold", server_file("ca.pem"));
    refuse("self-signed", NULL, text);
}

static void a_certificate_of_an_unknown_authority_is_refused(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof(text),
             "authority that %s does not hold, add it there or name another with --ca-bundle",
             server_file("ca.pem"));
    refuse("unknown", NULL, text);
}

/* As of a company that has made its authority anew. */
static void a_certificate_of_a_namesake_of_the_authority_is_refused(void **state)
{
    static const struct {
        const char *listener, *authority;
    } namesakes[] = {
        { "namesake", "ca.pem" }, /* both with an EC key */
        { "rsa-namesake", "ca.pem" },
        { "namesake-of-rsa", "namesake-of-rsa.pem" },
        { "rsa-namesake-of-rsa", "rsa-namesake-of-rsa.pem" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(namesakes) / sizeof(namesakes[0]); i++) {
        char bundle[192];
        char text[512];
        snprintf(bundle, sizeof(bundle), "%s", server_file(namesakes[i].authority));
        snprintf(text, sizeof(text), "authority that %s does not hold", bundle);
        const struct plugin_setting settings[] = { { "ca_bundle", bundle }, { 0 } };
        print_message("%s\n", namesakes[i].listener);
        refuse(namesakes[i].listener, settings, text);
    }
}

static void tls_1_1_is_refused(void **state)
{
    (void)state;
    refuse("old-tls", NULL, "TLS 1.2");
}

/* Proxies that inspect TLS are often like that; closing would lock their users out. */
static void a_peer_that_does_not_choose_a_protocol_is_spoken_to_in_http_1_1(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    if (subject.http2_alone) {
        skip();
    }
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("no-alpn", "/ok"), NULL);
    assert_body(&e, "ok");
    assert_memory_equal(e.response.protocol.ptr, "HTTP/1.1", sizeof("HTTP/1.1"));
    exchange_finish(&e);
    client_close(&client);
}

static void
a_peer_without_http2_is_told_nothing_and_the_error_names_the_other_transport(void **state)
{
    static const char *const peers[] = { "no-alpn", "http1-tls", "http1" };
    (void)state;
    if (!subject.http2_alone) {
        skip();
    }
    for (size_t i = 0; i < 3; i++) {
        const bool tls = strcmp(peers[i], "http1") != 0;
        struct client client;
        struct exchange e;
        client_open(&client, NULL);
        exchange_run(&e, &client, server_url(peers[i], "/secret"), NULL);
        assert_failed(&e, AQ_E_PROTOCOL, "does not offer HTTP/2, use --transport curl");
        assert_int_equal(e.error.flags, tls ? AQ_ERROR_NOT_SENT : 0);
        exchange_finish(&e);
        client_close(&client);
        assert_int_equal(server_number("requests", "/secret"), 0);
    }
}

static void the_default_trust_does_not_include_our_authority(void **state)
{
    static const struct plugin_setting none[] = { { 0 } };
    (void)state;
    refuse("tls", none, "signed by an authority that /");
}

static void refuse_to_open(const char *key, const char *value, const char *text)
{
    const struct plugin_setting settings[] = { { key, value }, { 0 } };
    struct plugin_host host;
    struct aq_error err = { 0 };
    void *self = NULL;
    plugin_host_load(&host, TRANSPORT, settings);
    assert_int_equal(host.plugin->transport->open(&host.args, &self, &err), AQ_E_INVALID);
    assert_null(self);
    assert_string_equal(err.text, text);
    plugin_host_done(&host);
}

static void a_ca_bundle_that_cannot_be_read_is_named_before_any_request(void **state)
{
    (void)state;
    refuse_to_open("ca_bundle", "/nonexistent",
                   TRANSPORT_KEY ".ca_bundle: /nonexistent cannot be read: No such file or "
                                 "directory, check AWS_CA_BUNDLE, SSL_CERT_FILE or --ca-bundle");
    refuse_to_open("ca_bundle", "/etc",
                   TRANSPORT_KEY ".ca_bundle: /etc cannot be read: Is a directory, check "
                                 "AWS_CA_BUNDLE, SSL_CERT_FILE or --ca-bundle");
}

static void a_path_cannot_tell_a_terminal_what_to_do(void **state)
{
    (void)state;
    refuse_to_open("ca_bundle", "/\033]0;x\007\177",
                   TRANSPORT_KEY ".ca_bundle: /?]0;x?? cannot be read: No such file or directory, "
                                 "check AWS_CA_BUNDLE, SSL_CERT_FILE or --ca-bundle");
}

static void a_path_that_is_too_long_for_the_text_is_seen_to_be_cut(void **state)
{
    static const char key[] = TRANSPORT_KEY ".ca_bundle: ";
    char path[1001] = "/";
    char text[sizeof(((struct aq_error *)NULL)->text)];
    (void)state;
    memset(path + 1, 'x', sizeof(path) - 2);
    snprintf(text, sizeof(text), "%s%.*s", key, (int)(sizeof(text) - sizeof(key)), path);
    memcpy(text + sizeof(text) - 4, "...", 4);
    refuse_to_open("ca_bundle", path, text);
}

static void a_ca_dir_with_a_name_that_no_directory_can_have_is_refused(void **state)
{
    static char path[PATH_MAX + 1];
    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    const struct plugin_setting settings[] = { { "ca_dir", path }, { 0 } };
    struct plugin_host host;
    struct aq_error err = { 0 };
    void *self = NULL;
    plugin_host_load(&host, TRANSPORT, settings);
    assert_int_equal(host.plugin->transport->open(&host.args, &self, &err), AQ_E_INVALID);
    assert_int_equal(err.sys, ENAMETOOLONG);
    plugin_host_done(&host);
}

static void a_ca_dir_that_cannot_be_read_is_named_before_any_request(void **state)
{
    (void)state;
    refuse_to_open("ca_dir", "/nonexistent",
                   TRANSPORT_KEY ".ca_dir: /nonexistent cannot be read: No such file or "
                                 "directory, check SSL_CERT_DIR");
    refuse_to_open("ca_dir", "::",
                   TRANSPORT_KEY ".ca_dir: :: cannot be read: No such file or "
                                 "directory, check SSL_CERT_DIR");
    refuse_to_open("ca_dir", "/nonexistent:/etc/passwd",
                   TRANSPORT_KEY ".ca_dir: /nonexistent:/etc/passwd cannot be read: Not a "
                                 "directory, check SSL_CERT_DIR");
}

static void fail_with(const char *listener, const struct plugin_setting *settings, aq_status status,
                      const char *text)
{
    struct client client;
    struct exchange e;
    client_open(&client, settings);
    exchange_run(&e, &client, server_url(listener, "/secret"), NULL);
    assert_failed(&e, status, text);
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    exchange_finish(&e);
    client_close(&client);
}

/* The network does that, or a peer that is being restarted: worth another try. */
static void a_handshake_that_is_cut_off_is_a_network_error_of_a_request_not_sent(void **state)
{
    struct client client;
    struct exchange e;
    (void)state;
    fail_with("ends-handshake", NULL, AQ_E_NETWORK, "connection lost before an answer came");
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("resets-handshake", "/secret"), NULL);
    assert_failed(&e, AQ_E_NETWORK, "connection lost before an answer came");
    assert_int_equal(e.error.flags, AQ_ERROR_NOT_SENT);
    assert_int_equal(e.error.sys, ECONNRESET);
    exchange_finish(&e);
    client_close(&client);
}

static void one_directory_of_a_list_is_enough(void **state)
{
    static const struct plugin_setting settings[] = { { "ca_dir", "/nonexistent:/etc" }, { 0 } };
    (void)state;
    fail_with("tls", settings, AQ_E_TLS, "an authority that /nonexistent:/etc does not hold");
}

static void bundle_and_directory_are_both_named(void **state)
{
    char text[512];
    (void)state;
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") },
                                               { "ca_dir", "/etc" },
                                               { 0 } };
    snprintf(text, sizeof(text), "authority that %s and /etc do not hold", server_file("ca.pem"));
    fail_with("unknown", settings, AQ_E_TLS, text);
}

static void a_ca_bundle_without_certificates_is_named_before_any_request(void **state)
{
    (void)state;
    refuse_to_open("ca_bundle", "/etc/passwd",
                   TRANSPORT_KEY ".ca_bundle: /etc/passwd has no certificate in PEM form, check "
                                 "AWS_CA_BUNDLE, SSL_CERT_FILE or --ca-bundle");
}

static void a_ca_bundle_whose_certificate_is_damaged_is_named(void **state)
{
    char path[192];
    char text[512];
    (void)state;
    snprintf(path, sizeof(path), "%s", server_file("damaged.pem"));
    const struct plugin_setting settings[] = { { "ca_bundle", path }, { 0 } };
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs("-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n", out);
    fclose(out);
    snprintf(text, sizeof(text), "no certificates to trust can be read from %s", path);
    fail_with("tls", settings, AQ_E_INVALID, text);
}

/* A pipe can be read once, and that is for libcurl to do. */
static void a_ca_bundle_that_is_no_file_is_left_to_libcurl(void **state)
{
    static const struct plugin_setting settings[] = { { "ca_bundle", "/dev/null" }, { 0 } };
    (void)state;
    fail_with("tls", settings, AQ_E_INVALID, "no certificates to trust can be read from /dev/null");
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
    (void)state;
    setenv("SSL_CERT_FILE", server_file("ca.pem"), 1);
    setenv("CURL_CA_BUNDLE", server_file("ca.pem"), 1);
    fail_with("tls", none, AQ_E_TLS, "signed by an authority that /");
    unsetenv("SSL_CERT_FILE");
    unsetenv("CURL_CA_BUNDLE");
}

int main(void)
{
    static const char *const listeners[] = { "tls",
                                             "wrong-name",
                                             "expired",
                                             "early",
                                             "self-signed",
                                             "unknown",
                                             "namesake",
                                             "old-tls",
                                             "no-alpn",
                                             "http1",
                                             "http1-tls",
                                             "resets-handshake",
                                             "ends-handshake",
                                             "rsa-namesake",
                                             "namesake-of-rsa",
                                             "rsa-namesake-of-rsa",
                                             NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_for_another_name_is_refused),
        cmocka_unit_test(an_expired_certificate_is_refused),
        cmocka_unit_test(a_certificate_that_is_not_valid_yet_is_refused),
        cmocka_unit_test(a_certificate_that_vouches_for_itself_is_refused),
        cmocka_unit_test(a_certificate_of_an_unknown_authority_is_refused),
        cmocka_unit_test(a_certificate_of_a_namesake_of_the_authority_is_refused),
        cmocka_unit_test(tls_1_1_is_refused),
        cmocka_unit_test(a_handshake_that_is_cut_off_is_a_network_error_of_a_request_not_sent),
        cmocka_unit_test(a_peer_that_does_not_choose_a_protocol_is_spoken_to_in_http_1_1),
        cmocka_unit_test(
            a_peer_without_http2_is_told_nothing_and_the_error_names_the_other_transport),
        cmocka_unit_test(the_default_trust_does_not_include_our_authority),
        cmocka_unit_test(a_ca_bundle_that_cannot_be_read_is_named_before_any_request),
        cmocka_unit_test(a_path_cannot_tell_a_terminal_what_to_do),
        cmocka_unit_test(a_path_that_is_too_long_for_the_text_is_seen_to_be_cut),
        cmocka_unit_test(a_ca_dir_with_a_name_that_no_directory_can_have_is_refused),
        cmocka_unit_test(a_ca_dir_that_cannot_be_read_is_named_before_any_request),
        cmocka_unit_test(one_directory_of_a_list_is_enough),
        cmocka_unit_test(bundle_and_directory_are_both_named),
        cmocka_unit_test(a_ca_bundle_without_certificates_is_named_before_any_request),
        cmocka_unit_test(a_ca_bundle_whose_certificate_is_damaged_is_named),
        cmocka_unit_test(a_ca_bundle_that_is_no_file_is_left_to_libcurl),
        cmocka_unit_test(a_hashed_directory_is_trusted),
        cmocka_unit_test(the_environment_changes_nothing),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
