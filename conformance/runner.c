/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include "sandbox.h"
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LIMIT_S = 30,
    LOOK_MS = 20, /* between two looks at who is late */
    END_MS = 1,   /* between two looks at who says nothing more, and is about to end */
    ORPHANS_MS = 500,
    ORPHANS_MAX = 64,
    ROUNDS_MAX = 100,
    FRAMES_MAX = 4, /* of a sanitizer's report */
};

/* The process of one trial. */
struct child {
    struct result *result; /* of the clause it is about; NULL: nobody */
    pid_t pid;
    int results; /* what it reports comes from here; -1: it says nothing more */
    struct trial_watch *watch;
    char output[560]; /* file of its standard output and error */
    uint64_t since_us;
    uint64_t deadline_us;
    bool is_late;
    char ended[RUN_TEXT_MAX]; /* how a second process of it did not return; empty: all did */
    char pending[VERDICT_MAX * 2];
    size_t pending_len;
};

struct runner {
    struct run *run;
    char dir[512];
    struct child children[RUN_JOBS_MAX];
    unsigned started;
    bool is_over; /* a gate was not kept: nothing is started any more */
};

static volatile sig_atomic_t stopped; /* the signal that wants us to */

static void runner_on_signal(int number)
{
    stopped = number;
}

static void runner_heed_signals(void)
{
    const struct sigaction action = { .sa_handler = runner_on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int runner_stopped(void)
{
    return stopped;
}

/* ---- results ---- */

static struct result *runner_find(struct run *run, const char *id)
{
    for (size_t i = 0; i < run->count; i++) {
        if (strcmp(run->results[i].clause->id, id) == 0) {
            return &run->results[i];
        }
    }
    return NULL;
}

bool runner_is_asked(const struct run *run, const char *id)
{
    for (size_t i = 0; i < run->only_count; i++) {
        size_t len = strlen(run->only[i]);
        if (strncmp(id, run->only[i], len) == 0 && (id[len] == '\0' || id[len] == '.')) {
            return true;
        }
    }
    return run->only_count == 0;
}

static void runner_set(struct result *r, enum outcome outcome, const char *text)
{
    if (r->outcome == OUTCOME_FAILED) {
        return; /* the first failure is the cause */
    }
    if (r->outcome == OUTCOME_NOT_ASKED && outcome != OUTCOME_FAILED) {
        return; /* what is broken counts, whoever asked */
    }
    r->outcome = outcome;
    snprintf(r->text, sizeof(r->text), "%s", text);
}

static void runner_end(struct runner *r, const struct clause *gate)
{
    r->is_over = r->is_over || (gate->flags & CLAUSE_GATE);
}

static void runner_breach(struct runner *r, const struct child *c, const char *id, const char *text)
{
    char full[RUN_TEXT_MAX];
    struct result *broken = runner_find(r->run, id);
    if (!broken) {
        return;
    }
    if (broken == c->result) {
        snprintf(full, sizeof(full), "%s", text);
    } else {
        snprintf(full, sizeof(full), "%s (seen in %s)", text, c->result->clause->id);
    }
    runner_set(broken, OUTCOME_FAILED, full);
    runner_end(r, broken->clause);
}

static void runner_note_plugin(struct run *run, const char *text)
{
    char *name;
    const long kind = strtol(text, &name, 10);
    const size_t len = strcspn(name + (*name == ' '), " ");
    if (*name == ' ' && name[1 + len] == ' ') {
        run->kind = (int32_t)kind;
        snprintf(run->name, sizeof(run->name), "%.*s", (int)len, name + 1);
        snprintf(run->version, sizeof(run->version), "%s", name + 1 + len + 1);
        trial_clean(run->version); /* it may have been cut */
    }
}

/* One line of a child: letter, id, blank, text. */
static void runner_take(struct runner *r, struct child *c, char *line)
{
    char *blank = strchr(line, ' ');
    if (!blank) {
        return;
    }
    const char *id = line + 1;
    const char *text = blank + 1;
    *blank = '\0';
    switch (line[0]) {
    case VERDICT_KEPT:
        if (c->result->outcome == OUTCOME_WAITING) {
            c->result->outcome = OUTCOME_KEPT;
        }
        break;
    case VERDICT_FAILED:
        runner_set(c->result, OUTCOME_FAILED, text);
        break;
    case VERDICT_SKIPPED:
        runner_set(c->result, OUTCOME_SKIPPED, text);
        break;
    case VERDICT_NOTE:
        snprintf(c->result->note, sizeof(c->result->note), "%s", text);
        break;
    case VERDICT_BREACH:
        if (strcmp(id, "plugin.returns") == 0) { /* unless a sanitizer has ended it */
            snprintf(c->ended, sizeof(c->ended), "%s", text);
        } else {
            runner_breach(r, c, id, text);
        }
        break;
    case VERDICT_PLUGIN:
        runner_note_plugin(r->run, text);
        break;
    case VERDICT_USAGE:
        snprintf(r->run->usage, sizeof(r->run->usage), "%s", text);
        break;
    case VERDICT_ELSEWHERE:
        r->run->jobs = 1;
        break;
    default:
        break;
    }
}

/* Take what has arrived. False at the end. */
static bool runner_read(struct runner *r, struct child *c)
{
    ssize_t n =
        read(c->results, c->pending + c->pending_len, sizeof(c->pending) - c->pending_len - 1);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    c->pending_len += (size_t)n;
    c->pending[c->pending_len] = '\0';
    char *line = c->pending;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        runner_take(r, c, line);
    }
    c->pending_len = strlen(line);
    memmove(c->pending, line, c->pending_len + 1);
    if (c->pending_len == sizeof(c->pending) - 1) {
        c->pending_len = 0; /* no line of ours */
    }
    return true;
}

/* ---- the end of a child ---- */

/* Of what it wrote the first line that says something: a sanitizer's, with where that was, or any.
 * False if it wrote nothing. */
static bool runner_output(const struct child *c, char *said, size_t size, bool *ret_sanitizer)
{
    char line[512];
    unsigned frames = 0;
    *said = '\0';
    *ret_sanitizer = false;
    FILE *f = fopen(c->output, "re");
    while (f && frames < FRAMES_MAX && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\r\n")] = '\0';
        const size_t len = strlen(said);
        const char *where = strstr(line, " in ");
        if (!*ret_sanitizer && (strstr(line, "Sanitizer: ") || strstr(line, "runtime error: "))) {
            *ret_sanitizer = true;
            snprintf(said, size, "%s", line);
        } else if (*ret_sanitizer && where && strncmp(line, "    #", 5) == 0) {
            snprintf(said + len, size - len, "%s%.120s", frames++ ? "," : ";", where);
        } else if (!*said) {
            snprintf(said, size, "%s", line);
        }
    }
    if (f) {
        fclose(f);
    }
    trial_clean(said);
    return *said != '\0';
}

/* It ended without a verdict, or badly after it. */
static void runner_judge_death(struct runner *r, struct child *c, int status, const char *said)
{
    const struct clause *clause = c->result->clause;
    const char *function = c->watch->function;
    char how[128], text[RUN_TEXT_MAX];
    trial_describe_end(status, how, sizeof(how));
    if (c->result->outcome != OUTCOME_WAITING && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return;
    }
    if (strcmp(clause->id, "plugin.loads") == 0) {
        snprintf(text, sizeof(text),
                 "the process that loaded it %s before it had loaded%s%s; a "
                 "constructor may do next to nothing",
                 how, *said ? ": " : "", said);
        runner_set(c->result, OUTCOME_FAILED, text);
        return;
    }
    snprintf(text, sizeof(text), "%s %s%s%s; a function returns, whatever happens",
             *function ? function : "between two calls the process", how, *said ? ": " : "", said);
    runner_breach(r, c, "plugin.returns", text);
    runner_set(c->result, OUTCOME_SKIPPED, "could not be judged, see plugin.returns");
}

static void runner_judge_late(struct runner *r, struct child *c)
{
    const struct trial_watch *w = c->watch;
    char text[RUN_TEXT_MAX];
    if (w->function[0] && w->limit_us) {
        snprintf(text, sizeof(text), "%s had not returned after %llu ms, it has at most %llu",
                 w->function, (unsigned long long)(trial_now_us() - w->since_us) / 1000u,
                 (unsigned long long)w->limit_us / 1000u);
        runner_breach(r, c, w->limit_clause, text);
        snprintf(text, sizeof(text), "could not be judged, see %s", w->limit_clause);
        runner_set(c->result, OUTCOME_SKIPPED, text);
    } else if (w->function[0]) {
        snprintf(text, sizeof(text), "%s had not returned when the %llu s of the clause were over",
                 w->function, (unsigned long long)(c->deadline_us - c->since_us) / 1000000u);
        runner_breach(r, c, "plugin.returns", text);
        runner_set(c->result, OUTCOME_SKIPPED, "could not be judged, see plugin.returns");
    } else {
        snprintf(text, sizeof(text), "had not come to an end after %llu s",
                 (unsigned long long)(c->deadline_us - c->since_us) / 1000000u);
        runner_set(c->result, OUTCOME_FAILED, text);
    }
}

/* It says nothing more: wait for its end as long as it has time, it may hang all the same. */
static void runner_close(struct child *c)
{
    if (c->results >= 0) {
        close(c->results);
        c->results = -1;
    }
}

/* It has ended: reap it, and judge how. */
static void runner_reap(struct runner *r, struct child *c)
{
    int status = 0;
    char said[640] = "";
    bool is_sanitizer;
    runner_close(c);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {
    }
    kill(-c->pid, SIGKILL); /* whoever it left behind */
    c->result->ms = (unsigned)((trial_now_us() - c->since_us) / 1000u);

    const bool has_said = runner_output(c, said, sizeof(said), &is_sanitizer);
    is_sanitizer = is_sanitizer && !strstr(said, "Sanitizer: SEGV"); /* that is a crash */
    if (c->ended[0] && !is_sanitizer) {
        runner_breach(r, c, "plugin.returns", c->ended);
    }
    if (c->is_late) {
        runner_judge_late(r, c);
    } else if (is_sanitizer) {
        runner_breach(r, c, "plugin.sanitizers", said);
        runner_set(c->result, OUTCOME_SKIPPED, "could not be judged, see plugin.sanitizers");
    } else {
        runner_judge_death(r, c, status, said);
        if (has_said && !strstr(said, "Sanitizer: ") && WIFEXITED(status) &&
            WEXITSTATUS(status) == 0) {
            char text[RUN_TEXT_MAX];
            snprintf(text, sizeof(text),
                     "it wrote \"%s\"; a plugin writes to no standard stream, "
                     "it has host->log",
                     said);
            runner_breach(r, c, "plugin.streams", text);
        }
    }
    if (c->result->outcome != OUTCOME_KEPT) {
        runner_end(r, c->result->clause);
    }
    munmap(c->watch, sizeof(*c->watch));
    c->result = NULL;
}

/* ---- children ---- */

static bool runner_start(struct runner *r, struct child *c, struct result *result)
{
    char dir[600];
    int ends[2];
    *c = (struct child){ .result = result };
    snprintf(c->output, sizeof(c->output), "%s/output-%u", r->dir, r->started);
    snprintf(dir, sizeof(dir), "%s/%u", r->dir, r->started);
    r->started++;
    c->watch =
        mmap(NULL, sizeof(*c->watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->watch == MAP_FAILED || mkdir(dir, 0700) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    const uint32_t limit_s = result->clause->limit_s ? result->clause->limit_s : LIMIT_S;
    c->since_us = trial_now_us();
    c->deadline_us = c->since_us + (uint64_t)limit_s * 1000000u;
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0) {
        close(ends[0]);
        sandbox_run(r->run, result->clause, dir, c->output, c->watch, ends[1], c->deadline_us);
    }
    close(ends[1]);
    c->results = ends[0];
    fcntl(c->results, F_SETFL, O_NONBLOCK);
    return c->pid > 0;
}

/* End those whose time, or whose call's time, is over. */
static void runner_end_late(struct child *c)
{
    const uint64_t now = trial_now_us();
    const struct trial_watch *w = c->watch;
    const bool call_is_late = w->function[0] && w->limit_us &&
                              now > w->since_us + w->limit_us + TRIAL_SLACK_MS * UINT64_C(1000);
    if (!c->is_late && (call_is_late || now > c->deadline_us || stopped)) {
        c->is_late = true;
        kill(-c->pid, SIGKILL);
        kill(c->pid, SIGKILL); /* before its setsid */
    }
}

/* True if it has ended, whoever else has its pipe still open; then all it said has been taken. */
static bool runner_has_ended(struct runner *r, struct child *c)
{
    siginfo_t ended = { 0 };
    if (waitid(P_PID, (id_t)c->pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        ended.si_pid == 0) {
        return false;
    }
    struct pollfd more = { .fd = c->results, .events = POLLIN };
    while (poll(&more, 1, 0) > 0 && (more.revents & POLLIN) && runner_read(r, c)) {
    }
    return true;
}

/* Wait for something to happen to the children; how many there are. */
static unsigned runner_watch(struct runner *r)
{
    struct pollfd fds[RUN_JOBS_MAX];
    struct child *of[RUN_JOBS_MAX];
    unsigned count = 0;
    int look_ms = LOOK_MS;
    for (size_t i = 0; i < RUN_JOBS_MAX; i++) {
        struct child *c = &r->children[i];
        if (c->result) {
            runner_end_late(c);
            look_ms = c->results < 0 ? END_MS : look_ms;
            of[count] = c;
            fds[count++] = (struct pollfd){ .fd = c->results, .events = POLLIN };
        }
    }
    const int ready = count ? poll(fds, count, look_ms) : 0;
    for (unsigned i = 0; i < count; i++) {
        if (ready > 0 && fds[i].revents && !runner_read(r, of[i])) {
            runner_close(of[i]);
        }
        if (runner_has_ended(r, of[i])) {
            runner_reap(r, of[i]);
        }
    }
    return count;
}

static struct child *runner_free_child(struct runner *r)
{
    for (unsigned i = 0; i < r->run->jobs && i < RUN_JOBS_MAX; i++) {
        if (!r->children[i].result) {
            return &r->children[i];
        }
    }
    return NULL;
}

static bool runner_run_clause(struct runner *r, struct result *result)
{
    const bool is_alone = result->clause->flags & (CLAUSE_ALONE | CLAUSE_GATE);
    struct child *c;
    while (is_alone && runner_watch(r)) {
    }
    while (!(c = runner_free_child(r)) && !stopped) {
        runner_watch(r);
    }
    if (r->is_over || stopped) {
        return true;
    }
    if (!runner_start(r, c, result)) {
        return false;
    }
    while (is_alone && runner_watch(r)) {
    }
    return true;
}

/* ---- a suite ---- */

/* True if one is asked for that all trials watch over. */
static bool runner_wants_watch(const struct run *run, const struct clause *clauses)
{
    while (clauses->id && (clauses->run || !runner_is_asked(run, clauses->id))) {
        clauses++;
    }
    return clauses->id != NULL;
}

/* The same, of all clauses: then all have to be tried. */
static bool runner_wants_all(const struct run *run)
{
    bool wants = runner_wants_watch(run, plugin_clauses);
    for (const struct suite *const *s = suites; *s; s++) {
        for (size_t i = 0; (*s)->parts[i]; i++) {
            wants = wants || runner_wants_watch(run, (*s)->parts[i]);
        }
    }
    return wants;
}

static void runner_add(struct run *run, const struct clause *clauses)
{
    const bool all = runner_wants_all(run);
    for (; clauses->id && run->count < RUN_CLAUSES_MAX; clauses++) {
        const bool is_gate = (clauses->flags & CLAUSE_GATE) && clauses->run;
        const bool is_asked = is_gate || runner_is_asked(run, clauses->id);
        run->results[run->count++] = (struct result){
            .clause = clauses,
            .is_asked = is_asked,
            .outcome = is_asked || all ? OUTCOME_WAITING : OUTCOME_NOT_ASKED,
        };
    }
}

static void runner_add_suite(struct run *run)
{
    for (const struct suite *const *s = suites; *s; s++) {
        for (size_t i = 0; (*s)->kind == run->kind && (*s)->parts[i]; i++) {
            runner_add(run, (*s)->parts[i]);
        }
    }
}

/* The processes that have become ours: they had left the session of their trial. */
static size_t runner_orphans(pid_t *pids, size_t max)
{
    char path[64];
    size_t count = 0;
    long pid;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "re");
    while (f && count < max && fscanf(f, "%ld", &pid) == 1) {
        pids[count++] = (pid_t)pid;
    }
    if (f) {
        fclose(f);
    }
    return count;
}

/* End them. False if there was none but those on their way out. */
static bool runner_end_orphans(void)
{
    pid_t pids[ORPHANS_MAX];
    size_t count;
    for (int ms = 0; ms < ORPHANS_MS; ms += LOOK_MS) {
        if (runner_orphans(pids, ORPHANS_MAX) == 0) {
            return false;
        }
        poll(NULL, 0, LOOK_MS);
    }
    for (int round = 0; round < ROUNDS_MAX && (count = runner_orphans(pids, ORPHANS_MAX));
         round++) {
        for (size_t i = 0; i < count; i++) {
            kill(pids[i], SIGKILL);
        }
        poll(NULL, 0, LOOK_MS);
    }
    return true;
}

static bool runner_run_all(struct runner *r)
{
    struct run *run = r->run;
    runner_add(run, plugin_clauses);
    for (size_t i = 0; i < run->count; i++) {
        struct result *result = &run->results[i];
        if (result->outcome == OUTCOME_WAITING && result->clause->run && !r->is_over &&
            !runner_run_clause(r, result)) {
            return false;
        }
        if (i == 0) { /* the plugin has said what it is */
            runner_add_suite(run);
        }
        if (run->usage[0]) {
            break;
        }
    }
    while (runner_watch(r)) {
    }
    if (runner_end_orphans()) {
        runner_set(
            runner_find(run, "plugin.processes"), OUTCOME_FAILED,
            "a process that it had started was still there when the trial had ended; what it "
            "starts ends with it, at the latest with close");
    }
    for (size_t i = 0; i < run->count; i++) {
        struct result *result = &run->results[i];
        if (result->outcome == OUTCOME_WAITING) { /* kept, as far as all trials have seen */
            result->outcome = r->is_over ? OUTCOME_NOT_TRIED : OUTCOME_KEPT;
        }
        if (!result->is_asked && result->outcome != OUTCOME_FAILED) {
            result->outcome = OUTCOME_NOT_ASKED; /* it was tried for what all watch over */
        }
    }
    return true;
}

static int runner_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    if (type == FTW_D || type == FTW_DNR) {
        chmod(path, 0700);
    }
    return remove(path);
}

bool runner_run(struct run *run, char *ret_why, size_t size)
{
    static struct runner r;
    const char *top = getenv("TMPDIR");
    r = (struct runner){ .run = run };
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    runner_heed_signals(); /* nothing is left behind then, either */
    snprintf(r.dir, sizeof(r.dir), "%s/q-plugin-check-XXXXXX", top && *top == '/' ? top : "/tmp");
    const bool is_made = mkdtemp(r.dir) != NULL;
    const bool ok = is_made && runner_run_all(&r);
    if (!ok) {
        snprintf(ret_why, size, "%s: %s", r.dir, strerror(errno));
    }
    if (is_made) {
        nftw(r.dir, runner_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    return ok;
}
