/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One clause against one plugin, in a child process that belongs to it alone: the plugin freshly
 * loaded, a directory and a HOME of its own, nothing of the user's environment, a time limit.
 *
 * What is found goes through a pipe to the runner at once, so that it is not lost with the process.
 * A clause that forks takes care that its children end; what they report counts as well.
 */
#ifndef CONFORMANCE_TRIAL_H
#define CONFORMANCE_TRIAL_H

#include "clause.h"
#include "host/loader.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdnoreturn.h>
#include <sys/types.h>

enum {
    TRIAL_SETTINGS_MAX = 64,
    TRIAL_SECRETS_MAX = 32,
    TRIAL_NAME_MAX = 48,
    TRIAL_SLACK_MS = 1000, /* a busy machine: a call may be this late */
};

/* Every value that a plugin is given has this in it, and no error or line of the log may. */
#define TRIAL_SECRET "aoaConformance"

/* A setting's value: given by the user, or by the clause. */
struct trial_setting {
    const char *key;
    const char *value;
};

/* The plugin's function that is being called, for the runner to name it when it does not return. */
struct trial_call {
    char function[TRIAL_NAME_MAX]; /* empty: none */
    char limit_clause[TRIAL_NAME_MAX];
    uint64_t since_us;   /* CLOCK_MONOTONIC */
    uint64_t limit_us;   /* how long it may take; 0: as long as the clause */
    uint64_t held_up_us; /* trial_held_up_us of its thread, then */
    pid_t thread;
};

/* It is in shared memory. */
struct trial_watch {
    atomic_uint turn; /* odd while the call is being written */
    struct trial_call call;
};

/* A call that belongs together. False: it was being written. */
bool trial_watch_read(const struct trial_watch *w, struct trial_call *ret);

/* How long a call has taken up to now, without the time in which its thread could have run and had
 * to wait for others: on a busy machine that is most of it. */
uint64_t trial_took_us(const struct trial_call *call);

struct trial {
    const struct clause *clause;
    const struct plugin *plugin; /* in today's shape */
    const char *dir;             /* its own directory, empty at first, and the working directory */
    const char *path;            /* of the plugin's file */
    uint64_t deadline_us;        /* CLOCK_MONOTONIC: when the runner ends it */
    struct trial_setting settings[TRIAL_SETTINGS_MAX]; /* a later one counts */
    size_t setting_count;
    const char *secrets[TRIAL_SECRETS_MAX];
    size_t secret_count;
    pid_t backend;     /* the process that serves the plugin, to be stopped and killed; 0: none */
    bool has_told;     /* a secret was seen where none may be */
    bool is_helper;    /* not the trial's first process */
    bool is_elsewhere; /* what it opens is not in its own directory: other trials meet there */
    struct trial_watch *watch;
    int results; /* the pipe to the runner */
};

/* Make a line of what a plugin has said: what a terminal could obey, and what is no UTF-8, becomes
 * '?'. */
void trial_clean(char *text);

/* A message to the runner, clean: VERDICT_... */
void trial_say(struct trial *t, char what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The clause is broken: what the plugin did, and what it has to do. Ends the trial. */
noreturn void trial_fail(struct trial *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The clause cannot be judged here, or does not concern this plugin. Ends the trial. */
noreturn void trial_skip(struct trial *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Something the author should know that breaks nothing. */
void trial_note(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Another clause was seen to be broken; this one goes on. */
void trial_breach(struct trial *t, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, and because of it this clause cannot be judged. Ends the trial. */
noreturn void trial_break_off(struct trial *t, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Around every call of the plugin's functions. limit_clause is broken when it takes longer than
 * limit_ms (0: only the clause's own limit counts). */
void trial_enter(struct trial *t, const char *function, uint32_t limit_ms,
                 const char *limit_clause);
void trial_leave(struct trial *t, const char *function);

/* Give a setting a value, for the instances that are opened from now on; both strings stay where
 * they are. */
void trial_set(struct trial *t, const char *key, const char *value);
bool trial_declares(const struct trial *t, const char *key);
const char *trial_setting(const struct trial *t, const char *key); /* NULL: not given */

/*
 * Another process of the same trial: forked, killed with it, and with the same ways to report. Fork
 * before the first instance is opened; what a plugin does in a child of its user is a clause of its
 * own.
 */
struct trial_helper {
    pid_t pid;
    struct trial_watch *watch; /* its own */
    bool is_killed;            /* on purpose */
};

void trial_fork(struct trial *t, struct trial_helper *h, void (*run)(struct trial *t, void *arg),
                void *arg);
bool trial_is_running(const struct trial_helper *h);
void trial_kill(struct trial_helper *h); /* SIGKILL; join it then */

/* Wait for its end. If it has reported a failure, or the plugin has ended it, so does the trial. */
void trial_join(struct trial *t, struct trial_helper *h);

/* How a process ended, as the predicate of a sentence. */
void trial_describe_end(int status, char *text, size_t size);

/* One more secret: from now on nothing shows this text, which stays where it is. */
void trial_plant_secret(struct trial *t, const char *secret);
void trial_look_for_secrets(struct trial *t, const char *where, struct aq_str text);

uint64_t trial_now_us(void);

#endif
