/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of an instance. */
#ifndef TRANSPORT_H2_OPTIONS_H
#define TRANSPORT_H2_OPTIONS_H

#include <amazonq/plugin.h>

#include "proxy.h"
#include "settings.h"
#include "trust.h"

#define OPTIONS_COUNT (SETTINGS_COMMON_COUNT + 1)

extern const struct aq_setting options_settings[OPTIONS_COUNT];

struct options {
    struct trust trust;
    struct proxy proxy;
    uint32_t max_connections;
    uint64_t keepalive_us;
    uint64_t ping_us; /* 0: never */
};

/* Read the values that the host found. AQ_E_INVALID when certificates or a proxy are named that
 * cannot be used. On failure nothing is left behind. */
aq_status options_init(struct options *options, const struct aq_open_args *args,
                       struct aq_error *err);
void options_done(struct options *options);

#endif
