/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that hand out access keys: what they print, how they end, and what is left of them. */
#include "cmocka_all.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "host/aws_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 30 * 1000 }; /* what does not come by then never does */

/* ---- the clock: the real one, moved on when a case says so ---- */

static uint64_t passed_us;

uint64_t __real_clock_now_us(void);
uint64_t __wrap_clock_now_us(void);

uint64_t __wrap_clock_now_us(void)
{
    return __real_clock_now_us() + passed_us;
}

static void let_its_time_pass(void)
{
    passed_us += AWS_COMMAND_SECONDS * UINT64_C(1000000);
}

/* Whoever was killed has ended when it is looked again, however long the machine takes for it. */
int __wrap_usleep(useconds_t us);

int __wrap_usleep(useconds_t us)
{
    siginfo_t ended;
    (void)us;
    waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT);
    return 0;
}

/* ---- a program ---- */

static void start(struct aws_command *c, const char *text)
{
    char command[256];
    struct aq_error err;
    snprintf(command, sizeof(command), "%s", text);
    assert_int_equal(aws_command_start(c, command, &err), AQ_OK);
}

/* Look once, and wait for what may come next. */
static aq_status look(struct aws_command *c, struct buf *ret, struct aq_error *err)
{
    aq_status st = aws_command_look(c, ret, err);
    if (st == AQ_AGAIN) {
        struct pollfd wait = { .fd = c->output, .events = POLLIN };
        poll(&wait, 1, 10);
    }
    return st;
}

static void look_until(struct aws_command *c, const char *printed, struct buf *ret)
{
    struct aq_error err;
    while (!ret->ptr || !strstr((const char *)ret->ptr, printed)) {
        assert_int_equal(look(c, ret, &err), AQ_AGAIN);
    }
}

static void assert_nobody_is_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static aq_status finish(struct aws_command *c, struct buf *ret, struct aq_error *err)
{
    aq_status st;
    while ((st = look(c, ret, err)) == AQ_AGAIN) {
    }
    aws_command_done(c, false);
    assert_nobody_is_left();
    return st;
}

