/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small host of plugins, for tests: loads a built plugin by name, gives it finished settings and
 * a host table, and collects what it hands over. Failing to load is a failed test.
 *
 *     struct plugin_host host;
 *     const struct plugin_setting settings[] = { { "path", "/tmp/x" }, { NULL, NULL } };
 *     plugin_host_load(&host, "store-sqlite", settings);
 *     host.plugin->store->open(&host.args, &self, &err);
 *     ...
 *     plugin_host_done(&host);
 */
#ifndef AQ_TESTS_PLUGINS_HOST_H
#define AQ_TESTS_PLUGINS_HOST_H

#include <amazonq/plugin.h>

#define PLUGIN_HOST_SETTINGS 32

/* Overrides the default of one setting; an array ends with a NULL key. */
struct plugin_setting {
    const char *key;
    const char *value;
};

struct plugin_host {
    const struct aq_plugin *plugin;
    struct aq_host table;     /* ctx is this struct; a test may replace functions */
    struct aq_open_args args; /* for open */
    struct aq_setting_value values[PLUGIN_HOST_SETTINGS];
    void (*ready)(void *cookie); /* what table.ready does, or NULL */
    uint64_t clock_offset_us;    /* the host's clock is ahead of CLOCK_MONOTONIC by this much */
};

/* One result of a store's get or list, as table.put found it; sink points to a list of them. */
struct plugin_entry {
    struct plugin_entry *next;
    char *key;
    uint8_t *value;
    size_t value_len;
};

/* Load NAME.so from the build tree. settings may be NULL. */
void plugin_host_load(struct plugin_host *host, const char *name,
                      const struct plugin_setting *settings);

/* Forget a host; the plugin stays loaded, as it does in the library. */
void plugin_host_done(struct plugin_host *host);

void plugin_entries_free(struct plugin_entry *entries);

#endif
