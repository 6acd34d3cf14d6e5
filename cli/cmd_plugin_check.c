/* SPDX-License-Identifier: Apache-2.0 */
/* q plugin check: hands over to check-plugin, a program of its own (docs/conformance.md). */
#include "command.h"
#include "exitcode.h"
#include "find.h"
#include "program.h"
#include "report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 2 * OPTIONS_MAX_REPEATED + 16 };

struct arguments {
    const char *all[ARGUMENTS_MAX];
    size_t count;
};

static void add(struct arguments *a, const char *option, const char *value)
{
    a->all[a->count++] = option;
    if (value) {
        a->all[a->count++] = value;
    }
}

static void add_options(struct arguments *a, const struct options *o)
{
    if (o->value[OPTION_FORMAT]) {
        add(a, "--format", o->value[OPTION_FORMAT]);
    }
    if (o->value[OPTION_BACKEND]) {
        add(a, "--backend", o->value[OPTION_BACKEND]);
    }
    if (options_has(o, OPTION_LIST)) {
        add(a, "--list", NULL);
    }
    for (unsigned i = 0; i < o->repeated_count; i++) {
        add(a, o->repeated[i].option == OPTION_ONLY ? "--only" : "--setting", o->repeated[i].value);
    }
    add(a, "--", NULL);
}

/* Beside this program, wherever both have been put. */
static int run(const struct arguments *a)
{
    char path[PATH_MAX + sizeof(Q_CHECK)];
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX);
    char *name = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    if (name) {
        memcpy(name + 1, Q_CHECK, sizeof(Q_CHECK));
        (void)execv(path, (char *const *)a->all);
    }
    report_error("%s: %s, install the suite that comes with %s (CMake component 'check')",
                 name ? path : "/proc/self/exe", strerror(errno), program_name());
    return EXITCODE_OTHER;
}

int cmd_plugin_check(const struct options *o)
{
    AUTO(find) struct aq_catalog *catalog = NULL;
    struct aq_catalog_entry entry = { .struct_size = sizeof(entry) };
    struct arguments a = { .all = { "check-plugin" }, .count = 1 };
    char path[PATH_MAX];
    add_options(&a, o);
    if (options_has(o, OPTION_LIST)) {
        return run(&a);
    }
    if (o->word_count == 0) {
        report_error("plugin: say which, its name or the path of a file");
        return EXITCODE_USAGE;
    }
    int rc = find_open(o, &catalog);
    if (rc == EXITCODE_OK) {
        rc = find_plugin(catalog, o->words[0], &entry);
    }
    if (rc != EXITCODE_OK) {
        return rc;
    }
    (void)snprintf(path, sizeof(path), "%.*s", AQ_STR_ARG(entry.path));
    add(&a, path, NULL);
    return run(&a);
}
