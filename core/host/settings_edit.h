/* SPDX-License-Identifier: Apache-2.0 */
/* The text of settings.json: is it one, and how one member of it changes while every other byte
 * stays as it is. */
#ifndef AQ_HOST_SETTINGS_EDIT_H
#define AQ_HOST_SETTINGS_EDIT_H

#include "base/buf.h"

#include <amazonq/status.h>

enum { SETTINGS_FILE_MAX = 1 << 20 }; /* bytes */

/* AQ_E_INVALID if text is neither empty nor one JSON object; path is for the message. */
aq_status settings_check_text(const char *path, struct aq_str text, struct aq_error *err);

/* Append to `out` the text with this member set to a JSON value; removed if value.ptr is NULL.
 * AQ_E_INVALID as above, or if it becomes too long. */
aq_status settings_edit(const char *path, struct aq_str text, struct aq_str key,
                        struct aq_str value, struct buf *out, struct aq_error *err);

#endif
