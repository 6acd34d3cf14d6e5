/* SPDX-License-Identifier: Apache-2.0 */
#include "selection.h"

#include <string.h>

bool selection_has(const struct run *run, const char *id)
{
    for (size_t i = 0; i < run->only_count; i++) {
        size_t len = strlen(run->only[i]);
        if (strncmp(id, run->only[i], len) == 0 && (id[len] == '\0' || id[len] == '.')) {
            return true;
        }
    }
    return run->only_count == 0;
}

/* True if one is asked for that all trials watch over. */
static bool selection_watches(const struct run *run, const struct clause *clauses)
{
    while (clauses->id && (clauses->run || !selection_has(run, clauses->id))) {
        clauses++;
    }
    return clauses->id != NULL;
}

/* The same, of all clauses: then all have to be tried. */
static bool selection_tries_all(const struct run *run)
{
    bool wants = selection_watches(run, plugin_clauses);
    for (const struct suite *const *s = suites; *s; s++) {
        for (size_t i = 0; (*s)->parts[i]; i++) {
            wants = wants || selection_watches(run, (*s)->parts[i]);
        }
    }
    return wants;
}

void selection_add(struct run *run, const struct clause *clauses)
{
    const bool all = selection_tries_all(run);
    for (; clauses->id && run->count < RUN_CLAUSES_MAX; clauses++) {
        const bool is_gate = (clauses->flags & CLAUSE_GATE) && clauses->run;
        const bool is_asked = is_gate || selection_has(run, clauses->id);
        run->results[run->count++] = (struct result){
            .clause = clauses,
            .is_asked = is_asked,
            .outcome = is_asked || all ? OUTCOME_WAITING : OUTCOME_NOT_ASKED,
        };
    }
}

void selection_add_suite(struct run *run)
{
    for (const struct suite *const *s = suites; *s; s++) {
        for (size_t i = 0; (*s)->kind == run->kind && (*s)->parts[i]; i++) {
            selection_add(run, (*s)->parts[i]);
        }
    }
}
