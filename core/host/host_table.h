/* SPDX-License-Identifier: Apache-2.0 */
/* What the host gives a plugin instance: its functions and its finished settings. */
#ifndef AQ_HOST_HOST_TABLE_H
#define AQ_HOST_HOST_TABLE_H

#include "base/buf.h"
#include "base/log.h"
#include "host/loader.h"
#include "host/settings.h"

#include <amazonq/plugin.h>

/* One per open instance; does not move while the instance lives. */
struct host_table {
    struct aq_host table;
    struct aq_open_args args;
    struct log *log;
    void (*on_ready)(void *cookie); /* transports only */
    struct aq_setting_value *values;
    uint32_t value_count;
    struct buf texts;
};

/* What a store's get or list hands over arrives here. */
struct host_sink {
    struct buf *value;                                 /* get: the value goes here */
    aq_status (*on_key)(void *ctx, struct aq_str key); /* list: called for each key */
    void *ctx;
    bool filled;
};

/* A value the core has for a setting of a plugin. It counts if its origin ranks higher than that of
 * the plugin's own: --ca-bundle beats a variable the plugin declares, and a default beats nothing.
 */
struct host_value {
    const char *key;
    struct settings_value value;
};

/* What a call to a plugin returned: a failure without a text gets one. err was cleared before. */
aq_status host_result(const struct plugin *plugin, aq_status st, struct aq_error *err);

/*
 * Find and check the value of every setting the plugin declares.
 *
 * values  of the core: `count` of them; those the plugin does not declare are ignored
 */
aq_status host_table_init(struct host_table *h, const struct plugin *plugin,
                          const struct settings *settings, const struct host_value *values,
                          uint32_t count, struct log *log, struct aq_error *err);
void host_table_done(struct host_table *h);

#endif