static aq_status run(const char *text, struct buf *ret, struct aq_error *err)
{
    struct aws_command c = { 0 };
    buf_clear(ret);
    *err = (struct aq_error){ 0 };
    start(&c, text);
    return finish(&c, ret, err);
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

static void a_program_that_does_not_end_is_killed_in_the_end(void **state)
{
    struct aws_command c = { 0 };
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    start(&c, "echo waiting; exec sleep 600");
    look_until(&c, "waiting", &printed);
    let_its_time_pass();
    assert_int_equal(finish(&c, &printed, &err), AQ_E_TIMEOUT);
    assert_non_null(strstr(err.text, "did not end within 60 s"));
    assert_true(str_eq(buf_str(&printed), AQ_STR("waiting\n")));
    buf_done(&printed);
}

static void a_program_that_closes_its_output_has_to_end_all_the_same(void **state)
{
    struct aws_command c = { 0 };
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    start(&c, "echo done; exec sleep 600 >&-");
    while (c.output >= 0) {
        assert_int_equal(look(&c, &printed, &err), AQ_AGAIN);
    }
    let_its_time_pass();
    assert_int_equal(finish(&c, &printed, &err), AQ_E_TIMEOUT);
    buf_done(&printed);
}

/* ---- what it has started ---- */

/* A named pipe that is open at both ends of ours or at the reading one, and has no name any more
 * once the program has printed "ready". */
static int start_with_pipe(struct aws_command *c, const char *text, int flags, struct buf *printed)
{
    char directory[] = "/tmp/aws_command.XXXXXX";
    char path[64], command[256];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/pipe", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    snprintf(command, sizeof(command), "exec 9<>%s; %s", path, text);
    start(c, command);
    look_until(c, "ready", printed);
    unlink(path);
    rmdir(directory);
    return fd;
}

/* A program that waits for another one; both have the pipe open whose reading end this is. */
static int start_two(struct aws_command *c, struct buf *printed)
{
    return start_with_pipe(c, "sleep 600 & echo ready; wait", O_RDONLY, printed);
}

static void assert_both_have_gone(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_true(wait.revents & POLLHUP);
    close(fd);
}

static void what_it_has_started_ends_with_its_time(void **state)
{
    struct aws_command c = { 0 };
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    int fd = start_two(&c, &printed);
    let_its_time_pass();
    assert_int_equal(finish(&c, &printed, &err), AQ_E_TIMEOUT);
    assert_both_have_gone(fd);
    buf_done(&printed);
}

static void given_up_all_of_it_ends(void **state)
{
    struct aws_command c = { 0 };
    struct buf printed = BUF(0);
    (void)state;
    int fd = start_two(&c, &printed);
    aws_command_done(&c, false);
    assert_nobody_is_left();
    assert_both_have_gone(fd);
    aws_command_done(&c, false); /* nothing happens */
    buf_done(&printed);
}

static void whoever_it_leaves_behind_with_its_output_is_not_waited_for_and_left_alone(void **state)
{
    struct buf printed = BUF(0);
    struct aq_error err;
    (void)state;
    assert_int_equal(run("sleep 600 & echo $!", &printed, &err), AQ_OK);
    pid_t left = (pid_t)strtol((const char *)printed.ptr, NULL, 10);
    assert_true(left > 1);
    assert_int_equal(kill(left, SIGKILL), 0);
    buf_done(&printed);
}

static void in_a_forked_child_it_is_left_to_the_parent(void **state)
{
    struct aws_command c = { 0 };
    struct buf printed = BUF(0);
    struct aq_error err;
    int status;
    (void)state;
    int fd = start_with_pipe(&c, "echo ready; read x <&9; echo done", O_RDWR, &printed);
    pid_t child = fork();
    if (child == 0) {
        aws_command_done(&c, true);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(write(fd, "\n", 1), 1);
    assert_int_equal(finish(&c, &printed, &err), AQ_OK);
    assert_true(str_eq(buf_str(&printed), AQ_STR("ready\ndone\n")));
    close(fd);
    buf_done(&printed);
}

/* ---- signals, the terminal ---- */

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

/* ---- at a terminal ---- */

static aq_status ask(struct buf *printed, struct aq_error *err)
{
    struct aws_command c = { 0 };
    char text[] = "printf 'Code? ' >/dev/tty; read code </dev/tty; echo code $code";
    aq_status st = aws_command_start(&c, text, err);
    while (st == AQ_OK && (st = aws_command_look(&c, printed, err)) == AQ_AGAIN) {
        poll(NULL, 0, 10);
        st = AQ_OK;
    }
    aws_command_done(&c, false);
    return st;
}

static bool is_answered(void)
{
    AUTO(buf) struct buf printed = BUF(0);
    struct aq_error err;
    return ask(&printed, &err) == AQ_OK && strcmp((char *)printed.ptr, "code 1234\n") == 0;
}

static bool is_told(void)
{
    AUTO(buf) struct buf printed = BUF(0);
    struct aq_error err;
    return ask(&printed, &err) == AQ_E_UNAVAILABLE &&
           strstr(err.text, "wants to ask on the terminal");
}

/* In a session that has a terminal, in the group that it listens to or in another: does this hold?
 * Somebody sits there and answers. */
static void assert_at_terminal(bool in_front, bool (*holds)(void))
{
    char shown[64] = "";
    size_t len = 0;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status = -1;
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        bool owned = open(ptsname(master), O_RDWR) >= 0; /* the first one is the session's */
        pid_t behind = in_front ? 0 : fork();
        if (behind > 0) { /* a session ends with who leads it */
            waitpid(behind, &status, 0);
            _exit(status ? 1 : 0);
        }
        _exit(owned && (in_front || setpgid(0, 0) == 0) && holds() ? 0 : 1);
    }
    while (!strstr(shown, "Code? ") && waitpid(child, &status, WNOHANG) == 0) {
        struct pollfd wait = { .fd = master, .events = POLLIN };
        bool more = poll(&wait, 1, 10) > 0 && wait.revents & POLLIN && len < sizeof(shown) - 1;
        len += more ? (size_t)read(master, shown + len, sizeof(shown) - 1 - len) : 0;
    }
    if (status < 0) {
        assert_int_equal(write(master, "1234\n", 5), 5);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    assert_int_equal(status, 0);
    close(master);
}

static void a_program_may_ask_on_the_terminal_that_is_ours(void **state)
{
    (void)state;
    assert_at_terminal(true, is_answered);
}

static void a_program_that_asks_where_nobody_listens_is_told_from_one_that_hangs(void **state)
{
    (void)state;
    assert_at_terminal(false, is_told);
}

/* Whoever runs this test by hand is not to be asked. */
static void leave_terminal(void)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal >= 0) {
        ioctl(terminal, TIOCNOTTY);
        close(terminal);
    }
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
        cmocka_unit_test(what_it_has_started_ends_with_its_time),
        cmocka_unit_test(given_up_all_of_it_ends),
        cmocka_unit_test(whoever_it_leaves_behind_with_its_output_is_not_waited_for_and_left_alone),
        cmocka_unit_test(in_a_forked_child_it_is_left_to_the_parent),
        cmocka_unit_test(what_is_printed_counts_where_nobody_knows_how_it_ended),
        cmocka_unit_test(a_program_has_the_signals_that_it_would_have_in_a_shell),
        cmocka_unit_test(a_program_may_ask_on_the_terminal_that_is_ours),
        cmocka_unit_test(a_program_that_asks_where_nobody_listens_is_told_from_one_that_hangs),
    };
    leave_terminal();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
