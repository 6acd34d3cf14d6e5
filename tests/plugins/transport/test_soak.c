/* SPDX-License-Identifier: Apache-2.0 */
/* Many short calls at once, to peers that answer, refuse, reset and go away as they like, some of
 * them cancelled at a random point. Each ends once, as its path says, and nothing is left behind.
 * AQ_TEST_SOAK_CALLS chooses how many, AQ_TEST_SEED which. */
#include "fixture.h"

#include <dirent.h>
#include <malloc.h>
#include <stdlib.h>

#define AT_ONCE 50
#define CALLS (subject.http2_alone ? 2000u : 400u) /* libcurl shakes hands for each */
#define KEPT_BYTES (512u * 1024u) /* that malloc keeps at hand, and counts as used */

static const struct way {
    const char *path;
    aq_status status[3]; /* it may end like this; AQ_OK, too */
} ways[] = {
    { "/ok", { AQ_OK, AQ_E_NETWORK, AQ_E_TRUNCATED } }, /* others may end its connection */
    { "/ok", { AQ_OK, AQ_E_NETWORK, AQ_E_TRUNCATED } },
    { "/ok", { AQ_OK, AQ_E_NETWORK, AQ_E_TRUNCATED } },
    { "/quiet", { AQ_E_CANCELLED, AQ_E_NETWORK, AQ_E_TRUNCATED } }, /* until it is cancelled */
    { "/refuse", { AQ_E_NETWORK, AQ_E_NETWORK, AQ_E_NETWORK } },
    { "/refuse-after-head", { AQ_E_TRUNCATED, AQ_E_NETWORK, AQ_E_NETWORK } },
    { "/reset-without-error", { AQ_OK, AQ_E_NETWORK, AQ_E_TRUNCATED } },
    { "/two-statuses", { AQ_E_PROTOCOL, AQ_E_NETWORK, AQ_E_NETWORK } },
    { "/go-away-before", { AQ_E_NETWORK, AQ_E_NETWORK, AQ_E_NETWORK } },
    { "/go-away-angry", { AQ_E_NETWORK, AQ_E_NETWORK, AQ_E_NETWORK } },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static struct slot {
    struct exchange exchange;
    const struct way *way;
    long patience; /* steps until it is cancelled */
} slots[AT_ONCE];

static unsigned number_from(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

static void begin(struct slot *slot, struct client *client)
{
    static const char *const listeners[] = { "hostile", "hostile-tls" };
    slot->way = &ways[(unsigned long)random() % WAYS];
    slot->patience = strcmp(slot->way->path, "/quiet") == 0 ? random() % 50 : random() % 400;
    /* libcurl speaks HTTP/1.1 without TLS. */
    const char *listener = listeners[subject.http2_alone ? random() % 2 : 1];
    exchange_start(&slot->exchange, client, server_url(listener, slot->way->path), NULL);
}

static bool is_expected(const struct slot *slot)
{
    const aq_status st = slot->exchange.error.status;
    if (!subject.http2_alone && st != AQ_OK) {
        assert_failed_somehow(&slot->exchange);
        return true;
    }
    return st == slot->way->status[0] || st == slot->way->status[1] || st == slot->way->status[2];
}

/* True if the call is over, and finished. */
static bool go_on(struct slot *slot)
{
    struct exchange *e = &slot->exchange;
    if (e->news) {
        exchange_pull(e);
    }
    if (!e->over && slot->patience-- > 0) {
        return false;
    }
    if (e->over && !is_expected(slot)) {
        fail_msg("%s: %d '%s'", slot->way->path, e->error.status, e->error.text);
    }
    exchange_finish(e);
    slot->way = NULL;
    return true;
}

static void run(unsigned calls)
{
    struct client client;
    unsigned started = 0;
    unsigned ended = 0;
    client_open(&client, NULL);
    while (ended < calls) {
        for (size_t i = 0; i < AT_ONCE; i++) {
            if (!slots[i].way && started < calls) {
                begin(&slots[i], &client);
                started++;
            }
        }
        client_wait(&client, 5);
        for (size_t i = 0; i < AT_ONCE; i++) {
            ended += slots[i].way && go_on(&slots[i]);
        }
    }
    client_close(&client);
}

static void every_call_ends_once_and_leaves_nothing_behind(void **state)
{
    const unsigned calls = number_from("AQ_TEST_SOAK_CALLS", CALLS);
    const unsigned seed = number_from("AQ_TEST_SEED", (unsigned)now_ms());
    (void)state;
    print_message("seed %u (AQ_TEST_SEED)\n", seed);
    srandom(seed);
    run(AT_ONCE); /* what is allocated once and for all */
    const unsigned descriptors = count_descriptors();
    const size_t before = mallinfo2().uordblks;
    run(calls);
    print_message("%u calls, %ld bytes more\n", calls, (long)(mallinfo2().uordblks - before));
    assert_int_equal(count_descriptors(), descriptors);
    if (!AQ_TEST_SANITIZED) {
        assert_true(mallinfo2().uordblks <= before + KEPT_BYTES);
    }
    assert_int_equal(server_number("gone", "hostile"), 1);
    assert_int_equal(server_number("gone", "hostile-tls"), 1);
}

int main(void)
{
    static const char *const listeners[] = { "hostile", "hostile-tls", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_ends_once_and_leaves_nothing_behind),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
