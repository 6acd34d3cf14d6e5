/* SPDX-License-Identifier: Apache-2.0 */
/* The settings that every transport of ours has, with the same meaning. */
#ifndef TRANSPORT_COMMON_SETTINGS_H
#define TRANSPORT_COMMON_SETTINGS_H

#include <amazonq/plugin.h>

/* Their places in a plugin's table; its own come after them. */
enum {
    CA_BUNDLE,
    CA_DIR,
    HTTPS_PROXY,
    ALL_PROXY,
    NO_PROXY,
    MAX_CONNECTIONS,
    KEEPALIVE_S,
    SETTINGS_COMMON_COUNT,
};

/* clang-format off */
#define SETTINGS_COMMON \
    [CA_BUNDLE] = { .key = "ca_bundle",                                                  \
                    .env = "AWS_CA_BUNDLE,SSL_CERT_FILE",                                \
                    .help = "file with the certificates to trust, PEM",                  \
                    .type = AQ_SETTING_PATH },                                           \
    [CA_DIR] = { .key = "ca_dir",                                                        \
                 .env = "SSL_CERT_DIR",                                                  \
                 .help = "directory with the certificates to trust, named by hash",      \
                 .type = AQ_SETTING_PATH },                                              \
    [HTTPS_PROXY] = { .key = "https_proxy",                                              \
                      .env = "HTTPS_PROXY,https_proxy",                                  \
                      .help = "proxy, as SCHEME://[USER:PASSWORD@]HOST:PORT",            \
                      .type = AQ_SETTING_STRING,                                         \
                      .flags = AQ_SETTING_SECRET },                                      \
    [ALL_PROXY] = { .key = "all_proxy",                                                  \
                    .env = "ALL_PROXY,all_proxy",                                        \
                    .help = "proxy when https_proxy is not set",                         \
                    .type = AQ_SETTING_STRING,                                           \
                    .flags = AQ_SETTING_SECRET },                                        \
    [NO_PROXY] = { .key = "no_proxy",                                                    \
                   .env = "NO_PROXY,no_proxy",                                           \
                   .help = "hosts to reach without a proxy, separated by commas; * for all", \
                   .type = AQ_SETTING_STRING },                                          \
    [MAX_CONNECTIONS] = { .key = "max_connections",                                      \
                          .default_value = "1000",                                       \
                          .help = "connections at a time; further requests wait",        \
                          .type = AQ_SETTING_INTEGER,                                    \
                          .min = 1,                                                      \
                          .max = 10000 },                                                \
    [KEEPALIVE_S] = { .key = "keepalive_s",                                              \
                      .default_value = "60",                                             \
                      .help = "seconds for which an idle connection may be used again; 0: never", \
                      .type = AQ_SETTING_INTEGER,                                        \
                      .min = 0,                                                          \
                      .max = 3600 }
/* clang-format on */

static inline const struct aq_setting_value *settings_value(const struct aq_open_args *args,
                                                            uint32_t index)
{
    return (const void *)((const char *)args->values + (size_t)index * args->value_stride);
}

/* NULL: not set. */
static inline const char *settings_text(const struct aq_open_args *args, uint32_t index)
{
    const struct aq_setting_value *value = settings_value(args, index);
    return value->text.len ? value->text.ptr : NULL;
}

#endif
