/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static unsigned report_count(const struct run *run, enum outcome outcome)
{
    unsigned count = 0;
    for (size_t i = 0; i < run->count; i++) {
        count += run->results[i].outcome == outcome;
    }
    return count;
}

static void report_clause_plain(const struct result *r)
{
    switch (r->outcome) {
    case OUTCOME_KEPT:
        printf("ok       %s\n", r->clause->id);
        break;
    case OUTCOME_FAILED:
        printf("FAILED   %s: %s\n         promised: %s\n", r->clause->id, r->text,
               r->clause->promise);
        break;
    case OUTCOME_SKIPPED:
        printf("skipped  %s: %s\n", r->clause->id, r->text);
        break;
    default:
        return;
    }
    if (r->note[0]) {
        printf("         note: %s\n", r->note);
    }
}

void report_plain(const struct run *run)
{
    if (run->kind) {
        printf("%s '%s' %s, %s\n\n", loader_kind_name(run->kind), run->name, run->version,
               run->path);
    } else {
        printf("%s\n\n", run->path);
    }
    for (size_t i = 0; i < run->count; i++) {
        report_clause_plain(&run->results[i]);
    }
    printf("\n%u kept, %u FAILED, %u skipped", report_count(run, OUTCOME_KEPT),
           report_count(run, OUTCOME_FAILED), report_count(run, OUTCOME_SKIPPED));
    const unsigned not_tried = report_count(run, OUTCOME_NOT_TRIED);
    if (not_tried) {
        printf(", %u not tried because of that", not_tried);
    }
    putchar('\n');
}

static void report_add(struct json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, json_object_new_string(text));
}

static struct json_object *report_clause(const struct result *r)
{
    struct json_object *o = json_object_new_object();
    report_add(o, "id", r->clause->id);
    report_add(o, "promise", r->clause->promise);
    report_add(o, "result",
               r->outcome == OUTCOME_KEPT      ? "ok"
               : r->outcome == OUTCOME_FAILED  ? "failed"
               : r->outcome == OUTCOME_SKIPPED ? "skipped"
                                               : "not-tried");
    if (r->text[0]) {
        report_add(o, "text", r->text);
    }
    if (r->note[0]) {
        report_add(o, "note", r->note);
    }
    json_object_object_add(o, "milliseconds", json_object_new_int64(r->ms));
    return o;
}

void report_json(const struct run *run, bool pretty)
{
    struct json_object *all = json_object_new_object();
    struct json_object *clauses = json_object_new_array();
    report_add(all, "path", run->path);
    if (run->kind) {
        report_add(all, "kind", loader_kind_name(run->kind));
        report_add(all, "name", run->name);
        report_add(all, "version", run->version);
    }
    for (size_t i = 0; i < run->count; i++) {
        if (run->results[i].outcome != OUTCOME_NOT_ASKED) {
            json_object_array_add(clauses, report_clause(&run->results[i]));
        }
    }
    json_object_object_add(all, "clauses", clauses);
    json_object_object_add(all, "kept", json_object_new_int64(report_count(run, OUTCOME_KEPT)));
    json_object_object_add(all, "failed", json_object_new_int64(report_count(run, OUTCOME_FAILED)));
    json_object_object_add(all, "skipped",
                           json_object_new_int64(report_count(run, OUTCOME_SKIPPED)));
    json_object_object_add(all, "schema_version", json_object_new_int64(1));
    puts(json_object_to_json_string_ext(
        all, JSON_C_TO_STRING_NOSLASHESCAPE |
                 (pretty ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN)));
    json_object_put(all);
}

static void report_list_part(const struct clause *clauses)
{
    for (; clauses->id; clauses++) {
        printf("| `%s` | %s |\n", clauses->id, clauses->promise);
    }
}

void report_list(void)
{
    printf("### Every plugin\n\n| clause | promise |\n|---|---|\n");
    report_list_part(plugin_clauses);
    for (const struct suite *const *s = suites; *s; s++) {
        printf("\n### Every %s\n\n| clause | promise |\n|---|---|\n", loader_kind_name((*s)->kind));
        for (size_t i = 0; (*s)->parts[i]; i++) {
            report_list_part((*s)->parts[i]);
        }
    }
}
