/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include <stdio.h>
#include <string.h>

struct result *result_find(struct run *run, const char *id)
{
    for (size_t i = 0; i < run->count; i++) {
        if (strcmp(run->results[i].clause->id, id) == 0) {
            return &run->results[i];
        }
    }
    return NULL;
}

void result_set(struct result *r, enum outcome outcome, const char *text)
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

void result_end(struct run *run, const struct clause *gate)
{
    run->is_over = run->is_over || (gate->flags & CLAUSE_GATE);
}

void result_breach(struct run *run, const struct result *seen_in, const char *id, const char *text)
{
    char full[RUN_TEXT_MAX];
    struct result *broken = result_find(run, id);
    if (!broken) {
        return;
    }
    if (broken == seen_in) {
        snprintf(full, sizeof(full), "%s", text);
    } else {
        snprintf(full, sizeof(full), "%s (seen in %s)", text, seen_in->clause->id);
    }
    result_set(broken, OUTCOME_FAILED, full);
    result_end(run, broken->clause);
}
