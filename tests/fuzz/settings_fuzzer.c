/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as settings.json: it is refused by name, or each setting has one text, and an endpoint
 * in it is used only if a token may go there. */
#include "base/alloc.h"
#include "base/str.h"
#include "fuzz/folder.h"
#include "host/settings.h"
#include "wire/endpoint.h"

static void value_check(struct settings_value value)
{
    if (value.origin == SETTINGS_NOWHERE) {
        PROMISE(!value.text.ptr);
    } else {
        PROMISE(value.origin == SETTINGS_FILE || value.origin == SETTINGS_DEFAULT);
        PROMISE(strlen(value.text.ptr) == value.text.len);
    }
}

static void endpoint_use(struct aq_str url)
{
    AUTO(buf) struct buf out = BUF(0);
    struct aq_error err;
    aq_status st = endpoint_check(AQ_STR("endpoint"), url, true, &out, &err);
    if (st == AQ_OK) {
        struct aq_str host = str_from_offset(buf_str(&out), sizeof("https://") - 1);
        if (!str_starts(buf_str(&out), AQ_STR("https://"))) {
            PROMISE(str_starts(buf_str(&out), AQ_STR("http://")));
            host = str_from_offset(buf_str(&out), sizeof("http://") - 1);
            PROMISE(str_starts(host, AQ_STR("127.")) || str_starts(host, AQ_STR("[::1]")) ||
                    str_starts(host, AQ_STR("localhost")));
        }
        PROMISE(!str_contains(str_cut(&host, '/'), AQ_STR("@"))); /* no user info */
        for (size_t i = 0; i < out.len; i++) {
            PROMISE(out.ptr[i] > 0x20 && out.ptr[i] < 0x7f && !strchr("?#", out.ptr[i]));
        }
    } else {
        PROMISE(st == AQ_E_INVALID);
        error_text_check(&err);
    }
}

static void settings_check(const struct settings *s)
{
    static const struct aq_setting declared = { .key = "path", .default_value = "none" };
    struct aq_str endpoint;
    for (int id = SETTINGS_STORE; id <= SETTINGS_SHARE_CONTENT; id++) {
        value_check(settings_get(s, (enum settings_id)id));
    }
    value_check(settings_get_plugin(s, "store", "sqlite", &declared));
    PROMISE(settings_get(s, SETTINGS_STORE).text.ptr);
    if (settings_has_service(s, &endpoint)) {
        endpoint_use(endpoint);
    } else {
        PROMISE(!endpoint.ptr);
    }
    endpoint_use(settings_get(s, SETTINGS_ENDPOINT).text);
}

/* The path of settings.json, where settings_init looks for it. */
static const char *file_path(void)
{
    static char path[128];
    if (!path[0]) {
        const char *home = folder_path();
        snprintf(path, sizeof(path), "%s/amazon-q", home);
        PROMISE(mkdir(path, 0700) == 0);
        snprintf(path, sizeof(path), "%s/amazon-q/settings.json", home);
        setenv("XDG_DATA_HOME", home, 1);
    }
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct settings s = { 0 };
    struct aq_error err;
    folder_write(file_path(), data, size);
    options.flags = AQ_CLIENT_NO_ENV;

    aq_status st = settings_init(&s, &options, &err);
    if (st == AQ_OK) {
        settings_check(&s);
    } else {
        PROMISE(st == AQ_E_INVALID);
        error_text_check(&err);
        PROMISE(strstr(err.text, file_path()));
    }
    settings_done(&s);
    return 0;
}
