/* SPDX-License-Identifier: Apache-2.0 */
/* Where the broker's socket is. */
#ifndef BROKER_PLACE_H
#define BROKER_PLACE_H

#include "fail.h"

#include <sys/un.h>

/* Where a container has it when its directory was mounted there. */
#define PLACE_MOUNTED "/run/amazonq-broker/broker.sock"

/*
 * The socket that was named; else, whichever is there, that of the session below runtime_dir or the
 * one at PLACE_MOUNTED. Texts may be empty.
 */
aq_status place_find(struct aq_str named, struct aq_str runtime_dir, struct sockaddr_un *ret,
                     struct aq_error *err);

#endif
