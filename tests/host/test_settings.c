/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "host/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[64];
static char file[128];

static int make_home(void **state)
{
    char dir[96];
    (void)state;
    snprintf(home, sizeof(home), "/tmp/aq-settings-XXXXXX");
    assert_non_null(mkdtemp(home));
    snprintf(dir, sizeof(dir), "%s/amazon-q", home);
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(file, sizeof(file), "%s/settings.json", dir);
    setenv("XDG_DATA_HOME", home, 1);
    const char *const names[] = { "Q_STORE",      "Q_DB",       "Q_ENDPOINT_URL",
                                  "Q_TOKEN_FILE", "Q_TOKEN_FD", "CREDENTIALS_DIRECTORY" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
    return 0;
}

static int remove_home(void **state)
{
    char dir[96];
    (void)state;
    unlink(file);
    snprintf(dir, sizeof(dir), "%s/amazon-q", home);
    rmdir(dir);
    rmdir(home);
    return 0;
}

static void write_file(const char *text)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    chmod(file, 0600);
}

static struct settings open_with(const struct aq_client_setting *settings, uint32_t count)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    options.settings = settings;
    options.setting_count = count;
    aq_status st = settings_init(&s, &options, &err);
    if (st != AQ_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(st, AQ_OK);
    return s;
}

static void the_callers_value_beats_environment_file_and_default(void **state)
{
    const struct aq_client_setting one = { AQ_STR_INIT("store"), AQ_STR_INIT("explicit") };
    (void)state;

    struct settings s = open_with(NULL, 0);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "sqlite");
    assert_int_equal(settings_get(&s, SETTINGS_STORE).origin, SETTINGS_DEFAULT);
    settings_done(&s);

    write_file("{\"store\": \"from-file\", \"chat.greeting.enabled\": true}");
    s = open_with(NULL, 0);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "from-file");
    settings_done(&s);

    setenv("Q_STORE", "from-env", 1);
    s = open_with(NULL, 0);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "from-env");
    settings_done(&s);

    s = open_with(&one, 1);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "explicit");
    settings_done(&s);
    unsetenv("Q_STORE");
}

static void assert_store(const char *expected)
{
    struct settings s = open_with(NULL, 0);
    assert_str(settings_get(&s, SETTINGS_STORE).text, expected);
    settings_done(&s);
}

static void a_token_that_is_handed_in_chooses_its_store(void **state)
{
    char credential[160];
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    (void)state;
    setenv("Q_TOKEN_FD", "9", 1);
    assert_store("token-file");
    unsetenv("Q_TOKEN_FD");
    setenv("Q_TOKEN_FILE", "/run/secrets/token", 1);
    assert_store("token-file");
    options.flags = AQ_CLIENT_NO_ENV;
    assert_int_equal(settings_init(&s, &options, &err), AQ_OK);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "sqlite");
    settings_done(&s);
    unsetenv("Q_TOKEN_FILE");

    setenv("CREDENTIALS_DIRECTORY", home, 1); /* credentials, but none for us */
    assert_store("sqlite");
    snprintf(credential, sizeof(credential), "%s/amazonq-token", home);
    fclose(fopen(credential, "w"));
    assert_store("token-file");
    assert_int_equal(chdir(home), 0);
    setenv("CREDENTIALS_DIRECTORY", ".", 1);
    assert_store("sqlite");
    assert_int_equal(chdir("/"), 0);
    unlink(credential);
    setenv("CREDENTIALS_DIRECTORY", "/dev/null", 1);
    assert_store("sqlite");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_token_that_is_handed_in_counts_as_the_environment_does(void **state)
{
    const struct aq_client_setting db = { AQ_STR_INIT("db"), AQ_STR_INIT("/x.sqlite3") };
    (void)state;
    setenv("Q_TOKEN_FILE", "/run/secrets/token", 1);
    write_file("{\"store\": \"keyring\"}"); /* the environment counts before the file */
    assert_store("token-file");
    setenv("Q_STORE", "memory", 1);
    assert_store("memory");
    unsetenv("Q_STORE");
    unlink(file);
    struct settings s = open_with(&db, 1);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "sqlite");
    settings_done(&s);
    unsetenv("Q_TOKEN_FILE");
}

static void an_empty_variable_counts_as_not_set(void **state)
{
    (void)state;
    setenv("Q_STORE", "", 1);
    struct settings s = open_with(NULL, 0);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "sqlite");
    settings_done(&s);
}

