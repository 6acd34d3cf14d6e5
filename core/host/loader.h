/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding, judging and loading a plugin: the only place that calls dlopen. What comes out is a copy
 * of the plugin's descriptor and table in today's shape, with zeroes where the plugin is older, so
 * that nobody else has to think about sizes. A plugin stays loaded until the process ends.
 */
#ifndef AQ_HOST_LOADER_H
#define AQ_HOST_LOADER_H

#include "base/buf.h"
#include "host/settings.h"

#include <amazonq/plugin.h>
#include <stdbool.h>

struct plugin {
    struct aq_plugin info;
    struct aq_store_ops store;         /* if info.kind is AQ_PLUGIN_STORE */
    struct aq_transport_ops transport; /* if info.kind is AQ_PLUGIN_TRANSPORT */
    struct buf path;                   /* the real path of the file */
};

/* "store" or "transport". */
const char *loader_kind_name(int32_t kind);

/*
 * Load the plugin that the settings choose for this kind.
 *
 * A bare name is looked for as KIND-NAME.so in our own directory, then in those of plugin.path. An
 * absolute path is taken as it is. Everything outside our own directory must be trusted (trust.h).
 *
 * Returns AQ_OK or AQ_E_PLUGIN, AQ_E_DENIED, AQ_E_NOMEM with a text that says what to do. *ret must
 * be zeroed; plugin_done gives its memory back either way.
 */
aq_status loader_load(const struct settings *settings, int32_t kind, struct plugin *ret,
                      struct aq_error *err);

/* The same for a plugin of this name, whatever the settings choose. */
aq_status loader_load_named(const struct settings *settings, int32_t kind, struct aq_str name,
                            struct plugin *ret, struct aq_error *err);

/* A file that was found, or named. */
struct loader_file {
    const char *path;   /* absolute */
    bool is_own;        /* in our own directory: not inspected */
    int32_t kind;       /* 0: any */
    struct aq_str name; /* the one it is found by; empty: any */
};

/* Load a file by the rules of loader_load. */
aq_status loader_load_file(const struct loader_file *file, struct plugin *ret,
                           struct aq_error *err);

void plugin_done(struct plugin *p);

/* The i-th declared setting, in today's shape. */
struct aq_setting plugin_setting(const struct plugin *p, uint32_t i);

/* Check a descriptor and copy it; `object` begins the error text, kind 0 stands for any. Used by
 * loader_load, and by tests that link a plugin statically. */
aq_status loader_adopt(const char *object, const struct aq_plugin *found, int32_t kind,
                       struct plugin *ret, struct aq_error *err);

#endif
