/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor, and instances. */
#include "wrong.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SETTING_PATH, SETTING_DEED, SETTING_BACKEND };

const char *wrong_deed = "none";
const struct aq_host *wrong_closed_host;
jmp_buf wrong_way_out;

int does(const struct store *s, const char *deed)
{
    return strcmp(s->deed, deed) == 0;
}

aq_status fail(struct aq_error *err, aq_status status, const char *what)
{
    err->status = status;
    err->sys = errno;
    snprintf(err->text, sizeof(err->text), "store wrong: %s", what);
    return status;
}

aq_status nomem(struct aq_error *err)
{
    return fail(err, AQ_E_NOMEM, "out of memory");
}

void wait_ms(long ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

/* ---- instances ---- */

static aq_status wrong_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    static pid_t first;
    struct store *s = calloc(1, sizeof(*s));
    if (!s) {
        return nomem(err);
    }
    s->host = args->host;
    s->path = args->values[SETTING_PATH].text;
    s->deed = args->values[SETTING_DEED].text.ptr;
    s->backend = args->values[SETTING_BACKEND].number;
    s->lock_fd = -1;
    wrong_deed = s->deed;
    first = first ? first : getpid();
    if (does(s, "child-cannot-open") && first != getpid()) {
        free(s);
        return fail(err, AQ_E_IO, "belongs to another process");
    }
    *ret_self = s;
    if (does(s, "longjmp")) {
        setjmp(wrong_way_out); /* an instance's functions come back here */
    } else if (does(s, "open-creates")) {
        close(open(s->path.ptr, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    } else if (does(s, "leaks-descriptor")) {
        s->lock_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        s->lock_fd = -1;
    } else if (does(s, "calls-after-close") && wrong_closed_host) {
        wrong_closed_host->log(wrong_closed_host->ctx, AQ_LOG_INFO,
                               AQ_STR("from the instance before"));
    } else if (does(s, "open-nothing")) {
        *ret_self = NULL;
        free(s);
    }
    return AQ_OK;
}

static void wrong_close(void *self)
{
    struct store *s = self;
    if (!s) {
        if (strcmp(wrong_deed, "close-null-crashes") == 0) {
            raise(SIGSEGV);
        }
        return;
    }
    if (does(s, "close-keeps-lock")) {
        s->lock_fd = -1;
    }
    wrong_unlock(s);
    wrong_closed_host = s->host;
    if (!does(s, "leaks-memory")) {
        free(s);
    }
}

/* ---- the descriptor ---- */

static const struct aq_setting settings[] = {
    [SETTING_PATH] = { .key = "path",
                       .type = AQ_SETTING_PATH,
                       .help = "file of the values",
                       .flags = AQ_SETTING_REQUIRED },
    [SETTING_DEED] = { .key = "deed",
                       .type = AQ_SETTING_STRING,
                       .env = "AQ_TEST_DEED",
                       .help = "what it does wrong",
                       .default_value = "none" },
    [SETTING_BACKEND] = { .key = "backend",
                          .type = AQ_SETTING_INTEGER,
                          .help = "process that serves it",
                          .default_value = "0" },
};

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,           .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = wrong_open,     .close = wrong_close,
    .get = wrong_get,       .list = wrong_list,
    .commit = wrong_commit, .lock = wrong_lock,
    .unlock = wrong_unlock, .can_save = wrong_can_save,
#ifdef WRONG_GRANTS
    .grant = wrong_grant,
#endif
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,          AQ_PLUGIN_SETTINGS(settings),
    .kind = AQ_PLUGIN_STORE, .name = WRONG_NAME,
    .version = "1.0",        .summary = "does what its setting says",
    .store = &ops,
};
AQ_PLUGIN(plugin)
