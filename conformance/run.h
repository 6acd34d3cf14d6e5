/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be checked, and what came out: the runner fills it. */
#ifndef CONFORMANCE_RUN_H
#define CONFORMANCE_RUN_H

#include "clause.h"
#include "trial.h"

#include <stdbool.h>
#include <sys/types.h>

enum { RUN_CLAUSES_MAX = 192, RUN_ONLY_MAX = 64, RUN_TEXT_MAX = 1024, RUN_JOBS_MAX = 16 };

enum outcome {
    OUTCOME_NOT_ASKED, /* --only names others */
    OUTCOME_WAITING,
    OUTCOME_KEPT,
    OUTCOME_FAILED,
    OUTCOME_SKIPPED,
    OUTCOME_NOT_TRIED, /* a gate before it was not kept */
};

struct result {
    const struct clause *clause;
    enum outcome outcome;
    bool is_asked;           /* if not, it is shown only when it is broken */
    char text[RUN_TEXT_MAX]; /* why it failed, or was skipped */
    char note[RUN_TEXT_MAX]; /* empty: none */
    unsigned ms;
};

struct run {
    const char *path;                                  /* of the plugin, absolute */
    struct trial_setting settings[TRIAL_SETTINGS_MAX]; /* from the command line */
    size_t setting_count;
    const char *only[RUN_ONLY_MAX]; /* ids, or their first words; none: all */
    size_t only_count;
    unsigned jobs; /* 1..RUN_JOBS_MAX */
    pid_t backend; /* 0: none */

    int32_t kind; /* of the plugin; 0 until it was loaded */
    char name[128];
    char version[128];
    char usage[RUN_TEXT_MAX]; /* why the command line does not fit the plugin */
    bool is_over;             /* a gate was not kept: nothing more is tried */
    struct result results[RUN_CLAUSES_MAX];
    size_t count;
};

#endif
