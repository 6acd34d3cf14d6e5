/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that hands out an access key: `credential_process` of the AWS tools. It runs beside us.
 * Where the terminal is ours it may ask there, and hears what is typed to end us; elsewhere it has
 * a process group of its own, so that nothing of it is left if it has to be ended.
 */
#ifndef AQ_HOST_AWS_COMMAND_H
#define AQ_HOST_AWS_COMMAND_H

#include "base/buf.h"

#include <amazonq/status.h>
#include <stdbool.h>
#include <sys/types.h>

enum { AWS_COMMAND_MAX = 1 << 20, AWS_COMMAND_SECONDS = 60 };

/* Zero is none. */
struct aws_command {
    pid_t pid;         /* of its shell; 0: it has ended, or none was started */
    bool alone;        /* which leads a group of its own */
    int output;        /* readable when it has printed something; -1: it will print no more */
    uint64_t until_us; /* its time is over then */
    uint64_t again_us; /* after AQ_AGAIN: look again at this time at the latest */
};

/* Run a text with /bin/sh. Its input is empty, its errors go where ours do. AQ_OK, AQ_E_IO. */
aq_status aws_command_start(struct aws_command *c, char *text, struct aq_error *err);

/*
 * Append what it has printed meanwhile; never blocks.
 *
 * Returns AQ_AGAIN while it runs; AQ_OK: it has ended well, and whoever it leaves behind is not
 * waited for; AQ_E_UNAVAILABLE: it has not, or it wants a terminal that is not ours; AQ_E_TIMEOUT,
 * AQ_E_LIMIT, AQ_E_IO, AQ_E_NOMEM.
 */
aq_status aws_command_look(struct aws_command *c, struct buf *ret, struct aq_error *err);

/* End what is still running, and in a group of its own all that it has started. In a forked child
 * it is the parent's. */
void aws_command_done(struct aws_command *c, bool forked);

#endif
