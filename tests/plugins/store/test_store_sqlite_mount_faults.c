/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises when it is killed, or a system call fails, while it renews a login in
 * a file mount: others have the old value or the new one. */
#include "calls.h"
#include "mount.h"
#include "rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* kills */

static struct {
    const char *old, *new;
} change;

static struct {
    unsigned at, seen;
} dying;

static int die(const struct call *c)
{
    (void)c;
    if (++dying.seen == dying.at) {
        raise(SIGKILL);
    }
    return 0;
}

static void renew_and_die(void *arg)
{
    struct aq_error err;
    (void)arg;
    calls_refuse = die;
    REQUIRE(renew(change.old, change.new, &err) == AQ_OK);
}

static void kill_at_each_call(void *arg)
{
    const struct fixture *f = arg;
    unsigned olds = 0, news = 0;
    int rc = -SIGKILL;
    mount_file(f);
    for (dying.at = 1; rc == -SIGKILL; dying.at++) {
        change.old = put_outside(f, 1500);
        change.new = of_length('n', 1500);
        rc = child_end(child_start(renew_and_die, NULL));
        bool saved = query(f->path, "SELECT value FROM auth_kv WHERE key = 'k'")[0] == 'n';
        REQUIRE(is_outside(f, saved ? change.new : change.old));
        olds += !saved;
        news += saved;
        /* the host goes on, and so does another process in the container */
        const char *host = put_outside(f, 1400);
        REQUIRE(strcmp(query(inside, "SELECT value FROM auth_kv WHERE key = 'k'"), host) == 0);
        REQUIRE(is_outside(f, host));
    }
    REQUIRE(rc == 0 && olds > 10 && news > 3);
    rounds_report("K1", "killed in front of each system call of a refresh in place", dying.at - 2);
}

static void killed_at_any_call_it_leaves_the_old_value_or_the_new_one(void **state)
{
    child_run_in_namespace(kill_at_each_call, *state);
}

/* calls that fail */

static struct {
    enum call_kind kind;
    int sys;
    unsigned at, seen;
} fault;

static int refuse(const struct call *c)
{
    const struct flock *lock = c->bytes;
    bool unlocks = c->kind == CALL_CONTROL && c->flags == F_OFD_SETLK && lock->l_type == F_UNLCK;
    if (c->kind != fault.kind || unlocks) {
        return 0;
    }
    return ++fault.seen == fault.at ? fault.sys : 0;
}

/* What a refresh does, as far as it comes. */
static aq_status renew_with_fault(void)
{
    struct instance i;
    instance_open_sqlite(&i, inside);
    fault.seen = 0;
    calls_refuse = refuse;
    aq_status status = i.ops->lock(i.self, &i.err);
    if (status == AQ_OK) {
        status = instance_get(&i, "k");
    }
    if (status == AQ_OK) {
        status = i.ops->can_save(i.self, &i.err);
    }
    if (status == AQ_OK) {
        status = instance_swap(&i, "k", change.old, change.new);
    }
    calls_refuse = NULL;
    instance_close(&i);
    return status;
}

enum { SAVED, NOT_SAVED, SAVED_WITHOUT_FAULT };

/* With nothing open yet. */
static void renew_cold(void *arg)
{
    aq_status status = renew_with_fault();
    (void)arg;
    if (fault.seen < fault.at) {
        exit(SAVED_WITHOUT_FAULT);
    }
    exit(status == AQ_OK ? SAVED : NOT_SAVED);
}

static int renew_warm(void)
{
    aq_status status = renew_with_fault();
    return fault.seen < fault.at ? SAVED_WITHOUT_FAULT : status == AQ_OK ? SAVED : NOT_SAVED;
}

static unsigned fail_each(const struct fixture *f, bool warm)
{
    static const int errors[] = { EIO, ENOSPC, EACCES, ENOMEM };
    struct aq_error err;
    unsigned failed = 0;
    for (fault.kind = 0; fault.kind < CALL_KINDS; fault.kind++) {
        int end = SAVED;
        for (fault.at = 1; end != SAVED_WITHOUT_FAULT; fault.at++) {
            change.old = put_outside(f, 1500);
            change.new = of_length('n', 1500);
            fault.sys = errors[(fault.at + (unsigned)fault.kind) % 4];
            end = warm ? renew_warm() : child_end(child_start(renew_cold, NULL));
            bool saved = query(f->path, "SELECT value FROM auth_kv WHERE key = 'k'")[0] == 'n';
            REQUIRE(end == NOT_SAVED || saved);
            REQUIRE(is_outside(f, saved ? change.new : change.old));
            failed += end == NOT_SAVED;
            put_outside(f, 1500);
            REQUIRE(renew(change.old, change.new, &err) == AQ_OK && is_outside(f, change.new));
        }
    }
    return failed;
}

static void fail_each_call(void *arg)
{
    mount_file(arg);
    REQUIRE(fail_each(arg, false) > 20);
    REQUIRE(fail_each(arg, true) > 20);
}

static void a_call_that_fails_leaves_the_old_value_or_the_new_one(void **state)
{
    child_run_in_namespace(fail_each_call, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_in_memory, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_at_any_call_it_leaves_the_old_value_or_the_new_one),
        TEST(a_call_that_fails_leaves_the_old_value_or_the_new_one),
    };
    return cmocka_run_group_tests_name("faults of store-sqlite in a file mount", tests, NULL, NULL);
}
