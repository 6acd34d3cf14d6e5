/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog of plugins for a command line, and a plugin that it names. Both report what is wrong
 * and return an exit code. */
#ifndef Q_PLUGIN_FIND_H
#define Q_PLUGIN_FIND_H

#include "options.h"

int find_open(const struct options *o, struct aq_catalog **ret);
void find_done(struct aq_catalog **catalog); /* for AUTO(find) */

/* name is one of the catalog's, or has a slash in it: then it is a file, seen from the working
 * directory. ret has its struct_size. */
int find_plugin(struct aq_catalog *catalog, const char *name, struct aq_catalog_entry *ret);

#endif
