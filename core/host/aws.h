/* SPDX-License-Identifier: Apache-2.0 */
/* What the AWS tools of this user are told: by variables, by files, and by programs that hand out
 * access keys. */
#ifndef AQ_HOST_AWS_H
#define AQ_HOST_AWS_H

#include "host/settings.h"

enum { AWS_FILE_MAX = 1 << 20, AWS_COMMAND_SECONDS = 60 };

/* Value of a variable; empty if it is not set, or settings do not come from the environment. */
struct aq_str aws_variable(const struct settings *settings, const char *name);

/* Append the path of "config" or "credentials": as a variable says, or in ~/.aws. */
aq_status aws_file_path(const struct settings *settings, bool is_config, struct buf *ret,
                        struct aq_error *err);

/* Append what is in a file. AQ_E_NOTFOUND if there is none, AQ_E_IO, AQ_E_LIMIT, AQ_E_NOMEM. */
aq_status aws_file_read(const char *path, struct buf *ret, struct aq_error *err);

/*
 * Run a command with /bin/sh and append what it prints. Blocks until it has ended, or for
 * AWS_COMMAND_SECONDS; then the shell is killed. Its input is empty, its errors go where ours do.
 *
 * Returns AQ_OK; AQ_E_UNAVAILABLE: it did not end well; AQ_E_TIMEOUT; AQ_E_LIMIT; AQ_E_IO.
 */
aq_status aws_command(char *command, struct buf *ret, struct aq_error *err);

#endif
