/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"
#include "fault.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void peers_init(struct peers *p)
{
    p->uids[0] = geteuid();
    p->count = 1;
}

bool peers_allow(struct peers *p, const char *uid)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(uid, &end, 10);
    if (errno != 0 || *end != '\0' || uid[0] < '0' || uid[0] > '9' || number >= (uid_t)-1) {
        report_error("user '%s': must be the number of a user, see 'id -u'", uid);
        return false;
    }
    p->uids[p->count++] = (uid_t)number;
    return true;
}

static bool is_allowed(const struct peers *p, uid_t uid)
{
    for (int i = 0; i < p->count; i++) {
        if (p->uids[i] == uid) {
            return true;
        }
    }
    return false;
}

aq_status peers_check(const struct peers *p, int fd, struct peer *ret, struct aq_error *err)
{
    struct ucred who;
    socklen_t len = sizeof(who);
    *ret = (struct peer){ .uid = (uid_t)-1 };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
        return fault_set(err, AQ_E_DENIED, "broker: cannot tell who is asking");
    }
    *ret = (struct peer){ .pid = who.pid, .uid = who.uid };
    if (!is_allowed(p, who.uid)) {
        return fault_set(err, AQ_E_DENIED,
                         "broker: user %u may not ask, start it on the host with --allow-uid %u",
                         (unsigned)who.uid, (unsigned)who.uid);
    }
    if (who.pid == getpid()) { /* its store is a broker, and that is this one */
        return fault_set(err, AQ_E_INVALID,
                         "broker: asks itself, give it a store of its own, such as --store sqlite");
    }
    return AQ_OK;
}
