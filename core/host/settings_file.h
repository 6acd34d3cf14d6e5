/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.json, which the existing CLI and others write, too: found, read and replaced. Whoever
 * reads it finds the old or the new one whole.
 */
#ifndef AQ_HOST_SETTINGS_FILE_H
#define AQ_HOST_SETTINGS_FILE_H

#include "host/settings_edit.h"

/* Append its path. */
aq_status settings_file_path(struct buf *out, struct aq_error *err);

/*
 * Append its text, of which `out` takes SETTINGS_FILE_MAX; nothing if there is no file.
 *
 * Returns AQ_OK, AQ_E_INVALID (cannot be read, belongs to somebody else or can be written by
 * others: it may name an endpoint that will be shown a token), AQ_E_NOMEM.
 */
aq_status settings_file_read(const char *path, struct buf *out, struct aq_error *err);

/*
 * Change the file as settings_edit does, under a lock that the existing CLI respects; made if there
 * is none, 0600 in 0700. A symbolic link stays one: what it points to is replaced.
 *
 * Returns AQ_OK, AQ_E_INVALID (as settings_file_read and settings_edit), AQ_E_BUSY (locked for more
 * than 5 s), AQ_E_IO, AQ_E_NOMEM; after any of these the file is as it was.
 */
aq_status settings_file_change(struct aq_str key, struct aq_str value, struct aq_error *err);

#endif
