/* SPDX-License-Identifier: Apache-2.0 */
/* Clients come and go on several threads, in the middle of what they do: nothing is left of them
 * but the code of their plugins. The leak checker of the asan preset sees the rest. */
#include "client/support.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* AQ_TEST_CYCLES says how many clients all threads make together. */
enum { THREADS = 4, CYCLES = 1000 };

/* The system's resolver rejects it without asking anybody, on a thread of libcurl's. */
#define LONG_LABEL "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static int count_entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

static int tasks; /* before there was any client */

static void *name_task(void *path)
{
    snprintf(path, 64, "/proc/self/task/%d", (int)gettid());
    return NULL;
}

/* With the first thread, a sanitizer may start one of its own, which stays. */
static int count_tasks(void **state)
{
    pthread_t thread;
    char path[64];
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, name_task, path), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    while (access(path, F_OK) == 0) {
        sched_yield();
    }
    tasks = count_entries("/proc/self/task");
    return 0;
}

/* A name that nobody waits for any more may still be looked up. */
static void wait_for_resolvers(void)
{
    while (count_entries("/proc/self/task") > tasks) {
        sched_yield();
    }
}

/* One client: takes a token from its store, starts requests, and leaves after `steps` steps. */
static int live(int steps)
{
    const struct aq_client_setting chosen[] = {
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT(AQ_TEST_PLUGIN_DIR) },
    };
    static const char *const urls[] = { "https://" LONG_LABEL ".invalid/", "https://127.0.0.1:1/" };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_token_options wish = AQ_TOKEN_OPTIONS_INIT;
    struct aq_client *client = NULL;
    const struct aq_event *event;
    struct aq_op *op = NULL;
    options.flags = AQ_CLIENT_NO_SETTINGS | AQ_CLIENT_NO_ENV;
    options.settings = chosen;
    options.setting_count = 1;
    if (aq_client_new(&options, &client, NULL) != AQ_OK) {
        return 0;
    }
    int done = aq_token_start(client, &wish, &op, NULL) == AQ_OK &&
               aq_op_wait(op, &event, NULL) == AQ_OK && event->token->access_token.len > 0;
    for (int i = 0; i < steps; i++) {
        struct aq_http_options request = AQ_HTTP_OPTIONS_INIT;
        request.url = (struct aq_str){ urls[i % 2], strlen(urls[i % 2]) };
        done = done && aq_http_start(client, &request, &op, NULL) == AQ_OK;
        aq_client_step(client, NULL);
    }
    aq_client_free(client);
    return done;
}

static void *live_often(void *arg)
{
    int *cycles = arg;
    int done = 0;
    for (int i = 0; i < *cycles; i++) {
        done += live(i % 4);
    }
    *cycles = done;
    return NULL;
}

static void a_thousand_clients_on_several_threads_leave_nothing_behind(void **state)
{
    const char *asked = getenv("AQ_TEST_CYCLES");
    const int each = (asked ? atoi(asked) : CYCLES) / THREADS;
    int cycles[THREADS];
    pthread_t threads[THREADS];
    (void)state;
    assert_true(each > 0);
    support_login(3600, 1);
    assert_true(live(3)); /* what is made once per process */
    wait_for_resolvers();
    const int fds = count_entries("/proc/self/fd");

    for (int i = 0; i < THREADS; i++) {
        cycles[i] = each;
        assert_int_equal(pthread_create(&threads[i], NULL, live_often, &cycles[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(cycles[i], each);
    }
    wait_for_resolvers();
    assert_int_equal(count_entries("/proc/self/fd"), fds);
}

static void a_plugin_stays_loaded_when_its_last_client_is_gone(void **state)
{
    static const char *const plugins[] = { "store-sqlite.so", "transport-curl.so" };
    (void)state;
    support_login(3600, 1);
    assert_true(live(1));
    for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++) {
        char path[512];
        snprintf(path, sizeof(path), AQ_TEST_PLUGIN_DIR "/%s", plugins[i]);
        assert_non_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plugin_stays_loaded_when_its_last_client_is_gone,
                                        support_setup, support_teardown),
        cmocka_unit_test_setup_teardown(a_thousand_clients_on_several_threads_leave_nothing_behind,
                                        support_setup, support_teardown),
    };
    return cmocka_run_group_tests(tests, count_tasks, NULL);
}
