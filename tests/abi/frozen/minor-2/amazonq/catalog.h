/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_CATALOG_H
#define AMAZONQ_CATALOG_H

/*
 * Which plugins there are, where, and what they say of themselves. For people who look after an
 * installation; clients find their plugins without it.
 *
 *     aq_catalog_open(NULL, &catalog, &err)
 *     while (aq_catalog_next(catalog, &entry) == AQ_OK)
 *         aq_catalog_load(catalog, entry.path, &plugin, &err)   runs the plugin's
 * constructors aq_catalog_free(catalog)
 */

#include <amazonq/client.h>
#include <amazonq/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct aq_catalog;

/* Bits of aq_catalog_entry.flags. */
#define AQ_CATALOG_OWN 0x1u    /* in libamazonq's own directory, as trusted as the library */
#define AQ_CATALOG_HIDDEN 0x2u /* a directory before it has a plugin of the same name */

/** A file called KIND-NAME.so. Views belong to the catalog. */
struct aq_catalog_entry {
    uint32_t struct_size; /* set by the caller */
    uint32_t flags;       /* AQ_CATALOG_... */
    int32_t kind;         /* AQ_PLUGIN_STORE or AQ_PLUGIN_TRANSPORT, as the file says */
    uint32_t reserved;
    struct aq_str name; /* as the file says */
    struct aq_str path; /* absolute */
};

/**
 * Read the directories that plugins are looked for in. A directory that cannot be read has no
 * plugins. No plugin is loaded.
 *
 * @param options  as for aq_client_new; NULL means all defaults
 * @param ret      end it with aq_catalog_free
 * @return AQ_OK, AQ_E_INVALID (a setting or settings.json is wrong), AQ_E_NOMEM
 * Threads: any.  Since: 0.1
 */
AQ_API aq_status aq_catalog_open(const struct aq_client_options *options, struct aq_catalog **ret,
                                 struct aq_error *err);

/**
 * Get the next directory, in the order in which they are searched, whether it is there or not.
 *
 * @param ret  belongs to the catalog
 * @return AQ_OK, AQ_END
 * Threads: any one.  Since: 0.1
 */
AQ_API aq_status aq_catalog_next_directory(struct aq_catalog *catalog, struct aq_str *ret);

/**
 * Get the next plugin, in the order of the directories and then of the names.
 *
 * @param ret  struct_size set by the caller
 * @return AQ_OK, AQ_END, AQ_E_INVALID (struct_size)
 * Threads: any one.  Since: 0.1
 */
AQ_API aq_status aq_catalog_next(struct aq_catalog *catalog, struct aq_catalog_entry *ret);

/**
 * Find the plugin that a client would take. Nothing is loaded.
 *
 * @param which  a name ("sqlite"), a kind and a name ("store-sqlite"), or an absolute path, which
 *               is taken as it is: its kind is 0 and its name empty unless the catalog lists it
 * @param ret    struct_size set by the caller; the path belongs to the catalog, until the next call
 * @return AQ_OK, AQ_E_PLUGIN (there is none), AQ_E_INVALID (one of each kind; struct_size),
 *         AQ_E_NOMEM
 * Threads: any one.  Since: 0.1
 */
AQ_API aq_status aq_catalog_find(struct aq_catalog *catalog, struct aq_str which,
                                 struct aq_catalog_entry *ret, struct aq_error *err);

/**
 * Load a plugin into this process, where it stays, by the rules by which a client would
 * (docs/plugins.md). Its constructors run: whoever does not know it calls this in a child process.
 *
 * @param path  absolute
 * @param ret   what it says of itself; valid until the next call with this catalog. Its settings
 *              are setting_stride bytes apart, and as long as its author knew them
 * @return AQ_OK; AQ_E_PLUGIN, AQ_E_DENIED, with a text that says what to do; AQ_E_INVALID (the path
 *         is too long), AQ_E_NOMEM
 * Threads: any one.  Since: 0.1
 */
AQ_API aq_status aq_catalog_load(struct aq_catalog *catalog, struct aq_str path,
                                 const struct aq_plugin **ret, struct aq_error *err);

/**
 * SHA-256 of a file, to compare a plugin with what its author published.
 *
 * @param path  absolute
 * @param ret   64 lower-case hexadecimal digits and a NUL
 * @return AQ_OK, AQ_E_IO, AQ_E_INVALID (not absolute), AQ_E_NOMEM
 * Threads: any.  Since: 0.1
 */
AQ_API aq_status aq_catalog_digest(struct aq_str path, char ret[65], struct aq_error *err);

/** End it. Accepts NULL. Threads: any one.  Since: 0.1 */
AQ_API void aq_catalog_free(struct aq_catalog *catalog);

#ifdef __cplusplus
}
#endif

#endif
