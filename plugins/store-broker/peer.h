/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what listens on a socket is the user's broker: a stranger's would hand out a stranger's
 * token, and what is asked with it would be the stranger's to read. */
#ifndef BROKER_PEER_H
#define BROKER_PEER_H

#include "fail.h"

#include <sys/un.h>

/*
 * The directory of the socket must be closed to other writers than its owner, and who listens must
 * be that owner, our own user, or root. In a container the owner of a mounted directory may be a
 * user that has no name there: whoever mounted it has chosen it.
 */
aq_status peer_check(int fd, const struct sockaddr_un *where, struct aq_error *err);

#endif
