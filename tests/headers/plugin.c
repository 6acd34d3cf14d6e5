/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin written from <amazonq/plugin.h> alone; compiled as C99 and as C++20, never run. */
#include <amazonq/plugin.h>

static aq_status nothing_open(const struct aq_open_args *args, void **ret_self,
                              struct aq_error *err)
{
    (void)err;
    *ret_self = (void *)args->host;
    return AQ_OK;
}

static void nothing_close(void *self)
{
    (void)self;
}

static aq_status nothing_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    (void)self, (void)key, (void)sink, (void)err;
    return AQ_E_NOTFOUND;
}

static aq_status nothing_list(void *self, void *sink, struct aq_error *err)
{
    (void)self, (void)sink, (void)err;
    return AQ_OK;
}

static aq_status nothing_commit(void *self, const struct aq_change *changes, uint32_t count,
                                uint32_t stride, struct aq_error *err)
{
    (void)self, (void)changes, (void)count, (void)stride, (void)err;
    return AQ_E_READONLY;
}

static const struct aq_setting settings[] = {
    { "size", "16", "NOTHING_SIZE", "number of nothings", AQ_SETTING_INTEGER, 0, 1, 64 },
    { "label", NULL, NULL, "what to call them", AQ_SETTING_STRING, AQ_SETTING_SECRET, 0, 0 },
};

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,       .traits = AQ_STORE_SHARED, .open = nothing_open,     .close = nothing_close,
    .get = nothing_get, .list = nothing_list,      .commit = nothing_commit,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,   .kind = AQ_PLUGIN_STORE,    .name = "nothing",
    .version = "1.0", .summary = "keeps nothing", AQ_PLUGIN_SETTINGS(settings),
    .store = &ops,
};
AQ_PLUGIN(plugin)
