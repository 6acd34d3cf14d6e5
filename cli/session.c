/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"
#include "exitcode.h"
#include "interrupt.h"
#include "report.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    enum option option;
    struct aq_str key;
} table[] = {
    { OPTION_STORE, AQ_STR_INIT("store") },         { OPTION_SOURCE, AQ_STR_INIT("source") },
    { OPTION_LOGIN, AQ_STR_INIT("login") },         { OPTION_DB, AQ_STR_INIT("db") },
    { OPTION_TRANSPORT, AQ_STR_INIT("transport") }, { OPTION_PLUGIN, AQ_STR_INIT("plugin.path") },
    { OPTION_ENDPOINT, AQ_STR_INIT("endpoint") },   { OPTION_CA_BUNDLE, AQ_STR_INIT("ca_bundle") },
};

enum { BUSY_MS = 120 }; /* between two pictures of what shows that we wait */

enum { TABLE_LEN = sizeof(table) / sizeof(table[0]), FILE_COUNT = 2 };

static int32_t log_level(unsigned verbose)
{
    switch (verbose) {
    case 0:
        return AQ_CLIENT_LOG_WARN;
    case 1:
        return AQ_CLIENT_LOG_INFO;
    default:
        return AQ_CLIENT_LOG_DEBUG;
    }
}

/* The library takes "/..." and "~/..."; other names of files are seen from where we were started.
 */
static bool is_relative_file(enum option option, const char *value)
{
    return (option == OPTION_DB || option == OPTION_CA_BUNDLE) && value[0] != '/' &&
           strncmp(value, "~/", 2) != 0;
}

static aq_status make_absolute(struct session *s, const char *path, char ret[PATH_MAX])
{
    if (getcwd(ret, PATH_MAX)) {
        size_t len = strlen(ret);
        size_t room = PATH_MAX - len;
        const char *slash = len > 1 ? "/" : ""; /* the root directory has one already */
        if ((size_t)snprintf(ret + len, room, "%s%s", slash, path) < room) {
            return AQ_OK;
        }
        errno = ENAMETOOLONG;
    }
    s->error = (struct aq_error){ .status = AQ_E_INVALID, .sys = errno };
    (void)snprintf(s->error.text, sizeof(s->error.text),
                   "file '%.200s': seen from the working directory: %s, give an absolute path",
                   path, strerror(errno));
    return AQ_E_INVALID;
}

aq_status session_init(struct session *s, const struct options *o)
{
    struct aq_client_setting settings[TABLE_LEN + 1];
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    char files[FILE_COUNT][PATH_MAX];
    size_t file_count = 0;
    uint32_t count = 0;

    for (size_t i = 0; i < TABLE_LEN; i++) {
        const char *value = o->value[table[i].option];
        if (value && is_relative_file(table[i].option, value)) {
            aq_status st = make_absolute(s, value, files[file_count]);
            if (st != AQ_OK) {
                return st;
            }
            value = files[file_count++];
        }
        if (value) {
            settings[count].key = table[i].key;
            settings[count].value = text_of(value);
            count++;
        }
    }
    if (options_has(o, OPTION_INTERACTIVE)) {
        settings[count].key = AQ_STR("store.keyring.interactive");
        settings[count].value = AQ_STR("true");
        count++;
    }
    options.flags = s->check_only ? AQ_CLIENT_CHECK_ONLY : 0;
    options.settings = settings;
    options.setting_count = count;
    options.user_agent = AQ_STR("q/" AQ_VERSION);
    options.log_level = log_level(o->count[OPTION_VERBOSE]);

    s->quiet = options_has(o, OPTION_QUIET);
    s->verbose = options_has(o, OPTION_VERBOSE);
    return aq_client_new(&options, &s->client, &s->error);
}

static const char *level_name(int32_t level)
{
    switch (level) {
    case AQ_CLIENT_LOG_ERROR:
        return "error";
    case AQ_CLIENT_LOG_WARN:
        return "warning";
    case AQ_CLIENT_LOG_INFO:
        return "info";
    default:
        return "debug";
    }
}

static void print_log(const struct session *s)
{
    int32_t level;
    struct aq_str line;
    while (aq_client_next_log(s->client, &level, &line) == AQ_OK) {
        if (s->verbose || !s->quiet) {
            report_note(level_name(level), "%.*s", AQ_STR_ARG(line));
        }
    }
}

void session_done(struct session *s)
{
    if (s->client) {
        print_log(s);
        aq_client_free(s->client);
        s->client = NULL;
    }
}

/* True if the event was for the user's eyes only and has been shown. */
static bool show(const struct session *s, const struct aq_event *event)
{
    if (event->type == AQ_EVENT_WARNING && !s->quiet) {
        report_note("warning", "%.*s", AQ_STR_ARG(event->text));
    }
    if (event->type == AQ_EVENT_RETRY && event->name.len) {
        if (s->verbose) {
            report_note("info", "service: the login was not accepted (HTTP %d), asking %.*s",
                        (int)event->http, AQ_STR_ARG(event->name));
        }
    } else if (event->type == AQ_EVENT_RETRY && !s->quiet) {
        report_note("warning", "service: attempt %u was not answered, trying again in %u.%u s",
                    event->attempt, event->delay_ms / 1000, event->delay_ms % 1000 / 100);
    }
    return event->type == AQ_EVENT_WARNING || event->type == AQ_EVENT_RETRY;
}

/* False when poll itself failed. */
static bool wait_busily(const struct session *s)
{
    bool ready = false;
    if (!s->busy) {
        return interrupt_wait(aq_client_fd(s->client), POLLIN);
    }
    do {
        s->busy(s->busy_ctx, true);
        ready = interrupt_wait_ms(aq_client_fd(s->client), POLLIN, BUSY_MS);
    } while (!ready && errno == ETIMEDOUT);
    s->busy(s->busy_ctx, false);
    return ready;
}

static aq_status wait_and_step(struct session *s)
{
    if (!wait_busily(s)) {
        s->error = (struct aq_error){ .status = AQ_E_IO, .sys = errno };
        (void)snprintf(s->error.text, sizeof(s->error.text), "poll: %s, try again",
                       strerror(errno));
        return AQ_E_IO;
    }
    if (!interrupt_signal()) {
        /* An error here has ended the operation: its next call says so. */
        (void)aq_client_step(s->client, NULL);
    }
    return AQ_OK;
}

aq_status session_next(struct session *s, struct aq_op *op, const struct aq_event **ret)
{
    for (;;) {
        if (interrupt_signal()) {
            return AQ_E_CANCELLED;
        }
        const struct aq_event *event;
        aq_status st = aq_op_next(op, &event, &s->error);
        print_log(s);
        if (st == AQ_AGAIN) {
            st = wait_and_step(s);
            if (st != AQ_OK) {
                return st;
            }
        } else if (st != AQ_OK) {
            return st;
        } else if (!show(s, event)) {
            *ret = event;
            return AQ_OK;
        }
    }
}

int session_fail(const struct session *s, aq_status status)
{
    if (interrupt_signal()) {
        return EXITCODE_SIGNAL + interrupt_signal();
    }
    report_error("%s", s->error.text);
    return exitcode_of(status);
}
