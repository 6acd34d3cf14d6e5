/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that break HTTP/2, or exhaust who listens to them. Whatever they do, the call ends with an
 * error, within two seconds of our time and 16 MiB; transport-h2 says what is wrong, libcurl what
 * it makes of it. */
#include "cases.h"

#include <sys/resource.h>

#define GROWTH_KIB (16 * 1024)
#define CPU_US 2000000
#define PATIENCE_MS 300 /* with floods that libcurl does not count */

#define FLOOD "too many frames"
#define BROKEN "broken HTTP/2"
#define LARGE "header of the answer is too large"

static const struct attack {
    const char *path;
    const char *text;   /* of transport-h2 */
    aq_status status;   /* of transport-h2 */
    bool taken_for_end; /* by libcurl, of an answer whose length it does not know */
} attacks[] = {
    /* Frames that carry nothing. */
    { "/ping-flood", FLOOD, AQ_E_LIMIT, false },
    { "/pong-flood", FLOOD, AQ_E_LIMIT, false },
    { "/settings-flood", FLOOD, AQ_E_LIMIT, false },
    { "/window-flood", FLOOD, AQ_E_LIMIT, false },
    { "/stream-window-flood", FLOOD, AQ_E_LIMIT, false },
    { "/priority-flood", FLOOD, AQ_E_LIMIT, false },
    { "/unknown-flood", FLOOD, AQ_E_LIMIT, false },
    { "/empty-data-flood", FLOOD, AQ_E_LIMIT, false },
    { "/padding-flood", FLOOD, AQ_E_LIMIT, false },
    { "/goaway-flood", FLOOD, AQ_E_LIMIT, false },
    { "/settings-ack-flood", BROKEN, AQ_E_PROTOCOL, false },
    { "/reset-flood", "reset the request", AQ_E_NETWORK, false },
    /* Heads without end. */
    { "/continuation-flood", FLOOD, AQ_E_LIMIT, false },
    { "/empty-continuation-flood", FLOOD, AQ_E_LIMIT, false },
    { "/hpack-bomb", LARGE, AQ_E_LIMIT, false },
    { "/hpack-bomb-in-one-frame", LARGE, AQ_E_LIMIT, false },
    { "/interim-flood", LARGE, AQ_E_LIMIT, false },
    /* Heads that break a rule. */
    { "/unknown-index", BROKEN, AQ_E_PROTOCOL, false },
    { "/endless-number", BROKEN, AQ_E_PROTOCOL, false },
    { "/no-status", "", AQ_E_PROTOCOL, false },
    { "/status-after-field", "", AQ_E_PROTOCOL, false },
    { "/two-statuses", "", AQ_E_PROTOCOL, false },
    { "/status-of-two-digits", "", AQ_E_PROTOCOL, false },
    { "/status-099", "", AQ_E_PROTOCOL, false },
    { "/status-600", "", AQ_E_PROTOCOL, false },
    { "/status-101", "", AQ_E_PROTOCOL, false },
    { "/upper-case-name", "", AQ_E_PROTOCOL, false },
    { "/connection-field", "", AQ_E_PROTOCOL, false },
    { "/nul-in-value", "", AQ_E_PROTOCOL, false },
    { "/return-in-value", "", AQ_E_PROTOCOL, false },
    { "/line-end-in-value", "", AQ_E_PROTOCOL, false },
    { "/blank-in-name", "", AQ_E_PROTOCOL, false },
    { "/two-lengths", "", AQ_E_PROTOCOL, false },
    { "/negative-length", "", AQ_E_PROTOCOL, false },
    { "/short-of-its-length", "", AQ_E_PROTOCOL, false },
    { "/beyond-its-length", "", AQ_E_PROTOCOL, false },
    /* Frames that break a rule. */
    { "/data-before-head", BROKEN, AQ_E_PROTOCOL, false },
    { "/data-for-nobody", BROKEN, AQ_E_PROTOCOL, false },
    { "/data-for-a-stream-to-come", BROKEN, AQ_E_PROTOCOL, false },
    { "/head-for-a-stream-to-come", BROKEN, AQ_E_PROTOCOL, false },
    { "/head-of-a-stream-of-its-own", BROKEN, AQ_E_PROTOCOL, false },
    { "/second-head", BROKEN, AQ_E_PROTOCOL, false },
    { "/head-within-head", BROKEN, AQ_E_PROTOCOL, false },
    { "/continuation-of-nothing", BROKEN, AQ_E_PROTOCOL, false },
    { "/promise", BROKEN, AQ_E_PROTOCOL, false },
    { "/huge-frame", BROKEN, AQ_E_PROTOCOL, false },
    { "/frame-beyond-our-limit", BROKEN, AQ_E_PROTOCOL, true },
    { "/wrong-ping", BROKEN, AQ_E_PROTOCOL, false },
    { "/wrong-setting", BROKEN, AQ_E_PROTOCOL, false },
    { "/window-of-zero", BROKEN, AQ_E_PROTOCOL, false },
    { "/window-overflow", BROKEN, AQ_E_PROTOCOL, false },
    { "/padding-beyond-the-frame", BROKEN, AQ_E_PROTOCOL, true },
};

