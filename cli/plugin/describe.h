/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a plugin: in a list, and in full. */
#ifndef Q_PLUGIN_DESCRIBE_H
#define Q_PLUGIN_DESCRIBE_H

#include "json.h"

/* One file of the catalog. */
struct described {
    const struct aq_catalog_entry *entry;
    const struct json *json; /* NULL: for people */
};

/* Both are look_describe functions, of a struct described. */
void describe_in_list(const void *arg, const struct aq_plugin *plugin, const char *why,
                      struct text *out);
void describe_in_full(const void *arg, const struct aq_plugin *plugin, const char *why,
                      struct text *out);

#endif
