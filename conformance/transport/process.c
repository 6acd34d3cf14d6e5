/* SPDX-License-Identifier: Apache-2.0 */
/* The process that a transport lives in belongs to somebody else. */
#include "allocator.h"
#include "exchange.h"
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    UPLOAD = 1024 * 1024,
    SIGNALS = 65,
    WARM_UP = 4,
    LIVES = 8,
};

static const struct lab_answer answers[] = {
    { .path = "/closes", .body_len = 1000, .fate = LAB_CLOSES, .fate_at = 10 },
    { .path = "/silent", .fate = LAB_HANGS, .fate_at = LAB_BEFORE_HEAD },
    { .path = "/pieces", .body_len = 10, .piece_len = 5 },
    { .path = NULL },
};

/* An instance from open to close: answers, errors, and a call that is cancelled. */
static void live(struct scene *s)
{
    struct client c;
    struct exchange e;
    client_open(&c, s);
    exchange_expect_well(&c);
    for (const struct way *w = scene_next(s, NULL); w; w = scene_next(s, w)) {
        exchange_run(&e, &c, w, "/closes", NULL);
        exchange_finish(&e);
        exchange_start(&e, &c, w, "/silent", NULL);
        exchange_until_seen(&e, "/silent");
        exchange_finish(&e);
    }
    client_close(&c);
}

/* ---- signals ---- */

static volatile sig_atomic_t pipe_signals;

static void count_signal(int number)
{
    (void)number;
    pipe_signals++;
}

static void raises_no_sigpipe(struct trial *t)
{
    static uint8_t body[UPLOAD];
    const struct ask ask = { .method = "POST", .body = body, .body_len = sizeof(body) };
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, NULL);
    signal(SIGPIPE, count_signal);
    client_open(&c, &s);
    for (int i = 0; i < 8; i++) {
        exchange_start_url(&e, &c, lab_url(&s.lab, i % 2 ? LAB_RUDE_TLS : LAB_RUDE, "/"), &ask);
        exchange_until_over(&e);
        exchange_finish(&e);
    }
    client_close(&c);
    if (pipe_signals) {
        trial_fail(t, "a peer that reset its connection raised SIGPIPE, which ends most programs; "
                      "send with MSG_NOSIGNAL");
    }
    scene_close(&s);
}

static void changes_no_signals(struct trial *t)
{
    struct sigaction before[SIGNALS];
    struct sigaction after;
    sigset_t mask_before;
    sigset_t mask_after;
    struct scene s;
    scene_open_unknown(&s, t, answers);
    signal(SIGPIPE, SIG_DFL);
    for (int i = 1; i < SIGNALS; i++) {
        sigaction(i, NULL, &before[i]);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    if (!scene_find_ways(&s)) {
        trial_skip(t, "it speaks no protocol of the lab, see transport.protocols");
    }
    live(&s);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    for (int i = 1; i < SIGNALS; i++) {
        if (sigaction(i, NULL, &after) == 0 && after.sa_handler != before[i].sa_handler) {
            trial_fail(t, "what happens at signal %d (%s) was changed; that is the program's own",
                       i, strsignal(i));
        }
        if (sigismember(&mask_after, i) != sigismember(&mask_before, i)) {
            trial_fail(t, "signal %d (%s) was %s; the mask is the program's own", i, strsignal(i),
                       sigismember(&mask_after, i) ? "blocked" : "unblocked");
        }
    }
    scene_close(&s);
}

/* ---- descriptors and memory ---- */

enum { FD_MAX = 1024 };

struct descriptors {
    bool open[FD_MAX];
};

static void list_descriptors(struct descriptors *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (int fd = 0; fd < FD_MAX; fd++) {
        ret->open[fd] = fcntl(fd, F_GETFD) >= 0;
    }
}

static void describe(int fd, char *buf, size_t cap)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, buf, cap - 1);
    buf[len > 0 ? len : 0] = '\0';
}

