/* SPDX-License-Identifier: Apache-2.0 */
#include "host/paths.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

static aq_status finished(const struct buf *out, struct aq_error *err)
{
    return buf_status(out) == AQ_OK ? AQ_OK : error_nomem(err, "path");
}

aq_status paths_home(struct buf *out, struct aq_error *err)
{
    const char *home = secure_getenv("HOME");
    if (!home || home[0] != '/') {
        char text[4096];
        struct passwd entry;
        struct passwd *found = NULL;
        if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) != 0 || !found ||
            found->pw_dir[0] != '/') {
            return error_set(err, AQ_E_INVALID,
                             "home directory: HOME is not an absolute path and user %u has none, "
                             "set HOME",
                             (unsigned)geteuid());
        }
        buf_add(out, str_from(found->pw_dir));
        return finished(out, err);
    }
    buf_add(out, str_from(home));
    return finished(out, err);
}

aq_status paths_data(struct aq_str app, struct buf *out, struct aq_error *err)
{
    const char *data = secure_getenv("XDG_DATA_HOME");
    if (data && data[0] == '/') {
        buf_add(out, str_from(data));
    } else {
        aq_status st = paths_home(out, err);
        if (st != AQ_OK) {
            return st;
        }
        buf_add(out, AQ_STR("/.local/share"));
    }
    buf_add_char(out, '/');
    buf_add(out, app);
    return finished(out, err);
}

bool paths_runtime(struct buf *out)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    if (!runtime || runtime[0] != '/') {
        return false;
    }
    buf_add(out, str_from(runtime));
    buf_add(out, AQ_STR("/amazonq"));
    return buf_status(out) == AQ_OK;
}

/* Append the directory of ours in a base directory: that of the variable, or in the home directory.
 */
static bool paths_base(const char *variable, struct aq_str in_home, struct buf *out)
{
    const char *base = secure_getenv(variable);
    if (base && base[0] == '/') {
        buf_add(out, str_from(base));
    } else {
        if (paths_home(out, NULL) != AQ_OK) {
            return false;
        }
        buf_add(out, in_home);
    }
    buf_add(out, AQ_STR("/amazonq"));
    return buf_status(out) == AQ_OK;
}

bool paths_state(struct buf *out)
{
    return paths_base("XDG_STATE_HOME", AQ_STR("/.local/state"), out);
}

bool paths_cache(struct buf *out)
{
    return paths_base("XDG_CACHE_HOME", AQ_STR("/.cache"), out);
}

/* Make a directory in this one, as its owner: that is this thread's identity for files alone, and
 * where it may not be changed, root is the owner. Returns 0 or an errno. */
static int paths_make_as_owner(const char *in, const char *name)
{
    struct stat info;
    int parent = openat(AT_FDCWD, in, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0) {
        return errno;
    }
    int sys = stat(in, &info) == 0 ? 0 : errno;
    if (sys == 0) {
        setfsgid(info.st_gid);
        setfsuid(info.st_uid);
        sys = mkdirat(parent, name, 0700) == 0 ? 0 : errno;
        setfsuid(geteuid());
        setfsgid(getegid());
    }
    close(parent);
    return sys;
}

static int paths_make(char *path)
{
    if (geteuid() != 0) {
        return mkdir(path, 0700) == 0 ? 0 : errno;
    }
    char *name = strrchr(path, '/');
    *name = '\0';
    int sys = paths_make_as_owner(*path ? path : "/", name + 1);
    *name = '/';
    return sys;
}

bool paths_make_private(const char *path)
{
    AUTO(buf) struct buf copy = BUF(PATH_MAX);
    buf_add(&copy, str_from(path));
    for (size_t i = 1; i < copy.len; i++) {
        if (copy.ptr[i] == '/') {
            copy.ptr[i] = '\0';
            paths_make((char *)copy.ptr);
            copy.ptr[i] = '/';
        }
    }
    int sys = copy.len ? paths_make((char *)copy.ptr) : ENOMEM;
    errno = sys;
    return sys == 0 || sys == EEXIST;
}

/* The directory of plugins that belongs to a library at this path. */
static bool paths_beside(const char *library, struct buf *out)
{
    struct aq_str path = str_from(library);
    while (path.len > 1 && path.ptr[path.len - 1] != '/') {
        path.len--;
    }
    buf_clear(out);
    buf_add(out, path);
    buf_add(out, AQ_STR("amazonq/plugins"));
    return buf_status(out) == AQ_OK;
}

bool paths_plugins(struct buf *out)
{
    static const char inside; /* an address that can only be ours */
    Dl_info info;
    char real[PATH_MAX];
    if (!dladdr(&inside, &info) || !info.dli_fname || info.dli_fname[0] != '/' ||
        !paths_beside(info.dli_fname, out)) {
        return false;
    }
    /* A link to the library need not have the plugins beside it; to look is cheaper than to ask. */
    return access((const char *)out->ptr, F_OK) == 0 ||
           (realpath(info.dli_fname, real) && paths_beside(real, out));
}

aq_status paths_expand(struct aq_str object, struct aq_str path, struct buf *out,
                       struct aq_error *err)
{
    if (str_starts(path, AQ_STR("~/"))) {
        aq_status st = paths_home(out, err);
        if (st != AQ_OK) {
            return st;
        }
        path = str_from_offset(path, 1);
    } else if (!str_starts(path, AQ_STR("/"))) {
        return error_set(err, AQ_E_INVALID, "%.*s: '%.*s' is not an absolute path, start it with /",
                         AQ_STR_ARG(object), AQ_STR_ARG(path));
    }
    buf_add(out, path);
    return finished(out, err);
}
