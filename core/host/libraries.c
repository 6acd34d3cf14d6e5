/* SPDX-License-Identifier: Apache-2.0 */
#include "host/libraries.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/trust.h"

#include <limits.h>
#include <stdlib.h>

enum { DEPTH_MAX = 16, SEEN_MAX = 1 << 20 };

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
    return search_check(s, out, "looks for libraries in a directory whose name is too long", err);
}

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
    aq_status st = search_check(s, &s->seen, "brings too many libraries along", err);
    if (st == AQ_OK && depth > DEPTH_MAX) {
        return error_set(err, AQ_E_DENIED, "%s: its libraries need libraries without end",
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
        buf_add(&path, str_cut(&rest, ':'));
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

/* A name with a slash is a path, and the linker does not search. */
static aq_status libraries_check_needed(struct search *s, struct aq_str name, struct aq_str dirs,
                                        int depth, struct aq_error *err)
{
    if (str_starts(name, AQ_STR("/"))) {
        return libraries_check_file(s, name.ptr, dirs, depth, err);
    }
    if (str_contains(name, AQ_STR("/"))) {
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
            st = trust_check_directory(s->object, (const char *)dir.ptr, err);
        }
        if (st != AQ_OK) {
            return st;
        }
        buf_add(&dirs, buf_str(&dir));
        buf_add_char(&dirs, ':');
    }
    buf_add(&dirs, inherited);
    aq_status st = search_check(s, &dirs, "looks in too many directories", err);
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
