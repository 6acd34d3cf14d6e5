/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { FRAMES_MAX = 4 }; /* of a sanitizer's report */

/* ---- what it says ---- */

static void judge_plugin(struct run *run, const char *text)
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
void judge_line(struct run *run, struct child *c, char *line)
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
        result_set(c->result, OUTCOME_FAILED, text);
        break;
    case VERDICT_SKIPPED:
        result_set(c->result, OUTCOME_SKIPPED, text);
        break;
    case VERDICT_NOTE:
        snprintf(c->result->note, sizeof(c->result->note), "%s", text);
        break;
    case VERDICT_BREACH:
        if (strcmp(id, "plugin.returns") == 0) { /* unless a sanitizer has ended it */
            snprintf(c->ended, sizeof(c->ended), "%s", text);
        } else {
            result_breach(run, c->result, id, text);
        }
        break;
    case VERDICT_PLUGIN:
        judge_plugin(run, text);
        break;
    case VERDICT_USAGE:
        snprintf(run->usage, sizeof(run->usage), "%s", text);
        break;
    case VERDICT_ELSEWHERE:
        run->jobs = 1;
        break;
    default:
        break;
    }
}

/* ---- how it ends ---- */

/* Of what it wrote the first line that says something: a sanitizer's, with where that was, or any.
 * False if it wrote nothing. */
static bool judge_output(const struct child *c, char *said, size_t size, bool *ret_sanitizer)
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

/* A function did not return: that breaks plugin.returns, unless it is what the clause is about. */
static void judge_no_return(struct run *run, struct child *c, const char *text)
{
    if (c->result->clause->flags & CLAUSE_RETURNS) {
        result_set(c->result, OUTCOME_FAILED, text);
    } else {
        result_breach(run, c->result, "plugin.returns", text);
        result_set(c->result, OUTCOME_SKIPPED, "could not be judged, see plugin.returns");
    }
}

/* It ended without a verdict, or badly after it. */
static void judge_death(struct run *run, struct child *c, int status, const char *said)
{
    const char *function = c->watch->call.function;
    char how[128], text[RUN_TEXT_MAX];
    trial_describe_end(status, how, sizeof(how));
    if (c->result->outcome != OUTCOME_WAITING && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return;
    }
    snprintf(text, sizeof(text), "%s %s%s%s; a function returns, whatever happens",
             *function ? function : "between two calls the process", how, *said ? ": " : "", said);
    judge_no_return(run, c, text);
}

static void judge_late(struct run *run, struct child *c)
{
    const struct trial_call *call = &c->call;
    const unsigned long long clause_s = (c->deadline_us - c->since_us) / 1000000u;
    char text[RUN_TEXT_MAX];
    if (c->late == CHILD_CALL_LATE) {
        snprintf(text, sizeof(text), "%s had not returned after %llu ms, it has at most %llu",
                 call->function, (unsigned long long)c->took_us / 1000u,
                 (unsigned long long)call->limit_us / 1000u);
        result_breach(run, c->result, call->limit_clause, text);
        snprintf(text, sizeof(text), "could not be judged, see %s", call->limit_clause);
        result_set(c->result, OUTCOME_SKIPPED, text);
    } else if (c->late == CHILD_CLAUSE_LATE && call->function[0] && !call->limit_us) {
        snprintf(text, sizeof(text), "%s had not returned when the %llu s of the clause were over",
                 call->function, clause_s);
        judge_no_return(run, c, text);
    } else if (c->late == CHILD_CLAUSE_LATE) {
        snprintf(text, sizeof(text), "had not come to an end after %llu s", clause_s);
        result_set(c->result, OUTCOME_FAILED, text);
    }
}

static void judge_streams(struct run *run, const struct child *c, const char *said)
{
    char text[RUN_TEXT_MAX];
    snprintf(text, sizeof(text),
             "it wrote \"%s\"; a plugin writes to no standard stream, it has host->log", said);
    result_breach(run, c->result, "plugin.streams", text);
}

void judge_end(struct run *run, struct child *c, int status)
{
    char said[640] = "";
    bool is_sanitizer;
    const bool has_said = judge_output(c, said, sizeof(said), &is_sanitizer);
    is_sanitizer = is_sanitizer && !strstr(said, "Sanitizer: SEGV"); /* that is a crash */
    if (c->ended[0] && !is_sanitizer) {
        result_breach(run, c->result, "plugin.returns", c->ended);
    }
    if (c->late) {
        judge_late(run, c);
    } else if (is_sanitizer) {
        result_breach(run, c->result, "plugin.sanitizers", said);
        result_set(c->result, OUTCOME_SKIPPED, "could not be judged, see plugin.sanitizers");
    } else {
        judge_death(run, c, status, said);
        if (has_said && !strstr(said, "Sanitizer: ") && WIFEXITED(status) &&
            WEXITSTATUS(status) == 0) {
            judge_streams(run, c, said);
        }
    }
    if (c->result->outcome != OUTCOME_KEPT) {
        result_end(run, c->result->clause);
    }
}
