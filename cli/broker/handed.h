/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets handed in by a service manager: sd_listen_fds(3), without its library. */
#ifndef Q_HANDED_H
#define Q_HANDED_H

#include <amazonq/amazonq.h>

/*
 * The listening unix socket that was handed to this process; *ret_fd is -1 if there is none. The
 * variables that say so are removed, so that no child takes them for its own.
 */
aq_status handed_socket(int *ret_fd, struct aq_error *err);

#endif