static void gives_descriptors_back(struct trial *t)
{
    struct descriptors before;
    struct descriptors during;
    struct descriptors after;
    char what[256];
    struct scene s;
    struct client c;
    struct exchange e;
    scene_open(&s, t, answers); /* the first instance may open what all share */
    list_descriptors(&before);
    client_open(&c, &s);
    exchange_expect_well(&c);
    exchange_start(&e, &c, scene_next(&s, NULL), "/silent", NULL);
    exchange_until_seen(&e, "/silent");
    list_descriptors(&during);
    for (int fd = 0; fd < FD_MAX; fd++) {
        if (during.open[fd] && !before.open[fd] && !(fcntl(fd, F_GETFD) & FD_CLOEXEC)) {
            describe(fd, what, sizeof(what));
            trial_note(t,
                       "descriptor %d (%s) is handed on to every program that the host starts; "
                       "O_CLOEXEC would keep it",
                       fd, what);
        }
    }
    exchange_finish(&e);
    client_close(&c);
    live(&s);
    list_descriptors(&after);
    for (int fd = 0; fd < FD_MAX; fd++) {
        if (after.open[fd] && !before.open[fd]) {
            describe(fd, what, sizeof(what));
            trial_fail(t, "descriptor %d (%s) is still open after close", fd, what);
        }
    }
    if (!scene_is_quiet(&s)) {
        trial_fail(t, "connections to the lab are still open after close");
    }
    scene_close(&s);
}

static void gives_memory_back(struct trial *t)
{
    struct scene s;
    if (!allocator_is_ours()) {
        trial_skip(t, "malloc cannot be replaced in this build");
    }
    scene_open(&s, t, answers);
    for (int i = 0; i < WARM_UP; i++) {
        live(&s);
    }
    const long before = allocator_live();
    for (int i = 0; i < LIVES; i++) {
        live(&s);
    }
    const long left = allocator_live() - before;
    if (left >= LIVES) {
        trial_fail(t,
                   "after %d instances, from open to close, there are %ld blocks of memory more "
                   "than before; build it with -fsanitize=address to see whose they are",
                   LIVES, left);
    }
    scene_close(&s);
}

/* ---- fork ---- */

/* What a child says of the instance that it inherited; NULL if all is as promised. */
static const char *use_in_child(struct client *c, struct exchange *running)
{
    struct aq_error err = { 0 };
    struct exchange e;
    uint8_t byte;
    size_t len = 0;
    if (c->ops->step(c->self, &err) != AQ_E_FORKED) {
        return "step";
    }
    if (exchange_try_start(&e, c, "https://localhost/", NULL) != AQ_E_FORKED) {
        return "start";
    }
    memset(&err, 0, sizeof(err));
    if (c->ops->read(running->call, &byte, 1, &len, &err) != AQ_E_FORKED) {
        return "read";
    }
    c->ops->finish(running->call);
    c->ops->close(c->self);
    return NULL;
}

static void knows_its_process(struct trial *t)
{
    struct scene s;
    scene_open(&s, t, answers);
    for (const struct way *w = scene_next(&s, NULL); w; w = scene_next(&s, w)) {
        struct client c;
        struct exchange e;
        int status = 0;
        client_open(&c, &s);
        exchange_expect_well(&c); /* leaves an idle connection */
        exchange_start(&e, &c, w, "/pieces", NULL);
        exchange_until_head(&e);
        const pid_t pid = fork();
        if (pid == 0) {
            const char *wrong = use_in_child(&c, &e);
            if (wrong) {
                trial_fail(t, "in a forked child, %s did not return AQ_E_FORKED", wrong);
            }
            _exit(0);
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            trial_fail(t, "finish and close in a forked child ended it with %s",
                       WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "an exit code");
        }
        lab_go(&s.lab);
        lab_go(&s.lab);
        exchange_until_over(&e);
        exchange_expect_pattern(&e, 10); /* nothing was said in its name */
        exchange_finish(&e);
        exchange_expect_well(&c);
        client_close(&c);
    }
    scene_close(&s);
}

const struct clause transport_process_clauses[] = {
    { "transport.process.sigpipe", "A peer's reset raises no SIGPIPE.", raises_no_sigpipe, 0, 0 },
    { "transport.process.signals", "No signal's disposition is changed, and none is blocked.",
      changes_no_signals, 0, 0 },
    { "transport.process.descriptors", "close gives every descriptor back.", gives_descriptors_back,
      0, 0 },
    { "transport.process.memory", "close gives all memory back.", gives_memory_back, 0, 0 },
    { "transport.process.fork",
      "In a forked child start, step and read are AQ_E_FORKED; it can finish and close, and the "
      "parent goes on.",
      knows_its_process, 0, 0 },
    CLAUSES_END,
};
