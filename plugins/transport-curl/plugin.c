/* SPDX-License-Identifier: Apache-2.0 */
/* transport-curl: HTTP/1.1 and HTTP/2 over TLS by libcurl. */
#include <amazonq/plugin.h>

#include "options.h"
#include "transport.h"

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_TRANSPORT,
    .name = "curl",
    .version = "1.0",
    .summary = "HTTP/1.1 and HTTP/2 by libcurl, with proxies",
    AQ_PLUGIN_SETTINGS(options_settings),
    .transport = &transport_ops,
};
AQ_PLUGIN(plugin)
