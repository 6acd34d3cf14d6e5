/* SPDX-License-Identifier: Apache-2.0 */
#include "client/support.h"

#include "base/clock.h"
#include "host/loader.h"
#include "host/store.h"
#include "wire/timestamp.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

int support_setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/aq-client-XXXXXX");
    assert_non_null(mkdtemp(dir));
    setenv("XDG_DATA_HOME", dir, 1);
    support_play("");
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

int support_teardown(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *support_path(char *buf, size_t size, const char *name)
{
    snprintf(buf, size, "%s/%s", dir, name);
    return buf;
}

const char *support_db(void)
{
    static char path[128];
    return support_path(path, sizeof(path), "amazon-q/data.sqlite3");
}

const char *support_script(void)
{
    static char path[128];
    return support_path(path, sizeof(path), "script");
}

const char *support_log(void)
{
    static char path[128];
    return support_path(path, sizeof(path), "asked");
}

/* ---- the database, through the plugin itself ---- */

struct opened {
    struct settings settings;
    struct plugin plugin;
    struct store store;
    struct log log;
};

static void opened_begin(struct opened *o)
{
    const struct aq_client_setting chosen[] = {
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT(AQ_TEST_PLUGIN_DIR) },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_error err;
    *o = (struct opened){ 0 };
    options.settings = chosen;
    options.setting_count = 1;
    assert_int_equal(settings_init(&o->settings, &options, &err), AQ_OK);
    assert_int_equal(loader_load(&o->settings, AQ_PLUGIN_STORE, &o->plugin, &err), AQ_OK);
    const struct host_value path = {
        "path", { .text = { support_db(), strlen(support_db()) }, .origin = SETTINGS_EXPLICIT }
    };
    assert_int_equal(store_open(&o->plugin, &o->settings, &path, 1, &o->log, &o->store, &err),
                     AQ_OK);
}

static void opened_end(struct opened *o)
{
    store_close(&o->store);
    plugin_done(&o->plugin);
    settings_done(&o->settings);
}

static void support_change(const char *key, const char *value)
{
    struct opened o;
    struct aq_error err;
    const struct aq_change change = {
        .key = { key, strlen(key) },
        .action = value ? AQ_CHANGE_PUT : AQ_CHANGE_REMOVE,
        .value = { (const uint8_t *)value, value ? strlen(value) : 0 },
    };
    opened_begin(&o);
    aq_status st = store_commit(&o.store, &change, 1, &err);
    if (st != AQ_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(st, AQ_OK);
    opened_end(&o);
}

void support_put(const char *key, const char *value)
{
    support_change(key, value);
}

void support_remove(const char *key)
{
    support_change(key, NULL);
}

char *support_get(const char *key)
{
    struct opened o;
    struct aq_error err;
    struct buf value = BUF(0);
    opened_begin(&o);
    aq_status st = store_get(&o.store, (struct aq_str){ key, strlen(key) }, &value, &err);
    char *copy = st == AQ_OK ? strdup((const char *)value.ptr) : NULL;
    buf_done(&value);
    opened_end(&o);
    return copy;
}

void support_token_text(char *text, size_t size, int64_t expires_in_s, int generation)
{
    char expires[TIMESTAMP_TEXT_MAX];
    assert_true(timestamp_format(clock_wall_s() + expires_in_s, expires));
    snprintf(
        text, size,
        "{\"access_token\":\"access-%d\",\"expires_at\":\"%s\",\"refresh_token\":\"refresh-%d\","
        "\"region\":\"us-east-1\",\"start_url\":\"https://view.awsapps.com/start\","
        "\"oauth_flow\":\"DeviceCode\",\"scopes\":[\"a\"], \"unknown\" : [1, {}]}",
        generation, expires, generation);
}

void support_login(int64_t expires_in_s, int generation)
{
    char text[1024];
    support_token_text(text, sizeof(text), expires_in_s, generation);
    support_put(TOKEN_KEY, text);
    support_put(REGISTRATION_KEY, SUPPORT_REGISTRATION);
}

/* ---- the transport ---- */

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

void support_play(const char *script)
{
    write_file(support_script(), script);
    write_file(support_log(), "");
}

char *support_asked(void)
{
    static const size_t size = 1 << 20;
    char *text = calloc(1, size);
    FILE *in = fopen(support_log(), "r");
    assert_non_null(text);
    assert_non_null(in);
    size_t ignored = fread(text, 1, size - 1, in);
    (void)ignored;
    fclose(in);
    return text;
}

int support_requests(void)
{
    char *asked = support_asked();
    int count = 0;
    for (const char *at = strstr(asked, "POST "); at; at = strstr(at + 1, "\nPOST ")) {
        count++;
    }
    free(asked);
    return count;
}

struct aq_client *support_client(void)
{
    const struct aq_client_setting settings[] = {
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT(AQ_TEST_PLUGIN_DIR ":" AQ_TEST_FAKES_DIR) },
        { AQ_STR_INIT("transport"), AQ_STR_INIT("script") },
        { AQ_STR_INIT("transport.script.script"), { support_script(), strlen(support_script()) } },
        { AQ_STR_INIT("transport.script.log"), { support_log(), strlen(support_log()) } },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_client *client = NULL;
    struct aq_error err;
    options.settings = settings;
    options.setting_count = sizeof(settings) / sizeof(settings[0]);
    options.log_level = AQ_CLIENT_LOG_DEBUG;
    aq_status st = aq_client_new(&options, &client, &err);
    if (st != AQ_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(st, AQ_OK);
    return client;
}
