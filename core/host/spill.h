/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last resort for a refreshed login that its store does not take: a private file, bound to the
 * refresh token that was spent for it, that the next process finds and imports (docs/refresh.md).
 *
 * The file lies in $XDG_STATE_HOME/amazonq or ~/.local/state/amazonq, which outlives a restart and
 * is the same for a program of a timer; or, if that cannot be written, in $XDG_RUNTIME_DIR/amazonq.
 * Without that variable /run/user/UID is meant, if it is there and private to the user. 0600 in
 * 0700. Its name is the SHA-256 of what it is bound to, so only who holds the old refresh token
 * knows which file is its successor.
 *
 * Nobody asks any more for the file of a login that was replaced, nor for one that was half written
 * by a process that died. Writing and removing sweep the directory: half files after an hour, whole
 * ones after 90 days, the longest that a session at the sign-in service lasts.
 */
#ifndef AQ_HOST_SPILL_H
#define AQ_HOST_SPILL_H

#include "base/buf.h"

#include <amazonq/status.h>

enum { SPILL_PATH_MAX = 4096 + 128 }; /* bytes of the path of a file */

/* Save `value` as the successor of the secret `spent` under this key; durable on AQ_OK. The path is
 * appended to `out`. */
aq_status spill_write(struct aq_str key, struct aq_str spent, struct aq_str value, struct buf *out,
                      struct aq_error *err);

/* Replace out by the successor. AQ_E_NOTFOUND if there is none; a file that is not private to us is
 * none. Any other error: it is not known whether there is one. */
aq_status spill_read(struct aq_str key, struct aq_str spent, struct buf *out, struct aq_error *err);

/* Overwrite and remove it, wherever it is. */
void spill_remove(struct aq_str key, struct aq_str spent);

#endif
