/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are: the home directory, the data directory of a program, our own plugins. */
#ifndef AQ_HOST_PATHS_H
#define AQ_HOST_PATHS_H

#include "base/buf.h"

#include <amazonq/status.h>
#include <stdbool.h>

/* Append the home directory: $HOME (unless the process is privileged), else the user database. */
aq_status paths_home(struct buf *out, struct aq_error *err);

/* Append the data directory of a program, such as "amazon-q": $XDG_DATA_HOME/APP if that is an
 * absolute path, else HOME/.local/share/APP. */
aq_status paths_data(struct aq_str app, struct buf *out, struct aq_error *err);

/* Append the directory for files of ours that live as long as the session
 * ($XDG_RUNTIME_DIR/amazonq), and that for files that outlive it ($XDG_STATE_HOME/amazonq or
 * ~/.local/state/amazonq). False if there is none. */
bool paths_runtime(struct buf *out);
bool paths_state(struct buf *out);

/* Append the directory for files of ours that may be lost: $XDG_CACHE_HOME/amazonq or
 * ~/.cache/amazonq. False if there is none. */
bool paths_cache(struct buf *out);

/* Create an absolute directory, 0700, and its parents. True if it is there afterwards. What root
 * makes belongs to whom the directory does that it is made in: in a container, to the user. */
bool paths_make_private(const char *path);

/* Append the directory of our own plugins, found from where libamazonq itself was loaded. False if
 * that is not known for sure: what is found there is trusted. */
bool paths_plugins(struct buf *out);

/* Append path with a leading "~/" replaced by the home directory. AQ_E_INVALID if it is relative;
 * object names what the path is for. */
aq_status paths_expand(struct aq_str object, struct aq_str path, struct buf *out,
                       struct aq_error *err);

#endif