static void a_caller_may_forbid_environment_and_file(void **state)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    (void)state;
    write_file("{\"store\": \"from-file\"}");
    setenv("Q_STORE", "from-env", 1);
    options.flags = AQ_CLIENT_NO_ENV | AQ_CLIENT_NO_SETTINGS;
    assert_int_equal(settings_init(&s, &options, &err), AQ_OK);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "sqlite");
    settings_done(&s);
    unsetenv("Q_STORE");
}

static void an_unknown_key_of_the_caller_is_refused_by_name(void **state)
{
    const struct aq_client_setting one = { AQ_STR_INIT("stroe"), AQ_STR_INIT("x") };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    (void)state;
    options.settings = &one;
    options.setting_count = 1;
    assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
    assert_contains(err.text, "setting 'stroe'");
    settings_done(&s);
}

static void a_file_that_is_not_an_object_is_an_error_that_names_it(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "[]", "(byte 0: it is something else), correct it or move it away" },
        { "\"text\"", "(byte 0: it is something else)" },
        { "{\"store\":", "(byte 9: a value is missing)" },
        { "{", "(byte 1: a string is missing)" },
        { " ", "(byte 1: it is something else)" },
        { "nonsense", "(byte 0: it is something else)" },
        { "{} x", "(byte 3: something follows the value)" },
        { "{}\n{}", "(byte 3: something follows the value)" },
        { "{}}", "(byte 2: something follows the value)" },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_error err;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct settings s = { 0 };
        write_file(bad[i].text);
        assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
        assert_contains(err.text, "settings.json: not a JSON object");
        assert_contains(err.text, bad[i].says);
        settings_done(&s);
    }
}

static void blanks_behind_the_object_do_no_harm(void **state)
{
    (void)state;
    write_file("{\"store\": \"memory\"}\r\n\t \n");
    struct settings s = open_with(NULL, 0);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "memory");
    settings_done(&s);
}

static void an_empty_file_sets_nothing(void **state)
{
    (void)state;
    write_file("");
    struct settings s = open_with(NULL, 0);
    assert_str(settings_get(&s, SETTINGS_STORE).text, "sqlite");
    settings_done(&s);
}

static void a_file_that_others_can_write_is_refused(void **state)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    (void)state;
    write_file("{}");
    chmod(file, 0666);
    assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
    assert_contains(err.text, "chmod go-w");
    settings_done(&s);
}

static void a_file_that_cannot_be_read_does_not_count_as_absent(void **state)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    (void)state;
    assert_int_equal(symlink("settings.json", file), 0); /* to itself */
    assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
    assert_int_equal(err.sys, ELOOP);
    assert_contains(err.text, "settings.json: cannot be read, make it readable or move it away: ");
    settings_done(&s);
    unlink(file);

    assert_int_equal(mkfifo(file, 0600), 0);
    assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
    assert_contains(err.text, "must be a regular file of at most");
    settings_done(&s);
    unlink(file);

    write_file("{}");
    assert_int_equal(truncate(file, (1 << 20) + 1), 0);
    assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
    assert_contains(err.text, "must be a regular file of at most");
    settings_done(&s);
}

static void a_file_of_somebody_else_is_refused(void **state)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    (void)state;
    write_file("{}");
    if (chown(file, 12345, (gid_t)-1) != 0 || chmod(file, 0644) != 0 || chmod(home, 0711) != 0) {
        skip(); /* needs root */
    }
    *strrchr(file, '/') = '\0';
    assert_int_equal(chmod(file, 0711), 0);
    file[strlen(file)] = '/';
    assert_int_equal(seteuid(54321), 0);
    aq_status st = settings_init(&s, &options, &err);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(st, AQ_E_INVALID);
    assert_contains(err.text, "belongs to user 12345, it must belong to you");
    settings_done(&s);
}

static void a_file_without_permission_is_refused(void **state)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    (void)state;
    write_file("{}");
    assert_int_equal(chmod(file, 0600), 0);
    bool root = geteuid() == 0;
    if (root) { /* whom no permission stops */
        assert_int_equal(chmod(home, 0711), 0);
        *strrchr(file, '/') = '\0';
        assert_int_equal(chmod(file, 0711), 0);
        file[strlen(file)] = '/';
        assert_int_equal(seteuid(54321), 0);
    } else {
        assert_int_equal(chmod(file, 0), 0);
    }
    aq_status st = settings_init(&s, &options, &err);
    if (root) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(st, AQ_E_INVALID);
    assert_int_equal(err.sys, EACCES);
    assert_contains(err.text,
                    root ? "settings.json: belongs to uid 0 and this is uid 54321, run as its owner"
                         : "settings.json: cannot be read, make it readable");
    settings_done(&s);
}

