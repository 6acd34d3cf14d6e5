/* SPDX-License-Identifier: Apache-2.0 */
/* What the AWS tools of this user are told: by variables, by files, and by programs that hand out
 * access keys. */
#ifndef AQ_HOST_AWS_H
#define AQ_HOST_AWS_H

#include "host/settings.h"

enum { AWS_FILE_MAX = 1 << 20 };

/* Value of a variable; empty if it is not set, or settings do not come from the environment. */
struct aq_str aws_variable(const struct settings *settings, const char *name);

/* Append the path of "config" or "credentials": as a variable says, or in ~/.aws. */
aq_status aws_file_path(const struct settings *settings, bool is_config, struct buf *ret,
                        struct aq_error *err);

/* Append what is in a file. AQ_E_NOTFOUND if there is none, AQ_E_IO, AQ_E_LIMIT, AQ_E_NOMEM. */
aq_status aws_file_read(const char *path, struct buf *ret, struct aq_error *err);

#endif
