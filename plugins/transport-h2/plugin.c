/* SPDX-License-Identifier: Apache-2.0 */
/* transport-h2: HTTP/2 by nghttp2, over TLS by OpenSSL. */
#include <amazonq/plugin.h>

#include "options.h"
#include "transport.h"

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_TRANSPORT,
    .name = "h2",
    .version = "1.0",
    .summary = "HTTP/2 alone, many answers on one connection",
    AQ_PLUGIN_SETTINGS(options_settings),
    .transport = &transport_ops,
};
AQ_PLUGIN(plugin)
