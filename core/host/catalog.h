/* SPDX-License-Identifier: Apache-2.0 */
/* Which files are called like a plugin, in the directories that plugins are looked for in. */
#ifndef AQ_HOST_CATALOG_H
#define AQ_HOST_CATALOG_H

#include "host/settings.h"

/* In the order of the search. */
struct catalog_directory {
    struct catalog_directory *next;
    struct buf path;
    bool is_own; /* libamazonq's */
};

/* In the order of the directories, then of the names. */
struct catalog_file {
    struct catalog_file *next;
    const struct catalog_directory *directory;
    struct buf path;
    int32_t kind;
    struct aq_str name; /* in path */
    bool is_hidden;     /* another of this kind and name comes before it */
};

struct catalog {
    struct catalog_directory *directories;
    struct catalog_file *files;
};

/* *ret must be zeroed; catalog_done gives its memory back either way. */
aq_status catalog_read(const struct settings *settings, struct catalog *ret, struct aq_error *err);
void catalog_done(struct catalog *c);

/* The file of that name which would be loaded; "NAME" or "KIND-NAME". AQ_E_PLUGIN if there is none,
 * AQ_E_INVALID if there is one of each kind. */
aq_status catalog_find(const struct catalog *c, struct aq_str which,
                       const struct catalog_file **ret, struct aq_error *err);

#endif
