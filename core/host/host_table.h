/* SPDX-License-Identifier: Apache-2.0 */
/* What the host gives a plugin instance: its functions and its finished settings. */
#ifndef AQ_HOST_HOST_TABLE_H
#define AQ_HOST_HOST_TABLE_H

#include "base/buf.h"
#include "base/log.h"
#include "host/loader.h"
#include "host/settings.h"

#include <amazonq/plugin.h>
#include <stdbool.h>

/* What a store's get hands over arrives here. */
struct host_sink {
    struct aq_str key; /* the one that was asked for */
    struct buf *value;
    bool filled;
};

/* One per open instance; does not move while the instance lives. */
struct host_table {
    struct aq_host table;
    struct aq_open_args args;
    const struct plugin *plugin;
    struct log *log;
    struct host_sink *sink;                    /* of the get that is going on */
    void (*on_ready)(void *ctx, void *cookie); /* transports only */
    void *ready_ctx;
    const char *breach; /* what the plugin did wrong with a function of ours; for host_result */
    struct aq_setting_value *values;
    struct settings_value *chosen; /* where those come from */
    const struct settings *settings;
    uint32_t value_count;
    struct buf texts;
};

/* A value the core has for a setting of a plugin. It counts if its origin ranks higher than that of
 * the plugin's own: --ca-bundle beats a variable the plugin declares, and a default beats nothing.
 */
struct host_value {
    const char *key;
    struct settings_value value;
};

/*
 * What a plugin's function returned, judged: a breach of the contract becomes AQ_E_PLUGIN, a
 * failure without a text gets one, and a text becomes one printable line, which says where a path
 * in it comes from unless the caller gave it. err was cleared before.
 *
 * most  the greatest status the function may return: AQ_OK, AQ_AGAIN or AQ_END
 */
aq_status host_result(struct host_table *h, const char *function, aq_status most, aq_status st,
                      struct aq_error *err);

/* The same for grant, which may also say what is wrong with the login. */
aq_status host_result_grant(struct host_table *h, aq_status st, struct aq_error *err);

/* AQ_E_PLUGIN with a text that names the plugin and says how it broke its contract. */
aq_status host_breach(const struct host_table *h, struct aq_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For functions of ours that a plugin calls: note a breach until host_result is asked. */
aq_status host_note(struct host_table *h, const char *breach);

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
