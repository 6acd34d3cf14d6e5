/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out: a request, from open to close, with the n-th allocation of the plugin or of
 * a library of its failing for n = 1, 2, ... until it needs no more. malloc of this program
 * replaces that of libc; who calls it is told by the return address. */
#include "stall.h"

#include <errno.h>
#include <link.h>
#include <poll.h>
#include <stdlib.h>

#define ALLOCATIONS_MAX 2000u /* more than any request needs */
#define STEPS_MAX 1000
#define CONNECT_MS 60000
#define QUIET_LOOKS 100 /* an answer that c-ares had no memory for never comes: time is up then */

/* the allocator; REAL(malloc) is the one that is replaced */

#define EXPORT __attribute__((visibility("default")))
#define REAL_(prefix, name) prefix##name
#define REAL__(prefix, name) REAL_(prefix, name)
#define REAL(name) REAL__(AQ_TEST_REAL_PREFIX, name)

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *ptr, size_t size);

struct range {
    const char *name; /* part of the path of a shared object */
    uintptr_t begin;
    uintptr_t end;
};

static struct {
    unsigned fail_at; /* 0: never */
    bool from_then_on;
    unsigned seen;
    struct range victim; /* only its allocations fail */
} memory;

static _Thread_local bool is_watched; /* the resolver has threads of its own */

/* fail_at comes first: malloc is called before there are thread-local variables, or a sanitizer. */
static bool is_refused(const void *caller)
{
    uintptr_t address = (uintptr_t)caller;
    if (!memory.fail_at || !is_watched || address < memory.victim.begin ||
        address >= memory.victim.end) {
        return false;
    }
    memory.seen++;
    if (memory.from_then_on ? memory.seen < memory.fail_at : memory.seen != memory.fail_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

EXPORT void *malloc(size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : REAL(malloc)(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : REAL(calloc)(count, size);
}

EXPORT void *realloc(void *ptr, size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : REAL(realloc)(ptr, size);
}

EXPORT void *reallocarray(void *ptr, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || is_refused(__builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }
    return REAL(realloc)(ptr, bytes);
}

static int find_range(struct dl_phdr_info *info, size_t size, void *ret)
{
    struct range *range = ret;
    (void)size;
    if (!strstr(info->dlpi_name, range->name)) {
        return 0;
    }
    range->begin = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const uintptr_t end =
            info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && end > range->end) {
            range->end = end;
        }
    }
    return 1;
}

/* one request, whatever comes of it */

static void drive(struct exchange *e)
{
    struct client *client = e->client;
    int quiet = 0;
    for (int i = 0; i < STEPS_MAX && !e->over; i++) {
        struct aq_error err = { 0 };
        struct aq_interest interest;
        client->ops->interest(client->self, &interest);
        struct pollfd poller = { .fd = interest.fd, .events = POLLIN };
        quiet = poll(&poller, 1, 10) == 0 ? quiet + 1 : 0;
        if (quiet == QUIET_LOOKS) {
            client->host.clock_offset_us += CONNECT_MS * UINT64_C(1000);
        }
        if (stall_is_possible(&stalls[0])) {
            stall_answer_names();
        }
        if (client->ops->step(client->self, &err) != AQ_OK) {
            assert_int_not_equal(err.status, AQ_OK);
            exchange_pull(e);
            assert_true(e->over); /* a failed step ends every call */
            assert_int_not_equal(
                exchange_try_start(&(struct exchange){ 0 }, client, "http://x/", NULL), AQ_OK);
            return;
        }
        if (e->news) {
            exchange_pull(e);
        }
    }
    assert_true(e->over);
}

/* Returns the status it ended with, and what its error says. */
static aq_status request(const char *url, struct aq_error *ret)
{
    static const char *const headers[] = { "content-type: text/plain", NULL };
    const struct ask ask = {
        .method = "POST", .headers = headers, .body = "x", .body_len = 1, .connect_ms = CONNECT_MS
    };
    const struct plugin_setting settings[] = { { "ca_bundle", server_file("ca.pem") }, { 0 } };
    struct client client = { 0 };
    struct exchange e;
    plugin_host_load(&client.host, TRANSPORT, settings);
    client.host.ready = exchange_ready;
    client.ops = client.host.plugin->transport;
    memory.seen = 0;
    is_watched = true;
    aq_status st = client.ops->open(&client.host.args, &client.self, ret);
    if (st == AQ_OK) {
        st = exchange_try_start(&e, &client, url, &ask);
        if (st == AQ_OK) {
            drive(&e);
            st = e.error.status;
            assert_true(st != AQ_OK || e.body_len == 2);
        }
        *ret = e.error;
        if (e.call) {
            exchange_finish(&e);
        }
    }
    client.ops->close(client.self);
    is_watched = false;
    plugin_host_done(&client.host);
    return st;
}

/* Returns how many allocations a request takes. */
static unsigned starve(const char *victim, const char *url, bool from_then_on)
{
    const bool is_ours = strstr(victim, TRANSPORT) != NULL; /* a library has words of its own */
    struct aq_error err = { 0 };
    assert_int_equal(request(url, &err), AQ_OK); /* whatever is allocated once and for all */
    memory.victim = (struct range){ .name = victim };
    memory.from_then_on = from_then_on;
    assert_int_equal(dl_iterate_phdr(find_range, &memory.victim), 1);
    for (memory.fail_at = 1; memory.fail_at < ALLOCATIONS_MAX; memory.fail_at++) {
        err = (struct aq_error){ 0 };
        aq_status st = request(url, &err);
        if (memory.seen < memory.fail_at) {
            assert_int_equal(st, AQ_OK);
            break;
        }
        const bool is_right = is_ours ? st == AQ_E_NOMEM : st < 0;
        if (st != AQ_OK && (!is_right || !strstr(err.text, ": "))) {
            fail_msg("%s, allocation %u: %d '%s'", url, memory.fail_at, st, err.text);
        }
    }
    unsigned needed = memory.seen;
    memory.fail_at = 0;
    assert_int_equal(request(url, &err), AQ_OK);
    print_message("%s, %s: %u allocations\n", victim, url, needed);
    return needed;
}

static void when_an_allocation_of_the_plugin_fails_so_does_the_call_and_no_more(void **state)
{
    static const char *const all[] = { "plain", "tls", "h2" };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_in_range(starve("/" TRANSPORT ".so", server_url(all[i], "/ok"), false), 5,
                        ALLOCATIONS_MAX);
        starve("/" TRANSPORT ".so", server_url(all[i], "/ok"), true);
    }
}

