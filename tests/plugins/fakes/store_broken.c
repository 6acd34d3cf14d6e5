/* SPDX-License-Identifier: Apache-2.0 */
/* One source, many ways to be a bad plugin; BROKEN_... chooses which. */
#include <amazonq/plugin.h>
#include <stddef.h>

static int instance;

static aq_status broken_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    (void)args;
    *ret_self = &instance;
#ifdef BROKEN_OPEN
    const char text[] = "broken: does not want to be opened" BROKEN_OPEN;
    for (size_t i = 0; i < sizeof(text); i++) {
        err->text[i] = text[i];
    }
    return err->status = AQ_E_UNAVAILABLE;
#else
    (void)err;
    return AQ_OK;
#endif
}

static void broken_close(void *self)
{
    (void)self;
}

static aq_status broken_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    (void)self;
    (void)key;
    (void)sink;
    (void)err;
    return AQ_OK; /* found, but nothing was handed over */
}

#ifndef BROKEN_NO_LIST
static aq_status broken_list(void *self, void *sink, struct aq_error *err)
{
    (void)self;
    (void)sink;
    (void)err;
    return AQ_OK;
}
#endif

#ifdef BROKEN_UNLINKED
void BROKEN_UNLINKED(void); /* of a library that it is not linked with */
#endif

static aq_status broken_commit(void *self, const struct aq_change *changes, uint32_t count,
                               uint32_t stride, struct aq_error *err)
{
    (void)self;
    (void)changes;
    (void)count;
    (void)stride;
    (void)err;
#ifdef BROKEN_UNLINKED
    BROKEN_UNLINKED();
#endif
    return AQ_E_IO; /* failed, and does not say why */
}

static const struct aq_store_ops ops = {
#ifdef BROKEN_SHORT_TABLE
    .struct_size = offsetof(struct aq_store_ops, get),
#else
    AQ_STORE_OPS,
#endif
    .open = broken_open,
    .close = broken_close,
    .get = broken_get,
#ifndef BROKEN_NO_LIST
    .list = broken_list,
#endif
    .commit = broken_commit,
};

#ifdef BROKEN_SETTING
static const struct aq_setting settings[] = {
    { .key = "level", .type = AQ_SETTING_INTEGER, .default_value = "3", .min = 1, .max = 9 },
    { .key = "loud", .type = AQ_SETTING_BOOLEAN, .default_value = "false" },
    { .key = "where", .type = AQ_SETTING_PATH, .env = "AQ_TEST_NOWHERE,AQ_TEST_WHERE" },
    { .key = "name",
      .type = AQ_SETTING_STRING,
      .env = "AQ_TEST_NAME",
      .flags = AQ_SETTING_REQUIRED },
};
#endif

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
#ifdef BROKEN_SETTING
    AQ_PLUGIN_SETTINGS(settings),
#endif
#ifdef BROKEN_KIND
    .kind = AQ_PLUGIN_TRANSPORT,
#else
    .kind = AQ_PLUGIN_STORE,
#endif
    .name = BROKEN_NAME,
#ifdef BROKEN_VERSION
    .version = "1\033[2J\nF forged\xff",
    .summary = "says what terminals obey",
#else
    .version = "1",
#endif
    .store = &ops,
};

#if defined(BROKEN_NEWER)
AQ_PLUGIN_EXPORT const struct aq_plugin *aq_plugin_v2(void);
const struct aq_plugin *aq_plugin_v2(void)
{
    return &plugin;
}
#elif defined(BROKEN_NO_SYMBOL)
AQ_PLUGIN_EXPORT const struct aq_plugin *something_else(void);
const struct aq_plugin *something_else(void)
{
    return &plugin;
}
#else
AQ_PLUGIN(plugin)
#endif