static long cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static void assert_ended(const struct exchange *e, const struct attack *attack)
{
    if (subject.http2_alone) {
        assert_failed(e, attack->status, attack->text);
    } else if (attack->taken_for_end && e->error.status == AQ_OK) {
        assert_body(e, "");
    } else {
        assert_failed_somehow(e);
    }
    assert_int_equal(e->error.flags & AQ_ERROR_NOT_SENT, 0);
}

static void suffer(const char *listener, const struct attack *attack)
{
    struct client client;
    struct exchange e;
    static const char *const headers[] = { "Authorization: Bearer secret", NULL };
    const uint32_t patience_ms = subject.http2_alone ? 0 : PATIENCE_MS;
    const struct ask ask = { .method = "POST",
                             .headers = headers,
                             .body = "secret",
                             .body_len = 6,
                             .first_byte_ms = patience_ms,
                             .idle_ms = patience_ms };
    char path[64];
    snprintf(path, sizeof(path), "%s?secret", attack->path);
    memory_forget_peak();
    long memory = memory_now_kib();
    long cpu = cpu_us();
    client_open(&client, NULL);
    exchange_start(&e, &client, server_url(listener, path), &ask);
    exchange_until_over(&e);
    cpu = cpu_us() - cpu;
    memory = memory_peak_kib() - memory;
    assert_ended(&e, attack);
    if (!AQ_TEST_SANITIZED) {
        print_message("%ld ms, %ld KiB: %s\n", cpu / 1000, memory, e.error.text);
        assert_in_range(cpu, 0, CPU_US);
        assert_true(memory <= GROWTH_KIB);
    }
    exchange_finish(&e);
    client_close(&client);
}

static void ends_the_call(void **state)
{
    suffer("hostile", *state);
}

static void ends_the_call_over_tls(void **state)
{
    suffer("hostile-tls", *state);
}

static void keys_that_change_for_ever_end_the_call(void **state)
{
    static const struct attack flood = { "/key-updates", FLOOD, AQ_E_LIMIT, false };
    (void)state;
    if (!subject.http2_alone) {
        skip(); /* libcurl goes on for as long as they come */
    }
    suffer("key-updates", &flood);
}

static void a_head_that_drips_in_for_ever_ends_the_call_when_its_time_is_up(void **state)
{
    const struct ask ask = { .first_byte_ms = 300 };
    struct client client;
    struct exchange e;
    (void)state;
    client_open(&client, NULL);
    exchange_run(&e, &client, server_url("hostile-tls", "/drip-head"), &ask);
    if (subject.http2_alone) {
        assert_failed(&e, AQ_E_TIMEOUT, "first byte timeout");
    } else {
        assert_failed_somehow(&e); /* too many frames for nghttp2's own limit */
    }
    exchange_finish(&e);
    client_close(&client);
}

int main(void)
{
    static const char *const listeners[] = { "hostile", "hostile-tls", "key-updates", NULL };
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_change_for_ever_end_the_call),
        cmocka_unit_test(a_head_that_drips_in_for_ever_ends_the_call_when_its_time_is_up),
    };
    CASES_ADD_ALL(tests);
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        cases_add(ends_the_call_over_tls, &attacks[i], "ends_the_call_over_tls: %s",
                  attacks[i].path + 1);
        if (subject.http2_alone) { /* libcurl speaks HTTP/1.1 without TLS */
            cases_add(ends_the_call, &attacks[i], "ends_the_call: %s", attacks[i].path + 1);
        }
    }
    server_start(listeners);
    return cases_run(NULL, server_stop);
}