static void when_an_allocation_of_its_library_fails_so_does_the_call_and_no_more(void **state)
{
    static const char *const all[] = { "plain", "h2" };
    const char *library = subject.http2_alone ? "/libnghttp2.so" : "/libcurl.so";
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_in_range(starve(library, server_url(all[i], "/ok"), false), 20, ALLOCATIONS_MAX);
        starve(library, server_url(all[i], "/ok"), true);
    }
}

/* One at a time: without any memory c-ares waits for answers that it could not read, until a
 * timeout. */
static void when_an_allocation_of_the_resolver_fails_so_does_the_call_and_no_more(void **state)
{
    char url[64];
    (void)state;
    if (!subject.http2_alone) {
        skip(); /* libcurl's has threads of its own */
    }
    if (!stall_is_possible(&stalls[0])) {
        skip(); /* no name server of our own */
    }
    snprintf(url, sizeof(url), "http://hungry.example:%d/ok", server_port("plain"));
    assert_in_range(starve("/libcares.so", url, false), 5, ALLOCATIONS_MAX);
}

static int stop(void **state)
{
    stall_done();
    return server_stop(state);
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", "h2", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_an_allocation_of_the_plugin_fails_so_does_the_call_and_no_more),
        cmocka_unit_test(when_an_allocation_of_its_library_fails_so_does_the_call_and_no_more),
        cmocka_unit_test(when_an_allocation_of_the_resolver_fails_so_does_the_call_and_no_more),
    };
    stall_init();
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, stop);
}
