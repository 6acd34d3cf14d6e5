/* SPDX-License-Identifier: Apache-2.0 */
#include "host/aws.h"

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "host/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct aq_str aws_variable(const struct settings *settings, const char *name)
{
    return settings->flags & AQ_CLIENT_NO_ENV ? AQ_STR("") : str_from(secure_getenv(name));
}

aq_status aws_file_path(const struct settings *settings, bool is_config, struct buf *ret,
                        struct aq_error *err)
{
    struct aq_str named =
        aws_variable(settings, is_config ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE");
    return paths_expand(AQ_STR("AWS settings"),
                        named.len   ? named
                        : is_config ? AQ_STR("~/.aws/config")
                                    : AQ_STR("~/.aws/credentials"),
                        ret, err);
}

aq_status aws_file_read(const char *path, struct buf *ret, struct aq_error *err)
{
    ret->max = ret->len + AWS_FILE_MAX;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        return error_sys(err, absent ? AQ_E_NOTFOUND : AQ_E_IO, errno, "%s", path);
    }
    aq_status st = file_read(fd, ret);
    const int sys = errno;
    close(fd);
    if (st == AQ_E_LIMIT) {
        return error_set(err, st, "%s: is larger than 1 MiB, which no file of settings is", path);
    }
    if (st == AQ_E_NOMEM) {
        return error_nomem(err, path);
    }
    return st == AQ_OK ? AQ_OK : error_sys(err, AQ_E_IO, sys, "%s", path);
}
