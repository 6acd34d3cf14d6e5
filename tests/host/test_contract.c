/* SPDX-License-Identifier: Apache-2.0 */
/* What the host makes of plugins that break their contract: an error that names them, and no harm.
 * store_evil.c and transport_evil.c do the deeds. */
#include "cmocka_all.h"

#include "base/clock.h"
#include "host/loader.h"
#include "host/store.h"

#include <amazonq/amazonq.h>
#include <poll.h>
#include <setjmp.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- stores ---- */

struct opened {
    struct settings settings;
    struct plugin plugin;
    struct store store;
    struct log log;
    aq_status status; /* of open */
};

static void opened_begin(struct opened *o, const char *deed, struct aq_error *err)
{
    const struct aq_client_setting chosen[] = {
        { AQ_STR_INIT("store"), AQ_STR_INIT("evil") },
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT(AQ_TEST_FAKES_DIR) },
        { AQ_STR_INIT("store.evil.deed"), { deed, strlen(deed) } },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    *o = (struct opened){ .log.level = LOG_DEBUG };
    options.flags = AQ_CLIENT_NO_SETTINGS;
    options.settings = chosen;
    options.setting_count = COUNT(chosen);
    assert_int_equal(settings_init(&o->settings, &options, err), AQ_OK);
    assert_int_equal(loader_load(&o->settings, AQ_PLUGIN_STORE, &o->plugin, err), AQ_OK);
    o->status = store_open(&o->plugin, &o->settings, NULL, 0, &o->log, &o->store, err);
}

static void opened_end(struct opened *o)
{
    store_close(&o->store);
    plugin_done(&o->plugin);
    settings_done(&o->settings);
    log_done(&o->log);
}

struct deed {
    const char *name;
    aq_status status;
    const char *text;
};

/* A breach is AQ_E_PLUGIN, and says whose. */
static void check_error(const struct deed *deed, const char *kind, aq_status st,
                        const struct aq_error *err)
{
    if (st != deed->status || !strstr(err->text, deed->text)) {
        print_error("%s: %s '%s'\n", deed->name, aq_status_name(st), err->text);
    }
    assert_int_equal(st, deed->status);
    assert_int_equal(err->status, st);
    assert_contains(err->text, deed->text);
    if (deed->status == AQ_E_PLUGIN) {
        assert_int_equal(strncmp(err->text, kind, strlen(kind)), 0);
        assert_contains(err->text, "'evil': broke its contract, ");
        assert_contains(err->text, "; update it or choose another");
    }
}

static void a_store_that_does_no_evil_works(void **state)
{
    struct opened o;
    struct buf value = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error err;
    (void)state;
    opened_begin(&o, "none", &err);
    assert_int_equal(store_get(&o.store, AQ_STR("k"), &value, &err), AQ_OK);
    assert_str(buf_str(&value), "v");
    assert_int_equal(store_commit(&o.store, NULL, 0, &err), AQ_OK);
    assert_int_equal(store_can_save(&o.store, &err), AQ_OK);
    assert_int_equal(store_lock(&o.store, &err), AQ_OK);
    buf_done(&value);
    opened_end(&o);
}

