/* SPDX-License-Identifier: Apache-2.0 */
/* What every plugin has to hold, a store or a transport. */
#include "witness.h"

#include <string.h>

/* That it could be loaded was seen on the way here. */
static void plugin_loads(struct trial *t)
{
    (void)t;
}

static void plugin_descriptor(struct trial *t)
{
    const struct aq_plugin *p = &t->plugin->info;
    if (!p->version || !*p->version || !p->summary || !*p->summary) {
        trial_fail(t, "its descriptor has no %s; a user sees both in `q plugin list`",
                   p->version && *p->version ? "summary" : "version");
    }
    if (strchr(p->summary, '\n') || strchr(p->version, '\n')) {
        trial_fail(t, "its version or summary has more than one line");
    }
    if (p->flags) {
        trial_fail(t, "its descriptor has flags %#x, there are none", p->flags);
    }
}

static void plugin_settings(struct trial *t)
{
    for (uint32_t i = 0; i < t->plugin->info.setting_count; i++) {
        const struct aq_setting s = plugin_setting(t->plugin, i);
        if (!s.help || !*s.help || strchr(s.help, '\n')) {
            trial_fail(t, "setting '%s' has no help of one line", s.key);
        }
        if (s.flags & ~(AQ_SETTING_REQUIRED | AQ_SETTING_SECRET)) {
            trial_fail(t, "setting '%s' has flags %#x, some of which do not exist", s.key, s.flags);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(plugin_setting(t->plugin, k).key, s.key) == 0) {
                trial_fail(t, "setting '%s' is declared twice", s.key);
            }
        }
    }
}

const struct clause plugin_clauses[] = {
    { "plugin.loads", "It can be loaded, and its constructors come to an end.", plugin_loads,
      CLAUSE_GATE, 0 },
    { "plugin.descriptor", "The descriptor has a version and a summary of one line.",
      plugin_descriptor, 0, 0 },
    { "plugin.settings", "Every setting has a key of its own and a help of one line.",
      plugin_settings, 0, 0 },
    /* all trials watch over these */
    { "plugin.returns", "Every function returns: no crash, no exit, no longjmp, no exception.",
      NULL, 0, 0 },
    { "plugin.status", "A function returns only the statuses that are for it to say.", NULL, 0, 0 },
    { "plugin.error-status", "The status of an error is the one that was returned.", NULL, 0, 0 },
    { "plugin.error-text", "The text of an error is one line, \"object: what is wrong\".", NULL, 0,
      0 },
    { "plugin.secrets", "No error and no line of the log shows a value or a token.", NULL, 0, 0 },
    { "plugin.log", "A line of the log is one line, with a level that exists.", NULL, 0, 0 },
    { "plugin.put", "put is called by those who hand something over, and by no others.", NULL, 0,
      0 },
    { "plugin.ready", "ready is called by the step of a transport, and by nobody else.", NULL, 0,
      0 },
    { "plugin.threads", "The host is called inside a call, on the thread that made it.", NULL, 0,
      0 },
    { "plugin.after-close", "The host is not called for an instance that was closed.", NULL, 0, 0 },
    { "plugin.processes", "No process that it has started is left behind.", NULL, 0, 0 },
    { "plugin.streams", "Nothing is written to standard output or standard error.", NULL, 0, 0 },
    { "plugin.sanitizers", "Sanitizers that it was built with have nothing to report.", NULL, 0,
      0 },
    CLAUSES_END,
};
