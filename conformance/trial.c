/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

#include "base/utf8.h"
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HELPER_JUDGED = 71 }; /* exit code of a helper that has reported why it ended */

uint64_t trial_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void trial_clean(char *text)
{
    uint8_t *p = (uint8_t *)text;
    for (size_t left = strlen(text), len; left; p += len, left -= len) {
        len = utf8_sequence(p, left);
        const bool is_c1 = len == 2 && p[0] == 0xc2 && p[1] < 0xa0;
        if (len == 0 || is_c1 || *p < ' ' || *p == 0x7f) {
            len = len ? len : 1;
            memset(p, '?', len);
        }
    }
}

/* How long a thread has waited for a processor, ever; 0 where the kernel does not count. */
static uint64_t trial_held_up_us(pid_t thread)
{
    char path[48], counts[96] = "";
    snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t len = read(fd, counts, sizeof(counts) - 1);
        counts[len > 0 ? len : 0] = '\0';
        close(fd);
    }
    const char *second = strchr(counts, ' '); /* time on a processor, time waiting for one, ... */
    return second ? strtoull(second, NULL, 10) / 1000u : 0;
}

uint64_t trial_took_us(const struct trial_call *call)
{
    const uint64_t now_us = trial_now_us();
    const uint64_t held_up_us = trial_held_up_us(call->thread);
    const uint64_t took_us = now_us > call->since_us ? now_us - call->since_us : 0;
    if (held_up_us < call->held_up_us) {
        return took_us; /* it is no more */
    }
    return held_up_us - call->held_up_us < took_us ? took_us - (held_up_us - call->held_up_us) : 0;
}

/* One message, in one write: other processes of the trial have the same pipe. */
__attribute__((format(printf, 4, 0))) static void
trial_tell(struct trial *t, char what, const char *id, const char *format, va_list args)
{
    char message[VERDICT_MAX];
    int head = snprintf(message, sizeof(message), "%c%s ", what, id);
    vsnprintf(message + head, sizeof(message) - (size_t)head - 1, format, args);
    trial_clean(message);
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

static noreturn void trial_end(const struct trial *t)
{
    _exit(t->is_helper ? HELPER_JUDGED : 0);
}

void trial_say(struct trial *t, char what, const char *format, ...)
{
    TELL(what, "");
}

void trial_fail(struct trial *t, const char *format, ...)
{
    TELL(VERDICT_FAILED, "");
    trial_end(t);
}

void trial_skip(struct trial *t, const char *format, ...)
{
    TELL(VERDICT_SKIPPED, "");
    trial_end(t);
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

static void trial_watch_write(struct trial_watch *w, const struct trial_call *call)
{
    const unsigned turn = atomic_load_explicit(&w->turn, memory_order_relaxed) | 1u;
    atomic_store_explicit(&w->turn, turn, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    w->call = *call;
    atomic_store_explicit(&w->turn, turn + 1, memory_order_release);
}

bool trial_watch_read(const struct trial_watch *w, struct trial_call *ret)
{
    const unsigned turn = atomic_load_explicit(&w->turn, memory_order_acquire);
    *ret = w->call;
    atomic_thread_fence(memory_order_acquire);
    return turn % 2 == 0 && turn == atomic_load_explicit(&w->turn, memory_order_relaxed);
}

/* Of this thread, not looked up for each of many calls: what it is out by is less than OLD_US. */
static void trial_note_hold_ups(struct trial_call *call)
{
    enum { OLD_US = 10000 };
    static _Thread_local struct trial_call last;
    const pid_t thread = gettid();
    if (thread != last.thread || call->since_us > last.since_us + OLD_US) {
        last.thread = thread;
        last.since_us = call->since_us;
        last.held_up_us = trial_held_up_us(thread);
    }
    call->thread = thread;
    call->held_up_us = last.held_up_us;
}

void trial_enter(struct trial *t, const char *function, uint32_t limit_ms, const char *limit_clause)
{
    struct trial_call call = { .since_us = trial_now_us(), .limit_us = (uint64_t)limit_ms * 1000u };
    trial_note_hold_ups(&call);
    snprintf(call.limit_clause, sizeof(call.limit_clause), "%s", limit_clause ? limit_clause : "");
    snprintf(call.function, sizeof(call.function), "%s", function);
    trial_watch_write(t->watch, &call);
}

void trial_leave(struct trial *t, const char *function)
{
    static const struct trial_call none;
    const struct trial_call call = t->watch->call;
    if (strcmp(call.function, function) != 0) { /* its stack is gone: not one step further */
        trial_break_off(t, "plugin.returns",
                        "%s did not return, it jumped back into %s; a function returns to its "
                        "caller, and leaves neither by longjmp nor by an exception",
                        call.function, function);
    }
    trial_watch_write(t->watch, &none);
    if (!call.limit_us || trial_now_us() < call.since_us + call.limit_us) {
        return;
    }
    const uint64_t took_us = trial_took_us(&call);
    if (took_us > call.limit_us + TRIAL_SLACK_MS * UINT64_C(1000)) {
        trial_breach(t, call.limit_clause, "%s took %llu ms, it has at most %llu", function,
                     (unsigned long long)took_us / 1000u,
                     (unsigned long long)call.limit_us / 1000u);
    }
}

/* ---- helpers ---- */

void trial_fork(struct trial *t, struct trial_helper *h, void (*run)(struct trial *t, void *arg),
                void *arg)
{
    *h = (struct trial_helper){
        .watch = mmap(NULL, sizeof(*h->watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0),
    };
    if (h->watch == MAP_FAILED) {
        trial_skip(t, "no memory for another process");
    }
    h->pid = fork();
    if (h->pid < 0) {
        trial_skip(t, "no other process could be started: %s", strerror(errno));
    }
    if (h->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        t->watch = h->watch;
        t->is_helper = true;
        run(t, arg);
        exit(0); /* with everything that looks at the end: leaks, coverage */
    }
}

bool trial_is_running(const struct trial_helper *h)
{
    siginfo_t ended = { 0 };
    return waitid(P_PID, (id_t)h->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == 0;
}

void trial_kill(struct trial_helper *h)
{
    h->is_killed = trial_is_running(h); /* if not, it ended by itself */
    kill(h->pid, SIGKILL);
}

void trial_describe_end(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status)) {
        snprintf(text, size, "was ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else {
        snprintf(text, size, "called exit(%d)", WEXITSTATUS(status));
    }
}

void trial_join(struct trial *t, struct trial_helper *h)
{
    static const struct timespec look = { .tv_nsec = 2000000 };
    static const struct trial_call none;
    struct trial_call call;
    char how[128];
    int status = 0;
    while (waitpid(h->pid, &status, WNOHANG) == 0) {
        if (trial_watch_read(h->watch, &call)) { /* so that the runner sees what takes long */
            trial_watch_write(t->watch, &call);
        }
        nanosleep(&look, NULL);
    }
    call = h->watch->call;
    trial_watch_write(t->watch, &none);
    const bool has_ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !call.function[0];
    if (!has_ended_well && !h->is_killed) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == HELPER_JUDGED) {
            trial_end(t);
        }
        trial_describe_end(status, how, sizeof(how));
        trial_break_off(t, "plugin.returns",
                        "%s %s in a second process; a function returns, whatever happens",
                        call.function[0] ? call.function : "between two calls it", how);
    }
    munmap(h->watch, sizeof(*h->watch));
}

/* ---- settings ---- */

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
            trial_breach(t, "plugin.secrets", "%s shows a secret that the plugin was given", where);
            t->has_told = true;
            return;
        }
    }
}
