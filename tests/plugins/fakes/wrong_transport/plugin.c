/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor, transport-curl's with one more setting, and instances. */
#include "wrong.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_MS = 2300, LEFT_MAX = 64, UNSTEPPED_MAX = 3 };

/* Among transport-curl's settings. */
enum { HTTPS_PROXY = 2, NO_PROXY = 4, KEEPALIVE_S = 6 };

const struct aq_plugin *wrong_right;
const char *wrong_deed = "none";
unsigned wrong_closed;

static void *left[LEFT_MAX]; /* instances that were not closed */
static size_t left_count;

int does(const struct instance *self, const char *deed)
{
    return strcmp(self->deed, deed) == 0;
}

void block(void)
{
    static int done;
    const struct timespec pause = { BLOCK_MS / 1000, BLOCK_MS % 1000 * 1000000 };
    if (!done++) {
        nanosleep(&pause, NULL);
    }
}

aq_status fail_with(struct aq_error *err, aq_status st, const char *what)
{
    strcpy(err->text, "transport wrong: ");
    strcat(err->text, what);
    return err->status = st;
}

/* ---- instances ---- */

static void change_settings(struct instance *self)
{
    const char *proxy = getenv("HTTPS_PROXY");
    if (does(self, "no-proxy-at-all")) {
        self->values[HTTPS_PROXY].text.len = 0;
    } else if (does(self, "proxy-of-the-environment") && proxy) {
        self->values[HTTPS_PROXY].text = (struct aq_str){ proxy, strlen(proxy) };
    } else if (does(self, "no-exceptions")) {
        self->values[NO_PROXY].text.len = 0;
    } else if (does(self, "one-call-a-connection")) {
        self->values[KEEPALIVE_S].number = 0;
    }
}

static void harm_process(const struct instance *self)
{
    if (does(self, "calls-after-close") && wrong_closed_host) {
        wrong_closed_host->log(wrong_closed_host->ctx, AQ_LOG_INFO,
                               AQ_STR("from the instance before"));
    } else if (does(self, "changes-signals")) {
        signal(SIGPIPE, SIG_IGN);
    } else if (does(self, "leaks-descriptor")) {
        open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

static aq_status wrong_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    const uint32_t count = wrong_right->setting_count;
    const struct aq_setting_value *deed =
        (const void *)((const char *)args->values + (size_t)count * args->value_stride);
    struct instance *self = calloc(1, sizeof(*self));
    if (!self) {
        return fail_with(err, AQ_E_NOMEM, "out of memory");
    }
    self->outer = args->host;
    self->deed = wrong_deed = deed->text.ptr;
    self->pid = getpid();
    self->other_fd = -1;
    host_init(self);
    self->args = *args;
    self->args.value_count = count;
    self->args.values = memcpy(self->values, args->values, count * args->value_stride);
    self->args.host = &self->host;
    change_settings(self);
    harm_process(self);
    aq_status st = wrong_right->transport->open(&self->args, &self->right, err);
    if (st != AQ_OK) {
        free(self);
        return st;
    }
    if (does(self, "open-nothing")) {
        wrong_right->transport->close(self->right);
        free(self);
        return AQ_OK;
    }
    *ret_self = self;
    return AQ_OK;
}

static void wrong_close(void *ptr)
{
    struct instance *self = ptr;
    if (!self) {
        if (strcmp(wrong_deed, "null-crashes") == 0) {
            raise(SIGSEGV);
        }
        return;
    }
    if (does(self, "close-blocks")) {
        block();
    }
    wrong_closed++;
    wrong_closed_host = self->outer;
    if (does(self, "close-needs-a-step") && self->finished_unstepped >= UNSTEPPED_MAX &&
        left_count < LEFT_MAX) {
        left[left_count++] = self;
        return;
    }
    wrong_right->transport->close(self->right);
    if (self->other_fd >= 0) {
        close(self->other_fd);
    }
    if (!does(self, "leaks-memory")) {
        free(self);
    }
}

/* ---- the descriptor ---- */

const struct aq_transport_ops wrong_ops = {
    AQ_TRANSPORT_OPS,           .open = wrong_open, .close = wrong_close,
    .interest = wrong_interest, .step = wrong_step, .start = wrong_start,
    .response = wrong_response, .read = wrong_read, .finish = wrong_finish,
    .facts = wrong_facts,
};

AQ_PLUGIN_EXPORT const struct aq_plugin *aq_plugin_v1(void)
{
    static struct aq_setting settings[SETTINGS_MAX];
    static struct aq_plugin plugin;
    void *so = dlopen(AQ_TEST_TRANSPORT_CURL, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *entry = so ? dlsym(so, "aq_plugin_v1") : NULL;
    aq_plugin_v1_fn describe;
    if (!entry) {
        return NULL;
    }
    memcpy(&describe, &entry, sizeof(describe));
    wrong_right = describe();
    memcpy(settings, wrong_right->settings, wrong_right->setting_count * sizeof(settings[0]));
    settings[wrong_right->setting_count] = (struct aq_setting){
        .key = "deed",
        .type = AQ_SETTING_STRING,
        .default_value = "none",
        .env = "AQ_TEST_DEED",
        .help = "what to do wrong",
    };
    plugin = *wrong_right;
    plugin.name = "wrong";
    plugin.summary = "a transport with one fault";
    plugin.settings = settings;
    plugin.setting_count++;
    plugin.transport = &wrong_ops;
    return &plugin;
}
