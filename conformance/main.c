/* SPDX-License-Identifier: Apache-2.0 */
/* check-plugin: does a plugin hold what <amazonq/plugin.h> promises in its name? Started by
 * `q plugin check`. */
#include "report.h"
#include "runner.h"
#include "selection.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_KEPT = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2, EXIT_NOT_TRIED = 3 };

const struct suite *const suites[] = {
    &store_suite,
#ifdef CONFORMANCE_TRANSPORT
    &transport_suite,
#endif
    NULL,
};

static const char usage[] =
    "usage: check-plugin [OPTION]... FILE\n"
    "Tries whether a plugin holds what it has to, clause by clause, each in a process of its own.\n"
    "\n"
    "  --format plain|json|json-pretty\n"
    "  --only CLAUSE          this clause, or those whose names begin with it; may be repeated\n"
    "  --setting KEY=VALUE    of the plugin; may be repeated\n"
    "  --backend PID          of a process that serves the store: it is stopped, and killed at the "
    "end\n"
    "  --jobs N               processes at once, 1 to 16\n"
    "  --list                 print all clauses, and try nothing\n"
    "\n"
    "Exit codes: 0 all clauses hold, 1 one is broken, 2 usage, 3 the plugin cannot be loaded or\n"
    "opened here.\n";

__attribute__((format(printf, 2, 3))) static int fail(int code, const char *format, ...)
{
    va_list args;
    fputs("q: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

static bool add_setting(struct run *run, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || run->setting_count == TRIAL_SETTINGS_MAX / 2) {
        return false;
    }
    *equals = '\0';
    run->settings[run->setting_count++] = (struct trial_setting){ text, equals + 1 };
    return true;
}

static bool take_jobs(const char *text, unsigned *ret)
{
    char *end;
    const unsigned long jobs = strtoul(text, &end, 10);
    *ret = (unsigned)jobs;
    return end != text && *end == '\0' && jobs >= 1 && jobs <= RUN_JOBS_MAX;
}

/* 0, or an exit code. */
static int take_options(int argc, char **argv, struct run *run, const char **format, bool *list)
{
    static const struct option options[] = {
        { "format", required_argument, NULL, 'f' },  { "only", required_argument, NULL, 'o' },
        { "setting", required_argument, NULL, 's' }, { "jobs", required_argument, NULL, 'j' },
        { "backend", required_argument, NULL, 'b' }, { "list", no_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            *format = optarg;
            break;
        case 'o':
            if (run->only_count == RUN_ONLY_MAX) {
                return fail(EXIT_USAGE, "--only: at most %d times", RUN_ONLY_MAX);
            }
            run->only[run->only_count++] = optarg;
            break;
        case 's':
            if (!add_setting(run, optarg)) {
                return fail(EXIT_USAGE, "--setting '%s': write KEY=VALUE", optarg);
            }
            break;
        case 'j':
            if (!take_jobs(optarg, &run->jobs)) {
                return fail(EXIT_USAGE, "--jobs '%s': give a number from 1 to %d", optarg,
                            RUN_JOBS_MAX);
            }
            break;
        case 'b':
            run->backend = (pid_t)strtol(optarg, NULL, 10);
            if (run->backend <= 1) {
                return fail(EXIT_USAGE, "--backend '%s': give the number of a process", optarg);
            }
            break;
        case 'l':
            *list = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (strcmp(*format, "plain") != 0 && strcmp(*format, "json") != 0 &&
        strcmp(*format, "json-pretty") != 0) {
        return fail(EXIT_USAGE, "format '%s': unknown, use plain, json or json-pretty", *format);
    }
    return 0;
}

/* A name that no clause has is a typing error, not an empty report. */
static int check_only(const struct run *run)
{
    for (size_t i = 0; i < run->only_count; i++) {
        const struct run one = { .only = { run->only[i] }, .only_count = 1 };
        bool known = false;
        for (const struct clause *c = plugin_clauses; c->id; c++) {
            known = known || selection_has(&one, c->id);
        }
        for (const struct suite *const *s = suites; *s; s++) {
            for (size_t k = 0; (*s)->parts[k]; k++) {
                for (const struct clause *c = (*s)->parts[k]; c->id; c++) {
                    known = known || selection_has(&one, c->id);
                }
            }
        }
        if (!known) {
            return fail(EXIT_USAGE, "clause '%s': there is none, --list names all", run->only[i]);
        }
    }
    return 0;
}

static int exit_code(const struct run *run)
{
    bool has_tried = true;
    for (size_t i = 0; i < run->count; i++) {
        const struct result *r = &run->results[i];
        const bool is_gate = (r->clause->flags & CLAUSE_GATE) && r->clause->run;
        if (is_gate && r->outcome != OUTCOME_KEPT) {
            has_tried = false;
        } else if (r->outcome == OUTCOME_FAILED) {
            return EXIT_BROKEN;
        }
    }
    return has_tried ? EXIT_KEPT : EXIT_NOT_TRIED;
}

/* A build without the libraries of its servers has no clauses for transports. */
static bool has_suite(int32_t kind)
{
    const struct suite *const *s = suites;
    while (*s && (*s)->kind != kind) {
        s++;
    }
    return *s != NULL;
}

int main(int argc, char **argv)
{
    static struct run run;
    static char path[PATH_MAX];
    char why[256];
    const char *format = "plain";
    bool list = false;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    run.jobs = processors > 4 ? 8 : 4;
    int rc = take_options(argc, argv, &run, &format, &list);
    if (rc == 0) {
        rc = check_only(&run);
    }
    if (rc != 0) {
        return rc;
    }
    if (list) {
        report_list();
        return 0;
    }
    if (optind != argc - 1) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    run.path = realpath(argv[optind], path);
    if (!run.path) {
        return fail(EXIT_NOT_TRIED, "plugin '%s': %s", argv[optind], strerror(errno));
    }
    if (!runner_run(&run, why, sizeof(why))) {
        return fail(EXIT_BROKEN, "check: %s", why);
    }
    if (runner_stopped()) {
        return fail(128 + runner_stopped(),
                    "check: stopped by signal %d (%s), nothing is said of the plugin",
                    runner_stopped(), strsignal(runner_stopped()));
    }
    if (run.usage[0]) {
        return fail(EXIT_USAGE, "%s", run.usage);
    }
    if (strcmp(format, "plain") == 0) {
        report_plain(&run);
    } else {
        report_json(&run, strcmp(format, "json-pretty") == 0);
    }
    if (run.kind && !has_suite(run.kind)) {
        return fail(EXIT_NOT_TRIED,
                    "check: this build has no clauses for a %s, build it with nghttp2 and OpenSSL",
                    loader_kind_name(run.kind));
    }
    return exit_code(&run);
}
