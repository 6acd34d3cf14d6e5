/* SPDX-License-Identifier: Apache-2.0 */
#include "witness.h"

#include "base/error.h"
#include "base/utf8.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* ---- what a plugin may call ---- */

enum { TABLES_MAX = 1024 };

/* What the plugin has in its hands. Not one is given back, and none is on a stack. */
struct witness_table {
    struct aq_host host; /* ctx is this struct */
    struct witness *w;   /* NULL after close */
    int results;         /* of the trial */
};

static struct witness_table tables[TABLES_MAX];
static atomic_uint table_count;

/* A host function is called during a call of the instance, by the thread that made it. NULL if not:
 * then there is nothing more to judge. */
static struct witness *witness_called(void *ctx, const char *function)
{
    const struct witness_table *table = ctx;
    struct witness *w = table->w;
    if (!w) {
        struct trial t = { .results = table->results };
        trial_breach(&t, "plugin.after-close", "%s was called after the instance had been closed",
                     function);
    } else if (!w->inside || !pthread_equal(w->thread, pthread_self())) {
        trial_breach(w->trial, "plugin.threads",
                     "%s was called %s; a plugin calls the host only inside a call of its own, on "
                     "the thread that made it",
                     function, w->inside ? "from another thread" : "between two calls");
        w = NULL;
    }
    return w;
}

static void witness_log(void *ctx, int32_t level, struct aq_str line)
{
    struct witness *w = witness_called(ctx, "log");
    if (!w) {
        return;
    }
    if (!line.ptr && line.len) {
        trial_breach(w->trial, "plugin.log", "log was given a length of %zu without a text",
                     line.len);
        return;
    }
    if (level < AQ_LOG_ERROR || level > AQ_LOG_DEBUG) {
        trial_breach(w->trial, "plugin.log", "log was given the level %ld, there are %d to %d",
                     (long)level, AQ_LOG_ERROR, AQ_LOG_DEBUG);
    }
    if (line.len && memchr(line.ptr, '\n', line.len)) {
        trial_breach(w->trial, "plugin.log", "log was given a text of several lines: %.*s",
                     AQ_STR_ARG(line));
    }
    trial_look_for_secrets(w->trial, "a line of the log", line);
}

static uint64_t witness_now_us(void *ctx)
{
    const struct witness_table *table = ctx;
    return trial_now_us() + (table->w ? table->w->ahead_us : 0);
}

static aq_status witness_put(void *ctx, void *sink, struct aq_str key, struct aq_bytes value)
{
    struct witness *w = witness_called(ctx, "put");
    if (!w) {
        return AQ_E_STATE;
    }
    if (!w->on_put) {
        trial_breach(w->trial, "plugin.put", "put was called inside %s, which hands nothing over",
                     w->inside->function);
        return AQ_E_STATE;
    }
    return w->on_put(w, sink, key, value);
}

static void witness_ready(void *ctx, void *cookie)
{
    struct witness *w = witness_called(ctx, "ready");
    if (!w) {
        return;
    }
    if (w->on_ready) {
        w->on_ready(w, cookie);
    } else {
        trial_breach(w->trial, "plugin.ready",
                     "ready was called inside %s; it is for the step of "
                     "a transport",
                     w->inside->function);
    }
}

/* ---- settings ---- */

