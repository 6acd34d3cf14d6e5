/* SPDX-License-Identifier: Apache-2.0 */
#include "host/libraries.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/trust.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>

enum {
    DEPTH_MAX = 16,
    FEATURES_MAX = 4, /* "tls", a platform, and two abilities of the processor */
    SEEN_MAX = 1 << 20,
};

/* What subdirectories for one kind of processor are called before glibc 2.37, which gave them up;
 * the kernel names the platform. */
static const struct aq_str features[] = {
    AQ_STR_INIT("tls"),  AQ_STR_INIT("x86_64"), AQ_STR_INIT("haswell"), AQ_STR_INIT("xeon_phi"),
    AQ_STR_INIT("sse2"), AQ_STR_INIT("i586"),   AQ_STR_INIT("i686"),    AQ_STR_INIT("avx512_1"),
    AQ_STR_INIT("vfp"),  AQ_STR_INIT("neon"),   AQ_STR_INIT("atomics"),
};

#define FEATURE_COUNT (sizeof(features) / sizeof(features[0]))

static const char too_many_dirs[] = "looks in too many directories, build it to look in fewer";

/* What is being checked; `seen` has the real path of every library, each with a NUL behind it. */
struct search {
    const char *object;
    struct buf seen;
};

static bool search_has_seen(const struct search *s, struct aq_str path)
{
    struct aq_str rest = buf_str(&s->seen);
    while (rest.len) {
        if (str_eq(str_cut(&rest, '\0'), path)) {
            return true;
        }
    }
    return false;
}

/* AQ_OK unless this buffer has failed: out of memory, or more than makes sense. */
static aq_status search_check(const struct search *s, const struct buf *b, const char *excess,
                              struct aq_error *err)
{
    return buf_status(b) == AQ_OK        ? AQ_OK
           : buf_status(b) == AQ_E_NOMEM ? error_nomem(err, s->object)
                                         : error_set(err, AQ_E_DENIED, "%s: %s", s->object, excess);
}

/* A directory as the linker would read it. Its other names ($LIB, $PLATFORM) stand for several. */
static aq_status libraries_expand(const struct search *s, struct aq_str origin, struct aq_str named,
                                  struct buf *out, struct aq_error *err)
{
    static const struct aq_str forms[] = { AQ_STR_INIT("$ORIGIN"), AQ_STR_INIT("${ORIGIN}") };
    struct aq_str rest = named;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (str_starts(named, forms[i])) {
            buf_add(out, origin);
            rest = str_from_offset(named, forms[i].len);
        }
    }
    buf_add(out, rest);
    if (!str_starts(buf_str(out), AQ_STR("/")) || str_contains(rest, AQ_STR("$")) ||
        (rest.len && rest.ptr[0] != '/')) { /* $ORIGINAL is no name the linker knows */
        return error_set(err, AQ_E_DENIED,
                         "%s: looks for libraries in '%.*s', build it with $ORIGIN or an absolute "
                         "path",
                         s->object, AQ_STR_ARG(named));
    }
    return search_check(s, out,
                        "looks for libraries in a directory whose name is too long, move it", err);
}

/* ---- where the linker looks: `dirs` has each directory with a NUL behind it ---- */

static aq_status search_add(const struct search *s, struct aq_str dir, int level, struct buf *dirs,
                            struct aq_error *err);

/* DIR/NAME, if it is there. If it is not, who could make it can also put files into DIR. */
static aq_status search_add_below(const struct search *s, struct aq_str dir, struct aq_str name,
                                  int level, struct buf *dirs, struct aq_error *err)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    struct stat info;
    buf_add(&path, dir);
    buf_add_char(&path, '/');
    buf_add(&path, name);
    if (buf_status(&path) == AQ_E_NOMEM) {
        return error_nomem(err, s->object);
    }
    bool there = buf_status(&path) == AQ_OK && lstat((const char *)path.ptr, &info) == 0 &&
                 (S_ISDIR(info.st_mode) || S_ISLNK(info.st_mode));
    return there ? search_add(s, buf_str(&path), level, dirs, err) : AQ_OK;
}

/* DIR/glibc-hwcaps has a directory for each level of the processor, and later glibcs know more. */
static aq_status search_add_hwcaps(const struct search *s, struct aq_str dir, struct buf *dirs,
                                   struct aq_error *err)
{
    static const struct aq_str name = AQ_STR_INIT("glibc-hwcaps");
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    buf_add(&path, dir);
    buf_add_char(&path, '/');
    buf_add(&path, name);
    if (buf_status(&path) == AQ_E_NOMEM) {
        return error_nomem(err, s->object);
    }
    if (buf_status(&path) != AQ_OK) {
        return AQ_OK; /* nothing there has a name that can be said */
    }
    aq_status st = search_add_below(s, dir, name, FEATURES_MAX, dirs, err);
    DIR *listing = st == AQ_OK ? opendir((const char *)path.ptr) : NULL;
    if (!listing) {
        return st != AQ_OK || errno == ENOENT || errno == ENOTDIR
                   ? st
                   : error_sys(err, AQ_E_DENIED, errno, "%s: %s cannot be listed, make it readable",
                               s->object, (const char *)path.ptr);
    }
    for (const struct dirent *entry = readdir(listing); entry && st == AQ_OK;
         entry = readdir(listing)) {
        if (entry->d_name[0] != '.') {
            st = search_add_below(s, buf_str(&path), str_from(entry->d_name), FEATURES_MAX, dirs,
                                  err);
        }
    }
    closedir(listing);
    return st;
}

