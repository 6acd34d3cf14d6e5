/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

#include "verdict.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t trial_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* One message, in one write: other processes of the trial have the same pipe. */
static void trial_tell(struct trial *t, char what, const char *id, const char *format, va_list args)
{
    char message[VERDICT_MAX];
    int head = snprintf(message, sizeof(message), "%c%s ", what, id);
    vsnprintf(message + head, sizeof(message) - (size_t)head - 1, format, args);
    for (char *p = message; *p; p++) {
        *p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
    }
    size_t len = strlen(message);
    message[len++] = '\n';
    while (write(t->results, message, len) < 0 && errno == EINTR) {
    }
}

#define TELL(what, id) \
    do { \
        va_list args; \
        va_start(args, format); \
        trial_tell(t, (what), (id), format, args); \
        va_end(args); \
    } while (0)

void trial_fail(struct trial *t, const char *format, ...)
{
    TELL(VERDICT_FAILED, "");
    _exit(0);
}

void trial_skip(struct trial *t, const char *format, ...)
{
    TELL(VERDICT_SKIPPED, "");
    _exit(0);
}

void trial_note(struct trial *t, const char *format, ...)
{
    TELL(VERDICT_NOTE, "");
}

void trial_breach(struct trial *t, const char *id, const char *format, ...)
{
    TELL(VERDICT_BREACH, id);
}

void trial_break_off(struct trial *t, const char *id, const char *format, ...)
{
    TELL(VERDICT_BREACH, id);
    trial_skip(t, "could not be judged, see %s", id);
}

void trial_enter(struct trial *t, const char *function, uint32_t limit_ms, const char *limit_clause)
{
    struct trial_watch *w = t->watch;
    snprintf(w->limit_clause, sizeof(w->limit_clause), "%s", limit_clause ? limit_clause : "");
    w->since_us = trial_now_us();
    w->limit_us = (uint64_t)limit_ms * 1000u;
    snprintf(w->function, sizeof(w->function), "%s", function);
}

void trial_leave(struct trial *t, const char *function)
{
    struct trial_watch *w = t->watch;
    const uint64_t took_us = trial_now_us() - w->since_us;
    if (strcmp(w->function, function) != 0) { /* its stack is gone: not one step further */
        trial_break_off(t, "plugin.returns",
                        "%s did not return, it jumped back into %s; a function returns to its "
                        "caller, and leaves neither by longjmp nor by an exception",
                        w->function, function);
    }
    w->function[0] = '\0';
    if (w->limit_us && took_us > w->limit_us) {
        trial_breach(t, w->limit_clause, "%s took %llu ms, it has at most %llu", function,
                     (unsigned long long)took_us / 1000u, (unsigned long long)w->limit_us / 1000u);
    }
}

void trial_set(struct trial *t, const char *key, const char *value)
{
    if (t->setting_count == TRIAL_SETTINGS_MAX) {
        trial_skip(t, "more than %d settings were given", TRIAL_SETTINGS_MAX);
    }
    t->settings[t->setting_count++] = (struct trial_setting){ key, value };
}

bool trial_declares(const struct trial *t, const char *key)
{
    for (uint32_t i = 0; i < t->plugin->info.setting_count; i++) {
        if (strcmp(plugin_setting(t->plugin, i).key, key) == 0) {
            return true;
        }
    }
    return false;
}

const char *trial_setting(const struct trial *t, const char *key)
{
    for (size_t i = t->setting_count; i > 0; i--) {
        if (strcmp(t->settings[i - 1].key, key) == 0) {
            return t->settings[i - 1].value;
        }
    }
    return NULL;
}

void trial_plant_secret(struct trial *t, const char *secret)
{
    if (t->secret_count < TRIAL_SECRETS_MAX) {
        t->secrets[t->secret_count++] = secret;
    }
}

void trial_look_for_secrets(struct trial *t, const char *where, struct aq_str text)
{
    for (size_t i = 0; i < t->secret_count; i++) {
        if (text.len && memmem(text.ptr, text.len, t->secrets[i], strlen(t->secrets[i]))) {
            trial_breach(t, "plugin.secrets",
                         "%s shows a value that the store was given; values are secrets", where);
            return;
        }
    }
}
