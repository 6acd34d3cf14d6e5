/* SPDX-License-Identifier: Apache-2.0 */
/* Logins that other programs keep: found where they are, handed on as they are, never written. */
#include "instance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define IDE_KEY "kiro-ide:token"
#define CACHE_KEY "sso-cache:token"
#define API_KEY "kiro-api-key:token"

#define IDE_FILE "kiro-auth-token.json"
#define TOKEN "{\"accessToken\":\"a\", \"expiresAt\" : \"2030-01-02T03:04:05Z\"}\n"

static char *dir;
static struct instance store;

static void open_store(const char *session, const char *api_key)
{
    struct plugin_setting settings[4] = { { "dir", dir } };
    int count = 1;
    if (session) {
        settings[count++] = (struct plugin_setting){ "session", session };
    }
    if (api_key) {
        settings[count++] = (struct plugin_setting){ "api_key", api_key };
    }
    instance_open(&store, "store-borrowed", settings);
}

static int set_up(void **state)
{
    (void)state;
    dir = dir_make();
    store = (struct instance){ 0 };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    instance_close(&store);
    dir_remove(dir);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* The name that `sha1sum` gives a session's file. */
static const char *name_of(const char *session)
{
    static char name[64];
    char command[256];
    snprintf(command, sizeof(command), "printf %%s '%s' | sha1sum", session);
    FILE *in = popen(command, "re");
    assert_non_null(in);
    assert_int_equal(fread(name, 1, 40, in), 40);
    pclose(in);
    strcpy(name + 40, ".json");
    return name;
}

static void assert_value(const char *key, const char *expected)
{
    assert_int_equal(instance_get(&store, key), AQ_OK);
    assert_string_equal(store.value, expected);
}

/* ---- finding ---- */

static void what_is_not_there_is_no_login(void **state)
{
    (void)state;
    open_store(NULL, NULL);
    assert_int_equal(instance_get(&store, IDE_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_get(&store, CACHE_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_get(&store, API_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_get(&store, TOKEN_KEY), AQ_E_NOTFOUND);
    assert_string_equal(dir_names(dir), "");
    instance_close(&store);
    char *gone = dir;
    dir = "/nowhere/at/all";
    open_store("s", NULL);
    assert_int_equal(instance_get(&store, IDE_KEY), AQ_E_NOTFOUND);
    assert_int_equal(instance_get(&store, CACHE_KEY), AQ_E_NOTFOUND);
    dir = gone;
}

static void the_ides_login_is_handed_on_as_it_is_and_read_anew_each_time(void **state)
{
    (void)state;
    open_store(NULL, NULL);
    write_file(IDE_FILE, TOKEN);
    assert_value(IDE_KEY, TOKEN);
    write_file(IDE_FILE, "{\"accessToken\":\"b\"}");
    assert_value(IDE_KEY, "{\"accessToken\":\"b\"}");
}

static void a_session_is_found_by_its_name_and_by_its_start_url(void **state)
{
    static const char *const sessions[] = {
        "my-session",
        "My Session",
        "https://example.awsapps.com/start",
        "https://a-start-url-that-is-longer-than-one-block-of-the-hash.awsapps.com/start/#/",
        "1234567890123456789012345678901234567890123456789012345", /* 55: the padding just fits */
        "12345678901234567890123456789012345678901234567890123456",
        "1234567890123456789012345678901234567890123456789012345678901234", /* a whole block */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
        write_file(name_of(sessions[i]), TOKEN);
        open_store(sessions[i], NULL);
        assert_value(CACHE_KEY, TOKEN);
        instance_close(&store);
    }
    open_store("another", NULL);
    assert_int_equal(instance_get(&store, CACHE_KEY), AQ_E_NOTFOUND);
}

static void without_a_name_the_only_session_is_taken_and_of_two_none(void **state)
{
    (void)state;
    write_file(name_of("one"), TOKEN);
    write_file(name_of("registration"), "{\"clientId\":\"c\",\"clientSecret\":\"s\"}");
    write_file(IDE_FILE, "{\"accessToken\":\"ide\"}");
    write_file("botocore-client-id-us-east-1.json", "{\"accessToken\":\"x\"}");
    write_file("0123456789ABCDEF0123456789ABCDEF01234567.json", "{\"accessToken\":\"x\"}");
    open_store(NULL, NULL);
    assert_value(CACHE_KEY, TOKEN);
    write_file(name_of("two"), TOKEN);
    assert_int_equal(instance_get(&store, CACHE_KEY), AQ_E_INVALID);
    assert_non_null(strstr(store.err.text, "Q_SSO_SESSION"));
    assert_non_null(strstr(store.err.text, dir));
}

static void an_api_key_becomes_a_token_without_an_expiry(void **state)
{
    (void)state;
    open_store(NULL, "ksk_a\"b\\c");
    assert_value(API_KEY, "{\"access_token\":\"ksk_a\\\"b\\\\c\"}");
}

static void what_is_no_api_key_is_refused_and_not_repeated(void **state)
{
    static char longest[16386];
    static const char *const bad[] = { "two words", "a\nb", "caf\xc3\xa9", longest };
    (void)state;
    memset(longest, 'k', sizeof(longest) - 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        open_store(NULL, bad[i]);
        assert_int_equal(instance_get(&store, API_KEY), AQ_E_CORRUPT);
        assert_non_null(strstr(store.err.text, "KIRO_API_KEY"));
        assert_null(strstr(store.err.text, bad[i]));
        instance_close(&store);
    }
    longest[16384] = '\0';
    open_store(NULL, longest);
    assert_int_equal(instance_get(&store, API_KEY), AQ_OK);
}

/* ---- files that change ---- */

/* On the way to the system: how often the plugin waits for a writer, and when that one goes on. */
static int pauses;
static const char *finished; /* what the file holds after the second pause */

__attribute__((visibility("default"))) int nanosleep(const struct timespec *time,
                                                     struct timespec *left)
{
    pauses++;
    if (finished && pauses == 2) {
        write_file(IDE_FILE, finished);
    }
    return clock_nanosleep(CLOCK_MONOTONIC, 0, time, left) ? -1 : 0;
}

static void a_file_that_is_being_written_is_waited_for(void **state)
{
    (void)state;
    open_store(NULL, NULL);
    write_file(IDE_FILE, "{\"accessToken\":\"hal");
    pauses = 0;
    finished = TOKEN;
    assert_value(IDE_KEY, TOKEN);
    finished = NULL;
    assert_int_equal(pauses, 2);
}

static void a_file_that_stays_half_is_handed_on_for_its_reader_to_judge(void **state)
{
    (void)state;
    open_store(NULL, NULL);
    write_file(IDE_FILE, "{\"accessToken\":\"hal");
    assert_value(IDE_KEY, "{\"accessToken\":\"hal");
    write_file(IDE_FILE, "");
    assert_value(IDE_KEY, "");
}

static void files_that_stay_empty_cost_no_more_waiting_together_than_one(void **state)
{
    char name[64];
    (void)state;
    open_store(NULL, NULL);
    write_file(IDE_FILE, "");
    pauses = 0;
    assert_value(IDE_KEY, "");
    int of_one = pauses;
    assert_true(of_one > 0);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "%040x.json", (unsigned)i);
        write_file(name, "");
    }
    pauses = 0;
    assert_int_equal(instance_get(&store, CACHE_KEY), AQ_E_NOTFOUND);
    assert_int_equal(pauses, of_one);
    write_file(name_of("one"), TOKEN);
    pauses = 0;
    assert_value(CACHE_KEY, TOKEN);
    assert_int_equal(pauses, 0);
}

static void half_a_token_is_handed_on_if_there_is_no_other(void **state)
{
    (void)state;
    open_store(NULL, NULL);
    write_file(name_of("one"), "{\"accessToken\":\"hal");
    assert_value(CACHE_KEY, "{\"accessToken\":\"hal");
}

static void what_is_no_file_is_an_error_that_names_it(void **state)
{
    char path[600];
    (void)state;
    open_store(NULL, NULL);
    snprintf(path, sizeof(path), "%s/" IDE_FILE, dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(instance_get(&store, IDE_KEY), AQ_E_CORRUPT);
    assert_non_null(strstr(store.err.text, IDE_FILE));
}

/* ---- read only ---- */

static void nothing_is_written_and_the_text_says_who_refreshes_what_was_read(void **state)
{
    static const struct {
        const char *key, *says;
    } cases[] = {
        { IDE_KEY, "only the IDE refreshes it" },
        { CACHE_KEY, "aws sso login" },
        { API_KEY, "put another one there" },
    };
    (void)state;
    write_file(IDE_FILE, TOKEN);
    write_file(name_of("one"), TOKEN);
    open_store(NULL, "ksk_a");
    assert_null(store.ops->lock);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(instance_get(&store, cases[i].key), AQ_OK);
        assert_int_equal(store.ops->can_save(store.self, &store.err), AQ_E_READONLY);
        assert_non_null(strstr(store.err.text, cases[i].says));
        assert_int_equal(instance_put(&store, cases[i].key, "x"), AQ_E_READONLY);
        assert_int_equal(instance_remove(&store, cases[i].key), AQ_E_READONLY);
    }
    assert_value(IDE_KEY, TOKEN);
}

static void what_is_there_is_listed_and_nothing_else(void **state)
{
    (void)state;
    open_store(NULL, NULL);
    assert_int_equal(instance_list(&store), AQ_OK);
    assert_string_equal(store.keys, "");
    write_file(IDE_FILE, TOKEN);
    write_file(name_of("one"), TOKEN);
    assert_int_equal(instance_list(&store), AQ_OK);
    assert_string_equal(store.keys, IDE_KEY " " CACHE_KEY " ");
    instance_close(&store);
    write_file(name_of("two"), TOKEN); /* which of them, get asks */
    open_store(NULL, "ksk_a");
    assert_int_equal(instance_list(&store), AQ_OK);
    assert_string_equal(store.keys, IDE_KEY " " CACHE_KEY " " API_KEY " ");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_not_there_is_no_login),
        CASE(the_ides_login_is_handed_on_as_it_is_and_read_anew_each_time),
        CASE(a_session_is_found_by_its_name_and_by_its_start_url),
        CASE(without_a_name_the_only_session_is_taken_and_of_two_none),
        CASE(an_api_key_becomes_a_token_without_an_expiry),
        CASE(what_is_no_api_key_is_refused_and_not_repeated),
        CASE(a_file_that_is_being_written_is_waited_for),
        CASE(a_file_that_stays_half_is_handed_on_for_its_reader_to_judge),
        CASE(files_that_stay_empty_cost_no_more_waiting_together_than_one),
        CASE(half_a_token_is_handed_on_if_there_is_no_other),
        CASE(what_is_no_file_is_an_error_that_names_it),
        CASE(nothing_is_written_and_the_text_says_who_refreshes_what_was_read),
        CASE(what_is_there_is_listed_and_nothing_else),
    };
    return cmocka_run_group_tests_name("store-borrowed", tests, NULL, NULL);
}
