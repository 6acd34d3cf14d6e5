/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a trial keeps of the user's environment: how programs run, not where things are. */
static bool sandbox_keeps(const char *variable)
{
    static const char *const kept[] = { "PATH=", "LANG=",  "LC_",          "LD_",         "ASAN_",
                                        "LSAN_", "UBSAN_", "TSAN_OPTIONS", "GCOV_PREFIX", "TZ=" };
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (strncmp(variable, kept[i], strlen(kept[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Places of its own in place of the user's; *work is where it runs. */
static bool sandbox_places(const char *dir, char *work, size_t size)
{
    static const struct {
        const char *variable;
        const char *name;
    } places[] = { { "HOME", "home" }, { "TMPDIR", "tmp" }, { "XDG_RUNTIME_DIR", "run" } };
    char path[600];
    size_t count = 0;
    for (char **v = environ; *v; v++) {
        if (sandbox_keeps(*v)) {
            environ[count++] = *v;
        }
    }
    environ[count] = NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, places[i].name);
        if (mkdir(path, 0700) != 0 || setenv(places[i].variable, path, 1) != 0) {
            return false;
        }
    }
    snprintf(work, size, "%s/work", dir);
    return mkdir(work, 0700) == 0 && chdir(work) == 0;
}

static bool sandbox_streams(const char *output)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    return in >= 0 && out >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
           dup2(out, STDERR_FILENO) >= 0 && close(in) == 0 && close(out) == 0;
}

static bool sandbox_enter(const char *dir, const char *output, char *work, size_t size)
{
    const struct rlimit none = { 0, 0 };
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left behind */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    setsid();
    setrlimit(RLIMIT_CORE, &none);
    umask(022);
    return sandbox_places(dir, work, size) && sandbox_streams(output);
}

static void sandbox_say_what_it_is(struct trial *t)
{
    const struct aq_plugin *p = &t->plugin->info;
    trial_say(t, VERDICT_PLUGIN, "%d %s %s", (int)p->kind, p->name, p->version ? p->version : "");
}

/* The command line's settings are those of this plugin. */
static void sandbox_check_settings(struct trial *t)
{
    for (size_t i = 0; i < t->setting_count; i++) {
        if (!trial_declares(t, t->settings[i].key)) {
            trial_say(t, VERDICT_USAGE, "setting '%s': %s '%s' has no such setting",
                      t->settings[i].key, loader_kind_name(t->plugin->info.kind),
                      t->plugin->info.name);
        }
    }
}

static const struct suite *sandbox_suite(const struct trial *t)
{
    const struct suite *const *s = suites;
    while (*s && (*s)->kind != t->plugin->info.kind) {
        s++;
    }
    return *s;
}

static void sandbox_run_clause(struct trial *t)
{
    const struct suite *suite = sandbox_suite(t);
    if (suite && suite->prepare) {
        suite->prepare(t);
    }
    if (t->is_elsewhere) {
        dprintf(t->results, "%c \n", VERDICT_ELSEWHERE);
    }
    t->clause->run(t);
    if (suite && suite->finish) {
        suite->finish(t);
    }
    dprintf(t->results, "%c \n", VERDICT_KEPT);
}

void sandbox_run(const struct run *run, const struct clause *clause, const char *dir,
                 const char *output, struct trial_watch *watch, int results, uint64_t deadline_us)
{
    static struct trial t;
    static struct plugin plugin;
    static char work[600];
    struct aq_error err;
    t = (struct trial){
        .clause = clause,
        .plugin = &plugin,
        .dir = work,
        .path = run->path,
        .deadline_us = deadline_us,
        .setting_count = run->setting_count,
        .backend = run->backend,
        .secrets = { TRIAL_SECRET },
        .secret_count = 1,
        .watch = watch,
        .results = results,
    };
    memcpy(t.settings, run->settings, sizeof(t.settings));
    if (!sandbox_enter(dir, output, work, sizeof(work))) {
        trial_skip(&t, "its surroundings could not be made: %s", strerror(errno));
    }
    trial_enter(&t, "the plugin's constructor", 0, NULL);
    aq_status st = loader_load_file(&(struct loader_file){ .path = run->path }, &plugin, &err);
    trial_leave(&t, "the plugin's constructor");
    if (st != AQ_OK) {
        trial_break_off(&t, "plugin.loads", "%s", err.text);
    }
    sandbox_say_what_it_is(&t);
    sandbox_check_settings(&t);
    sandbox_run_clause(&t);
    exit(0); /* with everything that looks at the end: leaks, coverage */
}
