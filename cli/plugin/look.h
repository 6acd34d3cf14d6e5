/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at a plugin without having it in this process: it is loaded by a child, whose end, by a
 * constructor that crashes, exits or never returns, is a thing to tell and no harm.
 */
#ifndef Q_PLUGIN_LOOK_H
#define Q_PLUGIN_LOOK_H

#include "text.h"

/* Append what there is to say: of the plugin, or (NULL) why it cannot be loaded. */
typedef void look_describe(const void *arg, const struct aq_plugin *plugin, const char *why,
                           struct text *out);

/* Describe the plugin at this path. True if it could be loaded. */
bool look_at(struct aq_catalog *catalog, struct aq_str path, look_describe *describe,
             const void *arg, struct text *out);

#endif
