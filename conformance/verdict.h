/* SPDX-License-Identifier: Apache-2.0 */
/* What a trial tells the runner: lines of a letter, a clause's id (breaches only), a blank and a
 * text. */
#ifndef CONFORMANCE_VERDICT_H
#define CONFORMANCE_VERDICT_H

enum {
    VERDICT_KEPT = 'K',
    VERDICT_FAILED = 'F',
    VERDICT_SKIPPED = 'S',
    VERDICT_NOTE = 'N',
    VERDICT_BREACH = 'B',
    VERDICT_PLUGIN = 'P',    /* kind, name and version of the plugin, once it is loaded */
    VERDICT_USAGE = 'U',     /* the plugin is not what the command line says */
    VERDICT_ELSEWHERE = 'E', /* trials would meet in one place: one at a time */

    VERDICT_MAX = 1024, /* bytes of a line: less than a pipe takes at once */
};

#endif