void witness_init(struct witness *w, struct trial *t)
{
    struct aq_client_setting given[TRIAL_SETTINGS_MAX];
    char keys[TRIAL_SETTINGS_MAX][160];
    uint32_t count = 0;
    struct aq_error err;

    *w = (struct witness){ .trial = t };
    for (uint32_t i = 0; i < t->plugin->info.setting_count && count < TRIAL_SETTINGS_MAX; i++) {
        const char *key = plugin_setting(t->plugin, i).key;
        const char *value = trial_setting(t, key);
        if (value) {
            snprintf(keys[count], sizeof(keys[count]), "%s.%s.%s",
                     loader_kind_name(t->plugin->info.kind), t->plugin->info.name, key);
            given[count].key = (struct aq_str){ keys[count], strlen(keys[count]) };
            given[count].value = (struct aq_str){ value, strlen(value) };
            count++;
        }
    }
    const struct aq_client_options options = {
        .struct_size = sizeof(options),
        .flags = AQ_CLIENT_NO_ENV | AQ_CLIENT_NO_SETTINGS,
        .settings = given,
        .setting_count = count,
    };
    aq_status st = settings_init(&w->settings, &options, &err);
    if (st == AQ_OK) {
        st = host_table_init(&w->values, t->plugin, &w->settings, NULL, 0, NULL, &err);
    }
    if (st != AQ_OK) {
        trial_skip(t, "%s; give it with --setting KEY=VALUE", err.text);
    }
    w->table = &tables[table_count++ % TABLES_MAX];
    *w->table = (struct witness_table){
        .host = { .struct_size = sizeof(w->table->host),
                  .abi_minor = AQ_PLUGIN_ABI_MINOR,
                  .ctx = w->table,
                  .log = witness_log,
                  .now_us = witness_now_us,
                  .put = witness_put,
                  .ready = witness_ready },
        .w = w,
        .results = t->results,
    };
    w->args = w->values.args;
    w->args.host = &w->table->host;
}

void witness_done(struct witness *w)
{
    w->table->w = NULL;
    host_table_done(&w->values);
    settings_done(&w->settings);
}

/* ---- around a call ---- */

void witness_enter(struct witness *w, const struct call *call)
{
    error_clear(&w->err);
    w->inside = call;
    w->thread = pthread_self();
    trial_enter(w->trial, call->function, call->limit_ms, call->limit_clause);
}

void witness_leave_void(struct witness *w, const struct call *call)
{
    trial_leave(w->trial, call->function);
    w->inside = NULL;
}

/* "object: what is wrong, what to do", in one line, and the same status as was returned. */
static void witness_judge_error(struct witness *w, const struct call *call, aq_status st)
{
    const char *name = aq_status_name(st);
    const size_t len = strnlen(w->err.text, sizeof(w->err.text));
    if (len == sizeof(w->err.text)) {
        trial_breach(w->trial, "plugin.error-text", "%s returned %s with a text without an end",
                     call->function, name);
        return;
    }
    trial_look_for_secrets(w->trial, "the text of an error", (struct aq_str){ w->err.text, len });
    if (w->err.status != st && (st != call->silent || w->err.status != 0)) {
        trial_breach(w->trial, "plugin.error-status",
                     "%s returned %s and left %s in the error; the two are the same",
                     call->function, name, aq_status_name(w->err.status));
    }
    if (len == 0 && st != call->silent) {
        trial_breach(
            w->trial, "plugin.error-text",
            "%s returned %s without a text; an error says \"object: what is wrong, what to "
            "do\"",
            call->function, name);
    } else if (len && !strstr(w->err.text, ": ")) {
        trial_breach(w->trial, "plugin.error-text",
                     "%s said \"%s\"; a text begins with the object and a colon", call->function,
                     w->err.text);
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)w->err.text[i] < ' ' || w->err.text[i] == 0x7f) {
            trial_breach(w->trial, "plugin.error-text",
                         "%s said \"%s\", which is not one line of printable text", call->function,
                         w->err.text);
            break;
        }
    }
}

aq_status witness_leave(struct witness *w, const struct call *call, aq_status st)
{
    witness_leave_void(w, call);
    if (st > call->most || st < call->least || strcmp(aq_status_name(st), "AQ_E_UNKNOWN") == 0) {
        trial_break_off(w->trial, "plugin.status",
                        "%s returned %ld (%s), which is not for it to say", call->function,
                        (long)st, aq_status_name(st));
    }
    if (st < 0) {
        witness_judge_error(w, call, st);
    }
    return st;
}
