/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_SETTINGS_H
#define AMAZONQ_SETTINGS_H

/*
 * settings.json, which belongs to the existing CLI and to us (docs/settings.md): what is in it, and
 * how to change it. Clients read it by themselves, when they are made.
 *
 *     aq_settings_open(&settings, &err)
 *     while (aq_settings_next(settings, &entry) == AQ_OK) ...
 *     aq_settings_free(settings)
 *
 *     aq_settings_change(AQ_STR("store"), AQ_STR("keyring"), &err)
 */

#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct aq_settings;

/** One setting. Views belong to the struct aq_settings and are valid until the next call on it. */
struct aq_settings_entry {
    uint32_t struct_size; /* set by the caller */
    uint32_t reserved;
    struct aq_str key;
    struct aq_str json; /* the value as it is written */
    struct aq_str text; /* the value if it is a string, decoded; else {NULL, 0} */
};

/**
 * Read settings.json as it is now. No file, or an empty one, is a file without settings.
 *
 * @param ret  end it with aq_settings_free
 * @return AQ_OK, AQ_E_INVALID (it cannot be read or is not a JSON object; the text names it),
 *         AQ_E_NOMEM
 * Threads: any.  Since: 0.1
 */
AQ_API aq_status aq_settings_open(struct aq_settings **ret, struct aq_error *err);

/** @return the path of the file, which need not exist. Threads: any one.  Since: 0.1 */
AQ_API struct aq_str aq_settings_path(const struct aq_settings *settings);

/**
 * Get the next setting, in the order of the file, whoever it belongs to. Of a key that is there
 * twice the later one counts.
 *
 * @param ret  struct_size set by the caller
 * @return AQ_OK, AQ_END, AQ_E_NOMEM
 * Threads: any one.  Since: 0.1
 */
AQ_API aq_status aq_settings_next(struct aq_settings *settings, struct aq_settings_entry *ret);

/** End it. Accepts NULL. Threads: any one.  Since: 0.1 */
AQ_API void aq_settings_free(struct aq_settings *settings);

/**
 * Change one setting in the file, which is made if there is none. Every other byte of it stays as
 * it is; whoever reads it meanwhile, or after a crash, finds the old or the new one whole. Waits up
 * to 5 s for other programs that change it.
 *
 * @param key    not empty; it need not be one that we know
 * @param value  a JSON value; any other text becomes a string; {NULL, 0} removes the setting
 * @return AQ_OK, AQ_E_INVALID (as aq_settings_open, then nothing was changed), AQ_E_BUSY, AQ_E_IO,
 *         AQ_E_NOMEM
 * Threads: any.  Since: 0.1
 */
AQ_API aq_status aq_settings_change(struct aq_str key, struct aq_str value, struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
