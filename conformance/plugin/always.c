/* SPDX-License-Identifier: Apache-2.0 */
/* What every plugin has to hold, a store or a transport. */
#include "base/utf8.h"
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* load-plugin, beside this program. */
static bool find_load_plugin(char *path, size_t size)
{
    static const char name[] = "load-plugin";
    ssize_t len = readlink("/proc/self/exe", path, size - sizeof(name));
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    if (len <= 0) {
        return false;
    }
    memcpy(path + len, name, sizeof(name));
    return access(path, X_OK) == 0;
}

/* That it could be loaded here was seen on the way. Here are libraries that a host need not have:
 * once more without them. */
static void plugin_loads(struct trial *t)
{
    char program[PATH_MAX], how[128], said[512];
    int ends[2], status = 0;
    if (!find_load_plugin(program, sizeof(program)) || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        trial_skip(t, "load-plugin, which belongs beside check-plugin, cannot be run: %s",
                   strerror(errno));
    }
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(program, program, t->path, (char *)NULL);
        _exit(127);
    }
    if (pid < 0) {
        trial_skip(t, "no other process could be started: %s", strerror(errno));
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    const ssize_t len = read(ends[0], said, sizeof(said) - 1);
    said[len > 0 ? len : 0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    close(ends[0]);
    close(ends[1]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && *said) {
        trial_fail(t, "without the libraries of check-plugin: %s; link it with what it uses", said);
    }
    if (status != 0) {
        trial_describe_end(status, how, sizeof(how));
        trial_fail(t, "loaded without the libraries of check-plugin, the process %s", how);
    }
}

static bool is_line(const char *text)
{
    const size_t len = strlen(text);
    bool is_clean = utf8_valid((const uint8_t *)text, len);
    for (size_t i = 0; i < len; i++) {
        is_clean = is_clean && (unsigned char)text[i] >= ' ' && text[i] != 0x7f;
    }
    return is_clean;
}

static void plugin_descriptor(struct trial *t)
{
    const struct aq_plugin *p = &t->plugin->info;
    if (!p->version || !*p->version || !p->summary || !*p->summary) {
        trial_fail(t, "its descriptor has no %s; a user sees both in `q plugin list`",
                   p->version && *p->version ? "summary" : "version");
    }
    if (!is_line(p->summary) || !is_line(p->version)) {
        trial_fail(t, "its version or summary is more than one line of text in UTF-8");
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
    { "plugin.loads",
      "It can be loaded with the libraries that it names alone, and its constructors come to an "
      "end.",
      plugin_loads, CLAUSE_GATE | CLAUSE_RETURNS, 0 },
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