static void a_store_that_opens_in_no_allowed_way_is_refused(void **state)
{
    static const struct deed deeds[] = {
        { "open-again", AQ_E_PLUGIN, "open returned 1 (AQ_AGAIN)" },
        { "open-nothing", AQ_E_PLUGIN, "open returned no instance" },
        { "open-fails-with-an-instance", AQ_E_IO, "evil: no" },
        { "open-ready", AQ_E_PLUGIN, "ready was called by a store" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(deeds); i++) {
        struct opened o;
        struct aq_error err;
        opened_begin(&o, deeds[i].name, &err);
        check_error(&deeds[i], "store", o.status, &err);
        opened_end(&o);
    }
}

static void what_get_does_wrong_yields_an_error_and_no_value(void **state)
{
    static const struct deed deeds[] = {
        { "get-nothing", AQ_E_PLUGIN, "get returned 'k' without a value" },
        { "get-null", AQ_E_PLUGIN, "put was given a length without bytes" },
        { "get-null-key", AQ_E_PLUGIN, "put was given a length without bytes" },
        { "get-other-key", AQ_E_PLUGIN, "put was given another key than get was asked for" },
        { "get-twice", AQ_E_PLUGIN, "put was called twice for one key" },
        { "get-no-sink", AQ_E_PLUGIN, "put was called with a sink that is not open" },
        { "get-ready", AQ_E_PLUGIN, "ready was called by a store" },
        { "get-log", AQ_E_PLUGIN, "log was given a length without a text" },
        { "get-again", AQ_E_PLUGIN, "get returned 1 (AQ_AGAIN)" },
        { "get-end", AQ_E_PLUGIN, "get returned 2 (AQ_END)" },
        { "get-positive", AQ_E_PLUGIN, "get returned 7 (AQ_E_UNKNOWN)" },
        { "get-unknown", AQ_E_PLUGIN, "get returned -999 (AQ_E_UNKNOWN)" },
        { "get-lowest", AQ_E_PLUGIN, "get returned -2147483648 (AQ_E_UNKNOWN)" },
        { "get-login", AQ_E_PLUGIN, "get returned -41 (AQ_E_LOGIN_NEEDED)" },
        { "get-long", AQ_E_LIMIT, "store 'evil': the value of 'k' is too long" },
        { "get-negative", AQ_E_LIMIT, "store 'evil': the value of 'k' is too long" },
        { "get-silent", AQ_E_IO, "store 'evil': failed without saying why (AQ_E_IO)" },
        { "get-another-status", AQ_E_IO, "store 'evil': failed without saying why (AQ_E_IO)" },
        { "get-escapes", AQ_E_IO, "evil: ?[2J?q: all is well" },
        { "get-endless", AQ_E_IO, "xxxxxxxx" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(deeds); i++) {
        struct opened o;
        struct buf value = BUF(AQ_STORE_VALUE_MAX);
        struct aq_error err;
        opened_begin(&o, deeds[i].name, &err);
        aq_status st = store_get(&o.store, AQ_STR("k"), &value, &err);
        check_error(&deeds[i], "store", st, &err);
        assert_int_equal(value.len, 0);
        assert_int_equal(buf_status(&value), AQ_OK);
        assert_non_null(memchr(err.text, '\0', sizeof(err.text)));
        buf_done(&value);
        opened_end(&o);
    }
}

static void what_grant_does_wrong_yields_an_error_and_no_value(void **state)
{
    static const struct deed deeds[] = {
        { "get-nothing", AQ_E_PLUGIN, "grant returned 'k' without a value" },
        { "get-other-key", AQ_E_PLUGIN, "put was given another key" },
        { "get-twice", AQ_E_PLUGIN, "put was called twice for one key" },
        { "get-long", AQ_E_LIMIT, "store 'evil': the value of 'k' is too long" },
        { "grant-end", AQ_E_PLUGIN, "grant returned 2 (AQ_END)" },
        { "grant-service", AQ_E_PLUGIN, "grant returned -50 (AQ_E_AUTH)" },
        { "grant-silent", AQ_E_REFRESH, "store 'evil': failed without saying why (AQ_E_REFRESH)" },
        { "grant-login", AQ_E_LOGIN_NEEDED, "evil: sign in again" },
    };
    const struct aq_token_wish wish = { .struct_size = sizeof(wish) };
    (void)state;
    for (size_t i = 0; i < COUNT(deeds); i++) {
        struct opened o;
        struct buf value = BUF(AQ_STORE_VALUE_MAX);
        struct aq_error err;
        opened_begin(&o, deeds[i].name, &err);
        assert_true(store_grants(&o.store));
        aq_status st = store_grant(&o.store, AQ_STR("k"), &wish, &value, &err);
        check_error(&deeds[i], "store", st, &err);
        assert_int_equal(value.len, 0);
        buf_done(&value);
        opened_end(&o);
    }
}

static void a_token_server_may_ask_to_be_asked_again(void **state)
{
    struct opened o;
    struct buf value = BUF(AQ_STORE_VALUE_MAX);
    const struct aq_token_wish wish = { .struct_size = sizeof(wish) };
    struct aq_error err;
    (void)state;
    opened_begin(&o, "grant-again", &err);
    assert_int_equal(store_grant(&o.store, AQ_STR("k"), &wish, &value, &err), AQ_AGAIN);
    assert_int_equal(value.len, 0); /* whatever was handed over meanwhile */
    buf_done(&value);
    opened_end(&o);
}

static void a_key_that_is_not_found_has_no_value_whatever_was_handed_over(void **state)
{
    struct opened o;
    struct buf value = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error err;
    (void)state;
    opened_begin(&o, "get-found-and-not-found", &err);
    assert_int_equal(store_get(&o.store, AQ_STR("k"), &value, &err), AQ_E_NOTFOUND);
    assert_int_equal(value.len, 0);
    buf_done(&value);
    opened_end(&o);
}

static void a_sink_is_closed_when_its_get_is_over(void **state)
{
    static const struct deed again = { "get-old-sink", AQ_E_PLUGIN, "a sink that is not open" };
    static const struct deed commit = { "commit-put", AQ_E_PLUGIN, "a sink that is not open" };
    struct opened o;
    struct buf value = BUF(AQ_STORE_VALUE_MAX);
    struct aq_change change = { .key = AQ_STR("k") };
    struct aq_error err;
    (void)state;
    opened_begin(&o, again.name, &err);
    assert_int_equal(store_get(&o.store, AQ_STR("k"), &value, &err), AQ_OK);
    check_error(&again, "store", store_get(&o.store, AQ_STR("k"), &value, &err), &err);
    opened_end(&o);

    opened_begin(&o, commit.name, &err);
    assert_int_equal(store_get(&o.store, AQ_STR("k"), &value, &err), AQ_OK);
    check_error(&commit, "store", store_commit(&o.store, &change, 1, &err), &err);
    opened_end(&o);
    buf_done(&value);
}

static void only_lock_may_say_later_and_nothing_else_counts_as_done(void **state)
{
    static const struct {
        struct deed deed;
        aq_status (*call)(struct store *s, struct aq_error *err);
    } cases[] = {
        { { "lock-end", AQ_E_PLUGIN, "lock returned 2 (AQ_END)" }, store_lock },
        { { "lock-again", AQ_AGAIN, "" }, store_lock },
        { { "can-save-again", AQ_E_PLUGIN, "can_save returned 1 (AQ_AGAIN)" }, store_can_save },
    };
    static const struct deed commits[] = {
        { "commit-again", AQ_E_PLUGIN, "commit returned 1 (AQ_AGAIN)" },
        { "commit-unknown", AQ_E_PLUGIN, "commit returned -22 (AQ_E_UNKNOWN)" },
    };
    struct opened o;
    struct aq_error err;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        opened_begin(&o, cases[i].deed.name, &err);
        aq_status st = cases[i].call(&o.store, &err);
        if (st < 0) {
            check_error(&cases[i].deed, "store", st, &err);
        }
        assert_int_equal(st, cases[i].deed.status);
        assert_false(o.store.locked);
        opened_end(&o);
    }
    for (size_t i = 0; i < COUNT(commits); i++) {
        opened_begin(&o, commits[i].name, &err);
        check_error(&commits[i], "store", store_commit(&o.store, NULL, 0, &err), &err);
        opened_end(&o);
    }
}

/* ---- descriptors ---- */

static void a_descriptor_or_a_settings_table_that_cannot_be_true_is_refused(void **state)
{
    static const struct aq_setting odd[] = {
        { .key = NULL, .type = AQ_SETTING_STRING },
        { .key = "", .type = AQ_SETTING_STRING },
        { .key = "Key", .type = AQ_SETTING_STRING },
        { .key = "a.b", .type = AQ_SETTING_STRING },
        { .key = "k", .type = 0 },
        { .key = "k", .type = 5 },
    };
    static const struct aq_setting fine = { .key = "k_9", .type = AQ_SETTING_PATH };
    const uint32_t stride = sizeof(struct aq_setting);
    struct opened o;
    struct aq_error err;
    (void)state;
    opened_begin(&o, "none", &err);
    const struct {
        const char *name;
        const struct aq_setting *settings;
        uint32_t count, stride, size;
        aq_status status;
    } cases[] = {
        { "evil", &fine, 1, stride, sizeof(struct aq_plugin), AQ_OK },
        { "evil", NULL, 0, 0, sizeof(struct aq_plugin), AQ_OK },
        { NULL, &fine, 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "", &fine, 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "Evil", &fine, 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "../evil", &fine, 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &fine, 1, stride, sizeof(uint32_t), AQ_E_PLUGIN },
        { "evil", &fine, 1, stride, 0, AQ_E_PLUGIN },
        { "evil", NULL, 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &fine, 1, 8, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &fine, UINT32_MAX, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &odd[0], 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &odd[1], 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &odd[2], 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &odd[3], 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &odd[4], 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
        { "evil", &odd[5], 1, stride, sizeof(struct aq_plugin), AQ_E_PLUGIN },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct aq_plugin info = o.plugin.info;
        struct plugin adopted = { 0 };
        info.struct_size = cases[i].size;
        info.name = cases[i].name;
        info.settings = cases[i].settings;
        info.setting_count = cases[i].count;
        info.setting_stride = cases[i].stride;
        aq_status st = loader_adopt("store 'x'", &info, AQ_PLUGIN_STORE, &adopted, &err);
        assert_int_equal(st, cases[i].status);
        if (st != AQ_OK) {
            assert_int_equal(strncmp(err.text, "store 'x': its ", 15), 0);
        }
    }
    opened_end(&o);
}

/* ---- transports ---- */

static struct aq_client *client_with(const char *deed)
{
    const struct aq_client_setting chosen[] = {
        { AQ_STR_INIT("transport"), AQ_STR_INIT("evil") },
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT(AQ_TEST_FAKES_DIR) },
        { AQ_STR_INIT("transport.evil.deed"), { deed, strlen(deed) } },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_client *client = NULL;
    struct aq_error err;
    options.flags = AQ_CLIENT_NO_SETTINGS | AQ_CLIENT_NO_ENV;
    options.settings = chosen;
    options.setting_count = COUNT(chosen);
    options.log_level = AQ_CLIENT_LOG_WARN;
    assert_int_equal(aq_client_new(&options, &client, &err), AQ_OK);
    return client;
}

static aq_status request(struct aq_client *client, struct aq_op **ret, struct aq_error *err)
{
    struct aq_http_options options = AQ_HTTP_OPTIONS_INIT;
    options.url = AQ_STR("https://evil.example/");
    return aq_http_start(client, &options, ret, err);
}

/* Make a request and see it through: AQ_END, or what went wrong. */
static aq_status ask(struct aq_client *client, struct aq_error *err)
{
    const struct aq_event *event;
    struct aq_op *op = NULL;
    aq_status st = request(client, &op, err);
    if (st == AQ_OK) {
        do {
            st = aq_op_wait(op, &event, err);
        } while (st == AQ_OK);
    }
    aq_op_free(op);
    return st;
}

static void a_transport_that_does_no_evil_works(void **state)
{
    struct aq_client *client = client_with("none");
    struct aq_op *ops[40]; /* more than there is room for at first */
    struct aq_error err;
    (void)state;
    assert_int_equal(ask(client, &err), AQ_END);
    for (size_t i = 0; i < COUNT(ops); i++) {
        assert_int_equal(request(client, &ops[i], &err), AQ_OK);
    }
    for (size_t i = COUNT(ops); i > 0; i--) {
        const struct aq_event *event;
        assert_int_equal(aq_op_wait(ops[i - 1], &event, &err), AQ_OK);
        assert_int_equal(event->http, 200);
        assert_int_equal(aq_op_wait(ops[i - 1], &event, &err), AQ_OK);
        assert_str(((struct aq_str){ (const char *)event->payload.ptr, event->payload.len }),
                   "body");
        assert_int_equal(aq_op_wait(ops[i - 1], &event, &err), AQ_END);
        aq_op_free(ops[i - 1]);
    }
    aq_client_free(client);
}

static void what_a_transport_does_wrong_ends_the_request_with_an_error(void **state)
{
    static const struct deed deeds[] = {
        { "open-again", AQ_E_PLUGIN, "open returned 1 (AQ_AGAIN)" },
        { "open-nothing", AQ_E_PLUGIN, "open returned no instance" },
        { "open-fails-with-an-instance", AQ_E_IO, "evil: no" },
        { "open-ready", AQ_E_PLUGIN, "ready was called outside step" },
        { "start-again", AQ_E_PLUGIN, "start returned 1 (AQ_AGAIN)" },
        { "start-unknown", AQ_E_PLUGIN, "start returned -999 (AQ_E_UNKNOWN)" },
        { "start-nothing", AQ_E_PLUGIN, "start returned no call" },
        { "start-fails-with-a-call", AQ_E_NETWORK, "evil: no" },
        { "start-ready", AQ_E_PLUGIN, "ready was called outside step" },
        { "start-put", AQ_E_PLUGIN, "put was called with a sink that is not open" },
        { "step-again", AQ_E_PLUGIN, "step returned 1 (AQ_AGAIN)" },
        { "step-positive", AQ_E_PLUGIN, "step returned 7 (AQ_E_UNKNOWN)" },
        { "step-unknown", AQ_E_PLUGIN, "step returned -22 (AQ_E_UNKNOWN)" },
        { "step-silent", AQ_E_NETWORK,
          "transport 'evil': failed without saying why (AQ_E_NETWORK)" },
        { "step-fails", AQ_E_NETWORK, "evil: lost everything" },
        { "ready-never-given", AQ_E_PLUGIN, "ready was called with the cookie of no call" },
        { "ready-twice", AQ_E_PLUGIN, "ready was called twice" },
        { "ready-null", AQ_E_PLUGIN, "ready was called with the cookie of no call" },
        { "ready-own-pointer", AQ_E_PLUGIN, "ready was called with the cookie of no call" },
        { "response-end", AQ_E_PLUGIN, "response returned 2 (AQ_END)" },
        { "response-unknown", AQ_E_PLUGIN, "response returned 3 (AQ_E_UNKNOWN)" },
        { "response-interim", AQ_E_PLUGIN, "response gave a status that is not 200 to 599" },
        { "response-negative", AQ_E_PLUGIN, "response gave a status that is not 200 to 599" },
        { "response-absurd", AQ_E_PLUGIN, "response gave a status that is not 200 to 599" },
        { "response-null", AQ_E_PLUGIN, "response gave headers that cannot be read" },
        { "response-stride", AQ_E_PLUGIN, "response gave headers that cannot be read" },
        { "response-many", AQ_E_PLUGIN, "response gave headers that cannot be read" },
        { "response-no-name", AQ_E_PLUGIN, "response gave a length without a text" },
        { "response-no-value", AQ_E_PLUGIN, "response gave a length without a text" },
        { "response-protocol", AQ_E_PLUGIN, "response gave a length without a text" },
        { "response-long-name", AQ_E_PLUGIN, "response gave more header bytes than were allowed" },
        { "response-long-value", AQ_E_PLUGIN, "response gave more header bytes than were allowed" },
        { "read-nothing", AQ_E_PLUGIN, "read returned 0 bytes of 1 to 65536" },
        { "read-too-much", AQ_E_PLUGIN, "read returned 65537 bytes of 1 to 65536" },
        { "read-negative", AQ_E_PLUGIN, "bytes of 1 to 65536" },
        { "read-unknown", AQ_E_PLUGIN, "read returned 3 (AQ_E_UNKNOWN)" },
        { "read-login", AQ_E_PLUGIN, "read returned -41 (AQ_E_LOGIN_NEEDED)" },
        { "read-ready", AQ_E_PLUGIN, "ready was called outside step" },
        { "interest-changes", AQ_E_PLUGIN, "interest gave the descriptor" },
        { "interest-withdraws", AQ_E_PLUGIN, "interest gave the descriptor -1 after" },
        { "interest-file", AQ_E_PLUGIN, "which cannot be waited for" },
        { "interest-negative", AQ_E_PLUGIN, "interest gave the descriptor -7 after -1" },
        { "interest-absurd", AQ_E_PLUGIN, "2147483647, which cannot be waited for" },
        { "interest-nothing", AQ_E_PLUGIN, "nothing to wait for while a call waits" },
        { "interest-overdue", AQ_E_PLUGIN, "a deadline that had passed 1000 times in a row" },
        { "interest-ready", AQ_E_PLUGIN, "ready was called outside step" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(deeds); i++) {
        struct aq_client *client = client_with(deeds[i].name);
        struct aq_error err = { 0 };
        check_error(&deeds[i], "transport", ask(client, &err), &err);
        assert_int_equal(err.flags, 0); /* nobody may take it for "not sent" */
        check_error(&deeds[i], "transport", ask(client, &err), &err); /* and the host lives on */
        aq_client_free(client);
    }
}

static void what_is_said_of_a_call_that_is_over_harms_those_that_are_not(void **state)
{
    static const struct deed finished = { "ready-finished", AQ_E_PLUGIN, "the cookie of no call" };
    static const struct deed finish = { "finish-ready", AQ_E_PLUGIN, "outside step" };
    struct aq_client *client = client_with(finished.name);
    struct aq_error err;
    (void)state;
    assert_int_equal(ask(client, &err), AQ_END);
    check_error(&finished, "transport", ask(client, &err), &err);
    aq_client_free(client);

    client = client_with(finish.name);
    const struct aq_event *event;
    struct aq_op *op = NULL;
    struct aq_op *other = NULL;
    assert_int_equal(request(client, &op, &err), AQ_OK);
    assert_int_equal(request(client, &other, &err), AQ_OK);
    aq_op_free(other);
    check_error(&finish, "transport", aq_op_wait(op, &event, &err), &err);
    aq_op_free(op);
    aq_client_free(client);

    client = client_with("close-ready"); /* nobody is left to be told */
    assert_int_equal(ask(client, &err), AQ_END);
    aq_client_free(client);
}

static void a_step_that_blocks_is_waited_for_and_named_in_the_log(void **state)
{
    struct aq_client *client = client_with("step-slow");
    struct aq_str line;
    struct aq_error err;
    int32_t level;
    (void)state;
    assert_int_equal(ask(client, &err), AQ_END);
    assert_int_equal(aq_client_next_log(client, &level, &line), AQ_OK);
    assert_int_equal(level, AQ_CLIENT_LOG_WARN);
    assert_contains(line.ptr, "transport 'evil': step took ");
    aq_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_does_no_evil_works),
        cmocka_unit_test(a_store_that_opens_in_no_allowed_way_is_refused),
        cmocka_unit_test(what_get_does_wrong_yields_an_error_and_no_value),
        cmocka_unit_test(what_grant_does_wrong_yields_an_error_and_no_value),
        cmocka_unit_test(a_token_server_may_ask_to_be_asked_again),
        cmocka_unit_test(a_key_that_is_not_found_has_no_value_whatever_was_handed_over),
        cmocka_unit_test(a_sink_is_closed_when_its_get_is_over),
        cmocka_unit_test(only_lock_may_say_later_and_nothing_else_counts_as_done),
        cmocka_unit_test(a_descriptor_or_a_settings_table_that_cannot_be_true_is_refused),
        cmocka_unit_test(a_transport_that_does_no_evil_works),
        cmocka_unit_test(what_a_transport_does_wrong_ends_the_request_with_an_error),
        cmocka_unit_test(what_is_said_of_a_call_that_is_over_harms_those_that_are_not),
        cmocka_unit_test(a_step_that_blocks_is_waited_for_and_named_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
