/* SPDX-License-Identifier: Apache-2.0 */
#include "host/trust.h"

#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

bool trust_is_privileged(void)
{
    return getauxval(AT_SECURE) != 0;
}

bool trust_others_can_write(const struct stat *info)
{
    bool own_group = info->st_gid == getegid() && info->st_uid == geteuid();
    return (info->st_mode & S_IWOTH) || ((info->st_mode & S_IWGRP) && !own_group);
}

static aq_status trust_check_one(const char *object, const char *path, bool is_parent,
                                 struct stat *info, struct aq_error *err)
{
    if (lstat(path, info) != 0) {
        return error_sys(err, errno == ENOENT ? AQ_E_NOTFOUND : AQ_E_DENIED, errno,
                         "%s: %s cannot be examined, correct the path or its permissions", object,
                         path);
    }
    if (is_parent ? !S_ISDIR(info->st_mode) : !S_ISREG(info->st_mode)) {
        return error_set(err, AQ_E_DENIED, "%s: %s is not a %s, choose another", object, path,
                         is_parent ? "directory" : "regular file");
    }
    if (info->st_uid != 0 && info->st_uid != geteuid()) {
        return error_set(err, AQ_E_DENIED,
                         "%s: %s belongs to user %u, it must belong to root or to user %u", object,
                         path, (unsigned)info->st_uid, (unsigned)geteuid());
    }
    if (is_parent && (info->st_mode & S_ISVTX)) {
        return AQ_OK;
    }
    if (trust_others_can_write(info)) {
        return error_set(err, AQ_E_DENIED, "%s: %s can be written by others, run: chmod go-w %s",
                         object, path, path);
    }
    return AQ_OK;
}

/* "/" first, then each directory below it, but not the last component. */
static aq_status trust_check_above(const char *object, const char *real_path, struct aq_error *err)
{
    char path[PATH_MAX] = "/";
    struct stat info;
    size_t len = strlen(real_path);
    if (len == 0 || len >= sizeof(path) || real_path[0] != '/') {
        return error_set(err, AQ_E_DENIED, "%s: '%s' is not an absolute path, start it with /",
                         object, real_path);
    }
    aq_status st = trust_check_one(object, path, true, &info, err);
    for (size_t i = 1; i < len && st == AQ_OK; i++) {
        if (real_path[i] == '/') {
            memcpy(path, real_path, i);
            path[i] = '\0';
            st = trust_check_one(object, path, true, &info, err);
        }
    }
    return st;
}

aq_status trust_check(const char *object, const char *real_path, struct trust_file *ret,
                      struct aq_error *err)
{
    struct stat info;
    aq_status st = trust_check_above(object, real_path, err);
    if (st == AQ_OK) {
        st = trust_check_one(object, real_path, false, &info, err);
    }
    if (st == AQ_OK) {
        *ret = (struct trust_file){ info.st_dev, info.st_ino };
    }
    return st;
}

/* The nearest directory that is there; a link to nothing is not followed by guessing. */
static bool trust_find_directory(const char *path, char real[PATH_MAX])
{
    char at[PATH_MAX];
    struct stat info;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(at)) {
        return false;
    }
    memcpy(at, path, len + 1);
    while (!realpath(at, real)) {
        char *slash = strrchr(at, '/');
        if (!slash || lstat(at, &info) == 0) {
            return false;
        }
        *slash = '\0';
        if (slash == at) {
            memcpy(at, "/", 2);
        }
    }
    return true;
}

aq_status trust_check_directory(const char *object, const char *path, struct aq_error *err)
{
    char real[PATH_MAX];
    struct stat info;
    if (!trust_find_directory(path, real)) {
        return error_set(err, AQ_E_DENIED, "%s: %s leads nowhere, mend it or take it away", object,
                         path);
    }
    aq_status st = trust_check_above(object, real, err);
    if (st == AQ_OK) {
        st = trust_check_one(object, real, true, &info, err);
    }
    if (st == AQ_OK && trust_others_can_write(&info)) {
        return error_set(err, AQ_E_DENIED,
                         "%s: looks for libraries in %s, where others can put files; move them",
                         object, real);
    }
    return st;
}
