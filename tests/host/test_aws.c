/* SPDX-License-Identifier: Apache-2.0 */
/* Variables, files and programs of the AWS tools. */
#include "cmocka_all.h"

#include "base/clock.h"
#include "base/str.h"
#include "host/aws.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the clock: the real one, until it is to jump ---- */

static int looks_until_jump; /* 0: it does not */

uint64_t __real_clock_now_us(void);
uint64_t __wrap_clock_now_us(void);

uint64_t __wrap_clock_now_us(void)
{
    static uint64_t jumped_us;
    if (looks_until_jump > 0 && --looks_until_jump == 0) {
        jumped_us += (AWS_COMMAND_SECONDS + 1) * UINT64_C(1000000);
    }
    return __real_clock_now_us() + jumped_us;
}

/* ---- programs ---- */

static aq_status run(const char *text, struct buf *ret, struct aq_error *err)
{
    char command[256];
    snprintf(command, sizeof(command), "%s", text);
    buf_clear(ret);
    *err = (struct aq_error){ 0 };
    aq_status st = aws_command(command, ret, err);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
    assert_int_equal(errno, ECHILD);
    return st;
}

static void what_a_program_prints_is_taken(void **state)
{
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    assert_int_equal(run("printf '%s' a 'b c'; printf d", &printed, &err), AQ_OK);
    assert_true(str_eq(buf_str(&printed), AQ_STR("ab cd")));
    buf_done(&printed);
}

static void its_input_is_empty_and_it_gets_no_other_descriptor(void **state)
{
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    for (int fd = 3; fd < 10; fd++) { /* what the test itself was given */
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    assert_int_equal(run("cat; for fd in 3 4 5 6 7 8 9; do "
                         "[ ! -e /proc/$$/fd/$fd ] || readlink /proc/$$/fd/$fd; done",
                         &printed, &err),
                     AQ_OK);
    assert_true(str_eq(buf_str(&printed), AQ_STR("")));
    buf_done(&printed);
}

static void a_program_that_fails_has_printed_for_nothing(void **state)
{
    static const char *const failing[] = { "echo canary; exit 3", "echo canary; kill -9 $$",
                                           "/nowhere/canary 2>/dev/null" };
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
        assert_int_equal(run(failing[i], &printed, &err), AQ_E_UNAVAILABLE);
        assert_non_null(strstr(err.text, "credential_process: failed"));
        assert_null(strstr(err.text, "canary"));
    }
    buf_done(&printed);
}

static void a_program_that_prints_for_ever_is_stopped(void **state)
{
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    assert_int_equal(run("exec yes", &printed, &err), AQ_E_LIMIT);
    assert_non_null(strstr(err.text, "more than 1 MiB"));
    buf_done(&printed);
}

/* The clock is looked at for the end of the time, and before each wait. */
static void a_program_that_does_not_end_is_killed_in_the_end(void **state)
{
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    looks_until_jump = 3;
    assert_int_equal(run("echo waiting; exec sleep 600", &printed, &err), AQ_E_TIMEOUT);
    assert_non_null(strstr(err.text, "did not end within 60 s"));
    assert_true(str_eq(buf_str(&printed), AQ_STR("waiting\n")));
    buf_done(&printed);
}

static void a_program_that_closes_its_output_has_to_end_all_the_same(void **state)
{
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    looks_until_jump = 4;
    assert_int_equal(run("echo done; exec sleep 600 >&-", &printed, &err), AQ_E_TIMEOUT);
    buf_done(&printed);
}

/* Where the process ignores SIGCHLD the kernel does not keep how a child ended. */
static void what_is_printed_counts_where_nobody_knows_how_it_ended(void **state)
{
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_int_equal(run("/bin/false || /bin/echo yes", &printed, &err), AQ_OK);
    assert_true(str_eq(buf_str(&printed), AQ_STR("yes\n")));
    signal(SIGCHLD, before);
    buf_done(&printed);
}

static void a_program_has_the_signals_that_it_would_have_in_a_shell(void **state)
{
    struct buf printed = BUF(0);
    struct aq_error err;
    sigset_t all, before;
    (void)state;
    void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    aq_status st = run("grep -E '^Sig(Blk|Ign)' /proc/self/status", &printed, &err);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, pipe_before);
    assert_int_equal(st, AQ_OK);
    assert_contains((const char *)printed.ptr, "SigBlk:\t0000000000000000\n");
    const char *ignored = strstr((const char *)printed.ptr, "SigIgn:\t");
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + strlen("SigIgn:\t"), NULL, 16) >> (SIGPIPE - 1) & 1, 0);
    buf_done(&printed);
}

/* ---- variables and files ---- */

static void variables_name_the_files_unless_the_environment_is_not_to_count(void **state)
{
    struct settings settings = { 0 };
    struct buf path = BUF(0);
    struct aq_error err;
    (void)state;
    setenv("HOME", "/home/somebody", 1);
    setenv("AWS_CONFIG_FILE", "~/other", 1);
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    assert_int_equal(aws_file_path(&settings, true, &path, &err), AQ_OK);
    assert_true(str_eq(buf_str(&path), AQ_STR("/home/somebody/other")));
    buf_clear(&path);
    assert_int_equal(aws_file_path(&settings, false, &path, &err), AQ_OK);
    assert_true(str_eq(buf_str(&path), AQ_STR("/home/somebody/.aws/credentials")));
    buf_clear(&path);
    settings.flags = AQ_CLIENT_NO_ENV;
    assert_int_equal(aws_file_path(&settings, true, &path, &err), AQ_OK);
    assert_true(str_eq(buf_str(&path), AQ_STR("/home/somebody/.aws/config")));
    unsetenv("AWS_CONFIG_FILE");
    buf_done(&path);
}

static void what_is_no_file_of_settings_is_said_to_be_that(void **state)
{
    struct buf text = BUF(0);
    struct aq_error err;
    (void)state;
    assert_int_equal(aws_file_read("/nowhere/config", &text, &err), AQ_E_NOTFOUND);
    assert_int_equal(aws_file_read("/dev/null/config", &text, &err), AQ_E_NOTFOUND);
    assert_int_equal(aws_file_read("/", &text, &err), AQ_E_IO);
    assert_int_equal(err.sys, EISDIR);
    assert_int_equal(aws_file_read("/dev/zero", &text, &err), AQ_E_LIMIT);
    assert_non_null(strstr(err.text, "larger than 1 MiB"));
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_program_prints_is_taken),
        cmocka_unit_test(its_input_is_empty_and_it_gets_no_other_descriptor),
        cmocka_unit_test(a_program_that_fails_has_printed_for_nothing),
        cmocka_unit_test(a_program_that_prints_for_ever_is_stopped),
        cmocka_unit_test(a_program_that_does_not_end_is_killed_in_the_end),
        cmocka_unit_test(a_program_that_closes_its_output_has_to_end_all_the_same),
        cmocka_unit_test(what_is_printed_counts_where_nobody_knows_how_it_ended),
        cmocka_unit_test(a_program_has_the_signals_that_it_would_have_in_a_shell),
        cmocka_unit_test(variables_name_the_files_unless_the_environment_is_not_to_count),
        cmocka_unit_test(what_is_no_file_of_settings_is_said_to_be_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
