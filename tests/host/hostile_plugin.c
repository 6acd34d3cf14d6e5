/* SPDX-License-Identifier: Apache-2.0 */
/* A store that no program should come to use; HOSTILE_... chooses why. test_hostile_plugins.py has
 * those that are wrong by their place or their form, store_broken.c those with a wrong table. */
#include <amazonq/plugin.h>
#include <stddef.h>
#include <stdlib.h>

#ifdef HOSTILE_PART
extern int hostile_part(void);
#endif

#ifdef HOSTILE_ABORT
__attribute__((constructor)) static void hostile_load(void)
{
    abort();
}
#endif

/* Opening it fails and tells whose hostile_part() it was linked with. */
static aq_status hostile_open(const struct aq_open_args *args, void **ret_self,
                              struct aq_error *err)
{
    char text[] = "hostile: bound to part 0";
    (void)args;
    (void)ret_self;
#ifdef HOSTILE_PART
    text[sizeof(text) - 2] = (char)('0' + hostile_part());
#endif
    for (size_t i = 0; i < sizeof(text); i++) {
        err->text[i] = text[i];
    }
    return err->status = AQ_E_UNAVAILABLE;
}

static void hostile_close(void *self)
{
    (void)self;
}

static aq_status hostile_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    (void)self;
    (void)key;
    (void)sink;
    (void)err;
    return AQ_E_NOTFOUND;
}

static aq_status hostile_list(void *self, void *sink, struct aq_error *err)
{
    (void)self;
    (void)sink;
    (void)err;
    return AQ_OK;
}

static aq_status hostile_commit(void *self, const struct aq_change *changes, uint32_t count,
                                uint32_t stride, struct aq_error *err)
{
    (void)self;
    (void)changes;
    (void)count;
    (void)stride;
    return err->status = AQ_E_READONLY;
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,       .open = hostile_open, .close = hostile_close,
    .get = hostile_get, .list = hostile_list, .commit = hostile_commit,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO, .kind = AQ_PLUGIN_STORE, .name = "hostile", .version = "1", .store = &ops,
};

#if defined(HOSTILE_BARE) /* a library like any other */
AQ_PLUGIN_EXPORT const void *hostile_bare(void);
const void *hostile_bare(void)
{
    return &plugin;
}
#elif defined(HOSTILE_NULL)
AQ_PLUGIN_EXPORT const struct aq_plugin *aq_plugin_v1(void);
const struct aq_plugin *aq_plugin_v1(void)
{
    return plugin.name ? NULL : &plugin;
}
#else
AQ_PLUGIN(plugin)
#endif
