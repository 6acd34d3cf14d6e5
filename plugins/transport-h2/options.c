/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "fault.h"

#define WANTED_PROXY \
    "is not [http://][USER:PASSWORD@]HOST:PORT, name such a proxy or use --transport curl, check "

enum { PING_S = SETTINGS_COMMON_COUNT };

const struct aq_setting options_settings[OPTIONS_COUNT] = {
    SETTINGS_COMMON,
    [PING_S] = { .key = "ping_s",
                 .default_value = "30",
                 .help = "seconds of silence after which a peer that owes an answer is asked for a "
                         "sign of life; 0: never",
                 .type = AQ_SETTING_INTEGER,
                 .min = 0,
                 .max = 3600 },
};

static aq_status read_proxy(struct options *options, const struct aq_open_args *args,
                            struct aq_error *err)
{
    const char *https_proxy = settings_text(args, HTTPS_PROXY);
    const char *all_proxy = settings_text(args, ALL_PROXY);
    switch (proxy_init(&options->proxy, https_proxy ? https_proxy : all_proxy,
                       settings_text(args, NO_PROXY))) {
    case PROXY_OK:
        return AQ_OK;
    case PROXY_NO_MEMORY:
        return fault_set(err, AQ_E_NOMEM, "transport-h2", "out of memory");
    default:
        return https_proxy ? fault_set(err, AQ_E_INVALID, "transport.h2.https_proxy",
                                       WANTED_PROXY "HTTPS_PROXY")
                           : fault_set(err, AQ_E_INVALID, "transport.h2.all_proxy",
                                       WANTED_PROXY "ALL_PROXY");
    }
}

aq_status options_init(struct options *options, const struct aq_open_args *args,
                       struct aq_error *err)
{
    *options = (struct options){
        .max_connections = (uint32_t)settings_value(args, MAX_CONNECTIONS)->number,
        .keepalive_us = (uint64_t)settings_value(args, KEEPALIVE_S)->number * 1000000u,
        .ping_us = (uint64_t)settings_value(args, PING_S)->number * 1000000u,
    };
    aq_status st = trust_init(&options->trust, "transport.h2", settings_text(args, CA_BUNDLE),
                              settings_text(args, CA_DIR), err);
    return st == AQ_OK ? read_proxy(options, args, err) : st;
}

void options_done(struct options *options)
{
    proxy_done(&options->proxy);
}