/* A directory, and those below it in which the linker looks before. */
static aq_status search_add(const struct search *s, struct aq_str dir, int level, struct buf *dirs,
                            struct aq_error *err)
{
    aq_status st = trust_check_directory(s->object, dir.ptr, err);
    if (st == AQ_OK) {
        buf_add(dirs, dir);
        buf_add_char(dirs, '\0');
        st = search_check(s, dirs, too_many_dirs, err);
    }
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel hands its address out as a number */
    const char *platform = (const char *)getauxval(AT_PLATFORM);
    if (st == AQ_OK && level < FEATURES_MAX && platform) {
        st = search_add_below(s, dir, str_from(platform), level + 1, dirs, err);
    }
    for (size_t i = 0; st == AQ_OK && level < FEATURES_MAX && i < FEATURE_COUNT; i++) {
        st = search_add_below(s, dir, features[i], level + 1, dirs, err);
    }
    return st == AQ_OK && level == 0 ? search_add_hwcaps(s, dir, dirs, err) : st;
}

/* ---- what it finds there ---- */

static aq_status libraries_visit(struct search *s, struct aq_str origin, const struct elf *elf,
                                 struct aq_str inherited, int depth, struct aq_error *err);

/* The directory of a file, as $ORIGIN has it. */
static struct aq_str libraries_origin(const char *real_path)
{
    struct aq_str origin = str_from(real_path);
    do {
        origin.len--;
    } while (origin.len > 1 && origin.ptr[origin.len] != '/');
    return origin;
}

/* If the library is there, it is trusted, and so are those it brings along. */
static aq_status libraries_check_file(struct search *s, const char *path, struct aq_str dirs,
                                      int depth, struct aq_error *err)
{
    char real[PATH_MAX];
    struct trust_file ignored;
    AUTO(elf) struct elf elf = { 0 };
    if (!realpath(path, real) || search_has_seen(s, str_from(real))) {
        return AQ_OK;
    }
    buf_add(&s->seen, str_from(real));
    buf_add_char(&s->seen, '\0');
    aq_status st =
        search_check(s, &s->seen, "brings too many libraries along, build it with fewer", err);
    if (st == AQ_OK && depth > DEPTH_MAX) {
        return error_set(err, AQ_E_DENIED,
                         "%s: its libraries need libraries more than 16 deep, build it with fewer",
                         s->object);
    }
    if (st == AQ_OK) {
        st = trust_check(s->object, real, &ignored, err);
    }
    if (st == AQ_OK) {
        st = elf_read(s->object, real, &elf, err);
    }
    return st == AQ_OK ? libraries_visit(s, libraries_origin(real), &elf, dirs, depth + 1, err)
                       : st;
}

static aq_status libraries_find(struct search *s, struct aq_str name, struct aq_str dirs, int depth,
                                struct aq_error *err)
{
    aq_status st = AQ_OK;
    struct aq_str rest = dirs;
    while (rest.len && st == AQ_OK) {
        AUTO(buf) struct buf path = BUF(PATH_MAX);
        buf_add(&path, str_cut(&rest, '\0'));
        buf_add_char(&path, '/');
        buf_add(&path, name);
        if (buf_status(&path) == AQ_E_NOMEM) {
            st = error_nomem(err, s->object);
        } else if (buf_status(&path) == AQ_OK) {
            st = libraries_check_file(s, (const char *)path.ptr, dirs, depth, err);
        }
    }
    return st;
}

/* A name with a slash is a path, and the linker does not search; "$LIB" gets one when it is read.
 */
static aq_status libraries_check_needed(struct search *s, struct aq_str name, struct aq_str dirs,
                                        int depth, struct aq_error *err)
{
    bool is_variable = str_contains(name, AQ_STR("$"));
    if (str_starts(name, AQ_STR("/")) && !is_variable) {
        return libraries_check_file(s, name.ptr, dirs, depth, err);
    }
    if (str_contains(name, AQ_STR("/")) || is_variable) {
        return error_set(err, AQ_E_DENIED,
                         "%s: needs the library '%.*s', build it with an absolute path or a name",
                         s->object, AQ_STR_ARG(name));
    }
    return libraries_find(s, name, dirs, depth, err);
}

/* The directories of those above are searched for what they bring along, too (DT_RPATH). */
static aq_status libraries_visit(struct search *s, struct aq_str origin, const struct elf *elf,
                                 struct aq_str inherited, int depth, struct aq_error *err)
{
    AUTO(buf) struct buf dirs = BUF(SEEN_MAX);
    struct aq_str rest = buf_str(&elf->search);
    while (rest.len) {
        AUTO(buf) struct buf dir = BUF(PATH_MAX);
        aq_status st = libraries_expand(s, origin, str_cut(&rest, ':'), &dir, err);
        if (st == AQ_OK) {
            st = search_add(s, buf_str(&dir), 0, &dirs, err);
        }
        if (st != AQ_OK) {
            return st;
        }
    }
    buf_add(&dirs, inherited);
    aq_status st = search_check(s, &dirs, too_many_dirs, err);
    rest = buf_str(&elf->needed);
    while (rest.len && st == AQ_OK) {
        st = libraries_check_needed(s, str_cut(&rest, '\0'), buf_str(&dirs), depth, err);
    }
    return st;
}

aq_status libraries_check(const char *object, const char *real_path, const struct elf *elf,
                          struct aq_error *err)
{
    struct search s = { .object = object, .seen = BUF(SEEN_MAX) };
    aq_status st = libraries_visit(&s, libraries_origin(real_path), elf, AQ_STR(""), 0, err);
    buf_done(&s.seen);
    return st;
}
