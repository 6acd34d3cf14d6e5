/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static aq_status set(struct sockaddr_un *ret, struct aq_str dir, const char *rest,
                     struct aq_error *err)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int len = snprintf(ret->sun_path, sizeof(ret->sun_path), "%.*s%s", AQ_STR_ARG(dir), rest);
    if (len < 0 || (size_t)len >= sizeof(ret->sun_path)) {
        return fail(
            err, AQ_E_INVALID,
            "the path of its socket, %.200s%s, is longer than %zu bytes, mount it elsewhere",
            dir.ptr, rest, sizeof(ret->sun_path) - 1);
    }
    return AQ_OK;
}

aq_status place_find(struct aq_str named, struct aq_str runtime_dir, struct sockaddr_un *ret,
                     struct aq_error *err)
{
    if (named.len) {
        return set(ret, named, "", err);
    }
    if (runtime_dir.len) {
        aq_status st = set(ret, runtime_dir, "/amazonq-broker/broker.sock", err);
        if (st != AQ_OK || access(ret->sun_path, F_OK) == 0 || access(PLACE_MOUNTED, F_OK) != 0) {
            return st;
        }
    }
    return set(ret, AQ_STR(""), PLACE_MOUNTED, err);
}