static void settings_of_the_caller_that_cannot_be_read_are_refused(void **state)
{
    const struct aq_client_setting one = { AQ_STR_INIT("store"), AQ_STR_INIT("x") };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    (void)state;
    options.setting_count = 1;
    assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
    settings_done(&s);
    options.settings = &one;
    options.setting_stride = 8;
    assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
    assert_contains(err.text, "client options");
    settings_done(&s);
}

static void the_key_of_a_plugin_needs_its_kind_its_name_and_more(void **state)
{
    static const struct {
        const char *key;
        aq_status status;
    } cases[] = {
        { "store.sqlite.path", AQ_OK },      { "transport.curl.x", AQ_OK },
        { "store.sqlite", AQ_E_INVALID },    { "store..path", AQ_E_INVALID },
        { "store.sqlite.", AQ_E_INVALID },   { "other.sqlite.path", AQ_E_INVALID },
        { "storex.sqlite.p", AQ_E_INVALID }, { "", AQ_E_INVALID },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_error err;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct aq_client_setting one = { { cases[i].key, strlen(cases[i].key) },
                                               AQ_STR_INIT("x") };
        struct settings s = { 0 };
        options.settings = &one;
        options.setting_count = 1;
        assert_int_equal(settings_init(&s, &options, &err), cases[i].status);
        settings_done(&s);
    }
}

#define NAME_64 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define KEY_64 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

static void a_plugins_setting_is_found_under_its_longest_name(void **state)
{
    const struct aq_setting declared = { .key = KEY_64, .type = AQ_SETTING_STRING };
    (void)state;
    write_file("{\"transport." NAME_64 "." KEY_64 "\": \"found\"}");
    struct settings s = open_with(NULL, 0);
    assert_str(settings_get_plugin(&s, "transport", NAME_64, &declared).text, "found");
    settings_done(&s);
}

static void a_plugins_variables_are_tried_in_their_order(void **state)
{
    char names[512];
    struct aq_setting declared = { .key = "k", .env = names };
    (void)state;
    snprintf(names, sizeof(names), ",,%0300d,AQ_TEST_FIRST,AQ_TEST_SECOND", 0);
    struct settings s = open_with(NULL, 0);
    assert_int_equal(settings_get_plugin(&s, "store", "n", &declared).origin, SETTINGS_NOWHERE);
    setenv("AQ_TEST_FIRST", "", 1);
    setenv("AQ_TEST_SECOND", "second", 1);
    assert_str(settings_get_plugin(&s, "store", "n", &declared).text, "second");
    setenv("AQ_TEST_FIRST", "first", 1);
    assert_str(settings_get_plugin(&s, "store", "n", &declared).text, "first");
    unsetenv("AQ_TEST_FIRST");
    unsetenv("AQ_TEST_SECOND");
    settings_done(&s);
}

static void a_value_of_the_file_is_a_text_a_number_or_a_boolean(void **state)
{
    static const struct {
        const char *json, *expected;
    } cases[] = {
        { "\"t\"", "t" }, { "5", "5" }, { "true", "true" }, { "\"\\u0061\"", "a" }, { "null", "" }
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "{\"db\": %s}", cases[i].json);
        write_file(text);
        struct settings s = open_with(NULL, 0);
        assert_str(settings_get(&s, SETTINGS_DB).text, cases[i].expected);
        settings_done(&s);
    }
}

static void refused(const struct aq_client_setting *one, const char *expected)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    options.settings = one;
    options.setting_count = one ? 1 : 0;
    assert_int_equal(settings_init(&s, &options, &err), AQ_E_INVALID);
    assert_contains(err.text, expected);
    settings_done(&s);
}

