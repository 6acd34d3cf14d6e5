/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as a compiler made it when the ABI was at minor 0. What it knows of the tables is written
 * down here and never changes; the headers of today give it the types of the arguments only.
 */
#include <amazonq/plugin.h>

struct aq_store_ops_0 {
    uint32_t struct_size;
    uint32_t traits;
    aq_status (*open)(const struct aq_open_args *args, void **ret_self, struct aq_error *err);
    void (*close)(void *self);
    aq_status (*get)(void *self, struct aq_str key, void *sink, struct aq_error *err);
    aq_status (*list)(void *self, void *sink, struct aq_error *err);
    aq_status (*commit)(void *self, const struct aq_change *changes, uint32_t count,
                        uint32_t stride, struct aq_error *err);
    aq_status (*lock)(void *self, struct aq_error *err);
    void (*unlock)(void *self);
    aq_status (*can_save)(void *self, struct aq_error *err);
};

static const struct aq_host *host;

static aq_status minor0_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    (void)err;
    host = args->host;
    *ret_self = &host;
    return AQ_OK;
}

static void minor0_close(void *self)
{
    (void)self;
}

static aq_status minor0_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    static const uint8_t value[] = { '0' };
    (void)self;
    (void)err;
    return host->put(host->ctx, sink, key, (struct aq_bytes){ value, sizeof(value) });
}

static aq_status minor0_list(void *self, void *sink, struct aq_error *err)
{
    (void)self;
    (void)sink;
    (void)err;
    return AQ_OK;
}

static aq_status minor0_commit(void *self, const struct aq_change *changes, uint32_t count,
                               uint32_t stride, struct aq_error *err)
{
    (void)self;
    (void)changes;
    (void)count;
    (void)stride;
    (void)err;
    return AQ_OK;
}

/* Behind the table, where newer hosts look for newer functions, there is something else. */
static const struct {
    struct aq_store_ops_0 ops;
    void (*other)(void *self);
} memory = {
    .ops = { .struct_size = sizeof(struct aq_store_ops_0),
             .open = minor0_open,
             .close = minor0_close,
             .get = minor0_get,
             .list = minor0_list,
             .commit = minor0_commit },
    .other = minor0_close,
};

static const struct aq_plugin plugin = {
    .struct_size = sizeof(struct aq_plugin),
    .abi_minor = 0,
    .kind = AQ_PLUGIN_STORE,
    .name = "minor0",
    .version = "1",
    .store = (const struct aq_store_ops *)(const void *)&memory,
};

AQ_PLUGIN(plugin)