static void a_value_that_would_count_for_nothing_is_an_error_that_says_where_it_is(void **state)
{
    static const struct {
        const char *json, *expected;
    } cases[] = {
        { "{\"store\": {\"name\": \"sqlite\"}}",
          "setting 'store': must be a string, is an object (in " },
        { "{\"endpoint\": [\"https://q.test\"]}",
          "setting 'endpoint': must be a string, is a list (in " },
        { "{\"db\": 1.5}", "setting 'db': must be a string, is no whole number (in " },
        { "{\"api.timeout\": {}}",
          "must be a whole number of milliseconds above 0, is an object (in " },
        { "{\"api.timeout\": \"soon\"}", "milliseconds above 0, is 'soon' (in " },
        { "{\"api.timeout\": 1.5}", "milliseconds above 0, is no whole number (in " },
        { "{\"api.timeout\": 0}", "milliseconds above 0, is '0' (in " },
        { "{\"api.timeout\": -1}", "milliseconds above 0, is '-1' (in " },
        { "{\"api.timeout\": 2147483648}", "milliseconds above 0, is '2147483648' (in " },
        { "{\"api.timeout\": []}", "; correct it, or run: q settings --delete api.timeout" },
        { "{\"codeWhisperer.shareCodeWhispererContentWithAWS\": 0}",
          "must be true or false, is '0' (in " },
        { "{\"codeWhisperer.shareCodeWhispererContentWithAWS\": \"no\"}",
          "true or false, is 'no'" },
        { "{\"plugin.path\": \"/a:b\"}",
          "must be absolute directories, separated by ':', is '/a:b'" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file(cases[i].json);
        refused(NULL, cases[i].expected);
    }
}

static void a_relative_directory_of_plugins_is_refused_wherever_it_comes_from(void **state)
{
    const struct aq_client_setting one = { AQ_STR_INIT("plugin.path"), AQ_STR_INIT("plugins") };
    (void)state;
    refused(&one, "is 'plugins' (as an option); correct it");
    setenv("Q_PLUGIN_PATH", "/usr/lib/q:./plugins", 1);
    refused(NULL, "is '/usr/lib/q:./plugins' (from Q_PLUGIN_PATH); correct it");
    unsetenv("Q_PLUGIN_PATH");
}

static void the_service_setting_counts_by_its_presence_and_needs_both_members(void **state)
{
    struct aq_str endpoint;
    (void)state;
    struct settings s = open_with(NULL, 0);
    assert_false(settings_has_service(&s, &endpoint));
    settings_done(&s);

    write_file("{\"api.codewhisperer.service\": \"odd\"}");
    s = open_with(NULL, 0);
    assert_true(settings_has_service(&s, &endpoint));
    assert_int_equal(endpoint.len, 0);
    settings_done(&s);

    write_file("{\"api.codewhisperer.service\": {\"endpoint\": \"https://q.test\"}}");
    s = open_with(NULL, 0);
    assert_true(settings_has_service(&s, &endpoint));
    assert_int_equal(endpoint.len, 0);
    settings_done(&s);

    write_file("{\"api.codewhisperer.service\": {\"endpoint\": \"https://q.test\", "
               "\"region\": \"eu-central-1\"}}");
    s = open_with(NULL, 0);
    assert_true(settings_has_service(&s, &endpoint));
    assert_str(endpoint, "https://q.test");
    assert_str(s.service_region, "eu-central-1");
    settings_done(&s);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_home, remove_home)
    const struct CMUnitTest tests[] = {
        CASE(the_callers_value_beats_environment_file_and_default),
        CASE(a_token_that_is_handed_in_chooses_its_store),
        CASE(a_token_that_is_handed_in_counts_as_the_environment_does),
        CASE(an_empty_variable_counts_as_not_set),
        CASE(a_caller_may_forbid_environment_and_file),
        CASE(an_unknown_key_of_the_caller_is_refused_by_name),
        CASE(a_file_that_is_not_an_object_is_an_error_that_names_it),
        CASE(blanks_behind_the_object_do_no_harm),
        CASE(an_empty_file_sets_nothing),
        CASE(a_file_that_others_can_write_is_refused),
        CASE(a_file_that_cannot_be_read_does_not_count_as_absent),
        CASE(a_file_of_somebody_else_is_refused),
        CASE(a_file_without_permission_is_refused),
        CASE(settings_of_the_caller_that_cannot_be_read_are_refused),
        CASE(the_key_of_a_plugin_needs_its_kind_its_name_and_more),
        CASE(a_plugins_setting_is_found_under_its_longest_name),
        CASE(a_plugins_variables_are_tried_in_their_order),
        CASE(a_value_of_the_file_is_a_text_a_number_or_a_boolean),
        CASE(a_value_that_would_count_for_nothing_is_an_error_that_says_where_it_is),
        CASE(a_relative_directory_of_plugins_is_refused_wherever_it_comes_from),
        CASE(the_service_setting_counts_by_its_presence_and_needs_both_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
