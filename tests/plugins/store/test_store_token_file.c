/* SPDX-License-Identifier: Apache-2.0 */
/* A token that was handed in: what is taken for one, where it may be, and that it is only read. */
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define KIRO_KEY "kirocli:odic:token"
#define BARE(token) "{\"access_token\":\"" token "\"}"

struct fixture {
    char *dir;
    char path[600]; /* of the token */
    struct instance store;
};

static unsigned warnings;

static void count_warnings(void *ctx, int32_t level, struct aq_str line)
{
    (void)ctx;
    assert_int_equal(level, AQ_LOG_WARN);
    assert_non_null(memmem(line.ptr, line.len, "every user of this machine can read it", 38));
    warnings++;
}

static int set_up(void **state)
{
    static struct fixture f;
    f.dir = dir_make();
    snprintf(f.path, sizeof(f.path), "%s/token", f.dir);
    const struct plugin_setting settings[] = { { "file", f.path }, { NULL, NULL } };
    instance_open(&f.store, "store-token-file", settings);
    f.store.host.table.log = count_warnings;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    instance_close(&f->store);
    dir_remove(f->dir);
    return 0;
}

static void write_bytes(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static void write_text(const struct fixture *f, const char *text)
{
    write_bytes(f->path, text, strlen(text));
}

static void assert_token(struct instance *store, const char *expected)
{
    assert_int_equal(instance_get(store, TOKEN_KEY), AQ_OK);
    assert_string_equal(store->value, expected);
}

static void assert_refused(struct instance *store, aq_status status, const char *text)
{
    assert_int_equal(instance_get(store, TOKEN_KEY), status);
    if (!strstr(store->err.text, text)) {
        fail_msg("'%s' does not say '%s'", store->err.text, text);
    }
}

/* ---- what is taken for a token ---- */

static void a_bare_token_becomes_a_stored_login_without_an_expiry(void **state)
{
    static const char *const cases[] = { "aoaA", "aoaA\n", "aoaA\r\n", " \t\naoaA\n\n" };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_text(f, cases[i]);
        assert_token(&f->store, BARE("aoaA"));
    }
    write_text(f, "a\"\\z");
    assert_token(&f->store, BARE("a\\\"\\\\z"));
}

static void the_longest_token_fits_and_a_longer_one_is_refused(void **state)
{
    static char token[16385];
    struct fixture *f = *state;
    memset(token, '\\', sizeof(token));
    write_bytes(f->path, token, 16384);
    assert_int_equal(instance_get(&f->store, TOKEN_KEY), AQ_OK);
    write_bytes(f->path, token, 16385);
    assert_refused(&f->store, AQ_E_CORRUPT, "more than 16,384 bytes");
}

static void json_is_handed_on_as_it_is(void **state)
{
    struct fixture *f = *state;
    write_text(f, " {\"access_token\": \"a\", \"x\": [1]}\n");
    assert_token(&f->store, "{\"access_token\": \"a\", \"x\": [1]}");
    write_text(f, "{ what is wrong with it is for the library to say");
    assert_token(&f->store, "{ what is wrong with it is for the library to say");
}

static void what_is_no_token_is_refused_without_showing_it(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *says;
    } cases[] = {
        { "", 0, "holds no token, write what `q user export-token` prints" },
        { " \r\n", 3, "holds no token" },
        { "null\n", 5, "holds no token" },
        { "\"SECRET\"", 8, "a token in quotes, write it without (jq -r)" },
        { "[1]", 3, "a list or a page in place of a token, write what" },
        { "<html>SECRET</html>", 19, "a list or a page in place of a token" },
        { "Bearer SECRET", 13, "neither JSON nor a token (byte 6 cannot be in one)" },
        { "SECRET\nSECRET", 13, "(byte 6 cannot be in one)" },
        { "SECRET\0", 7, "(byte 6 cannot be in one)" },
        { "\xff\xfeS\0E\0", 6, "(byte 0 cannot be in one)" },
        { "SECRET\x7f", 7, "(byte 6 cannot be in one)" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_bytes(f->path, cases[i].bytes, cases[i].len);
        assert_refused(&f->store, AQ_E_CORRUPT, cases[i].says);
        assert_non_null(strstr(f->store.err.text, f->path));
        assert_null(strstr(f->store.err.text, "SECRET"));
    }
}

static void up_to_a_mebibyte_is_read(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(AQ_STORE_VALUE_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', AQ_STORE_VALUE_MAX + 1);
    memcpy(text, "aoaA", 4);
    write_bytes(f->path, text, AQ_STORE_VALUE_MAX);
    assert_token(&f->store, BARE("aoaA"));
    write_bytes(f->path, text, AQ_STORE_VALUE_MAX + 1);
    assert_refused(&f->store, AQ_E_CORRUPT, "larger than 1 MiB");
    free(text);
}

/* ---- keys ---- */

static void it_is_found_under_the_token_key_of_either_program_and_no_other(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(instance_list(&f->store), AQ_OK);
    assert_string_equal(f->store.keys, "");
    write_text(f, "aoaA");
    assert_int_equal(instance_list(&f->store), AQ_OK);
    assert_string_equal(f->store.keys, TOKEN_KEY " " KIRO_KEY " ");
    assert_int_equal(instance_get(&f->store, KIRO_KEY), AQ_OK);
    assert_string_equal(f->store.value, BARE("aoaA"));

    struct plugin_entry *none = NULL;
    const char *const others[] = { REGISTRATION_KEY, PROFILE_KEY, "", "codewhisperer:odic:toke" };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(f->store.ops->get(f->store.self, str_of(others[i]), &none, &f->store.err),
                         AQ_E_NOTFOUND);
        assert_null(none);
    }
}

static void nothing_is_ever_written_and_there_is_no_lock(void **state)
{
    struct fixture *f = *state;
    assert_null(f->store.ops->lock);
    assert_true(f->store.ops->traits & AQ_STORE_SHARED);
    assert_int_equal(instance_put(&f->store, TOKEN_KEY, "x"), AQ_E_READONLY);
    assert_int_equal(instance_remove(&f->store, TOKEN_KEY), AQ_E_READONLY);
    assert_non_null(strstr(f->store.err.text, "never written from here, choose another store"));
    assert_int_equal(f->store.ops->can_save(f->store.self, &f->store.err), AQ_E_READONLY);
    assert_non_null(strstr(f->store.err.text, "put a new token there"));
    assert_string_equal(dir_names(f->dir), "");
}

/* ---- files ---- */

static void a_file_that_is_swapped_or_written_anew_is_read_anew(void **state)
{
    char to[720];
    char target[700];
    struct fixture *f = *state;
    write_text(f, "one1");
    assert_token(&f->store, BARE("one1"));
    write_text(f, "two2"); /* same inode, same size, and perhaps the same time */
    assert_token(&f->store, BARE("two2"));

    /* as Kubernetes does: token -> ..data/token, ..data -> a directory for each version */
    for (int version = 1; version <= 2; version++) {
        char token[8];
        snprintf(target, sizeof(target), "%s/version%d", f->dir, version);
        assert_int_equal(mkdir(target, 0755), 0);
        snprintf(to, sizeof(to), "%s/token", target);
        snprintf(token, sizeof(token), "v%d", version);
        write_bytes(to, token, 2);
        snprintf(to, sizeof(to), "%s/..new", f->dir);
        assert_int_equal(symlink(target, to), 0);
        snprintf(target, sizeof(target), "%s/..data", f->dir);
        assert_int_equal(rename(to, target), 0);
        if (version == 1) {
            unlink(f->path);
            assert_int_equal(symlink("..data/token", f->path), 0);
        }
        assert_token(&f->store, version == 1 ? BARE("v1") : BARE("v2"));
    }
}

static void what_is_not_there_or_no_file_is_named_with_what_to_do(void **state)
{
    struct fixture *f = *state;
    assert_refused(&f->store, AQ_E_UNAVAILABLE, "there is no such file, put a token there");
    assert_int_equal(f->store.err.sys, ENOENT);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_refused(&f->store, AQ_E_CORRUPT, "not a regular file, name the file that holds");
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_refused(&f->store, AQ_E_CORRUPT, "a pipe, which can be read once only, pass it on as");
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink(f->path, f->path), 0);
    assert_refused(&f->store, AQ_E_IO, "cannot be opened");
}

static void a_file_that_may_not_be_read_says_by_whom(void **state)
{
    struct fixture *f = *state;
    if (geteuid() == 0) {
        skip(); /* root may */
    }
    write_text(f, "aoaA");
    assert_int_equal(chmod(f->path, 0), 0);
    assert_refused(&f->store, AQ_E_DENIED, "may not be read by user ");
}

static void that_all_can_read_it_is_said_once_and_is_no_error(void **state)
{
    struct fixture *f = *state;
    write_text(f, "aoaA");
    assert_token(&f->store, BARE("aoaA"));
    assert_int_equal(warnings, 0);
    assert_int_equal(chmod(f->path, 0644), 0);
    assert_token(&f->store, BARE("aoaA"));
    assert_token(&f->store, BARE("aoaA"));
    assert_int_equal(warnings, 1);
}

/* ---- where ---- */

static void the_service_manager_s_credential_is_called_amazonq_token(void **state)
{
    struct fixture *f = *state;
    struct instance store;
    const struct plugin_setting settings[] = { { "directory", f->dir }, { NULL, NULL } };
    char path[700];
    instance_open(&store, "store-token-file", settings);
    snprintf(path, sizeof(path), "%s/amazonq-token", f->dir);
    write_bytes(path, "aoaA", 4);
    assert_token(&store, BARE("aoaA"));
    instance_close(&store);
}

static aq_status try_to_open(const struct plugin_setting *settings, struct aq_error *err)
{
    struct plugin_host host;
    void *self = NULL;
    plugin_host_load(&host, "store-token-file", settings);
    aq_status status = host.plugin->store->open(&host.args, &self, err);
    host.plugin->store->close(self);
    return status;
}

static void without_a_place_or_with_a_path_that_is_too_long_it_does_not_open(void **state)
{
    static char path[4097];
    struct aq_error err;
    const struct plugin_setting file[] = { { "file", path }, { NULL, NULL } };
    const struct plugin_setting directory[] = { { "directory", path }, { NULL, NULL } };
    (void)state;
    assert_int_equal(try_to_open(NULL, &err), AQ_E_INVALID);
    assert_non_null(strstr(err.text, "set Q_TOKEN_FILE or Q_TOKEN_FD"));
    memset(path, 'x', sizeof(path) - 1);
    assert_int_equal(try_to_open(file, &err), AQ_E_INVALID);
    assert_non_null(strstr(err.text, "the path is too long"));
    path[4095] = '\0';
    assert_int_equal(try_to_open(file, &err), AQ_OK);
    assert_int_equal(try_to_open(directory, &err), AQ_E_INVALID);
}

/* ---- descriptors ---- */

static void open_descriptor(struct instance *store, int fd)
{
    char number[16];
    const struct plugin_setting settings[] = { { "fd", number }, { "file", "/x" }, { NULL, NULL } };
    snprintf(number, sizeof(number), "%d", fd);
    instance_open(store, "store-token-file", settings);
}

static void an_open_file_is_read_from_its_beginning_each_time(void **state)
{
    struct fixture *f = *state;
    struct instance store;
    write_text(f, "one1");
    int fd = open(f->path, O_RDONLY);
    assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
    open_descriptor(&store, fd);
    assert_token(&store, BARE("one1"));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    write_text(f, "two2");
    assert_token(&store, BARE("two2"));
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 2);
    instance_close(&store);
    close(fd);
}

/* A pipe with these bytes in it, its other end closed. */
static int full_pipe(const char *bytes)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, strlen(bytes)), strlen(bytes));
    close(ends[1]);
    return ends[0];
}

static void a_pipe_is_read_once_for_all_instances_of_the_process(void **state)
{
    struct instance one, other;
    (void)state;
    int fd = full_pipe("aoaA\n");
    open_descriptor(&one, fd);
    open_descriptor(&other, fd);
    assert_token(&one, BARE("aoaA"));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_token(&other, BARE("aoaA"));
    instance_close(&one);
    assert_token(&other, BARE("aoaA"));

    close(fd); /* and the number is given to another pipe */
    int again = full_pipe("aoaB");
    assert_int_equal(dup2(again, fd), fd);
    assert_token(&other, BARE("aoaB"));
    close(again == fd ? -1 : again);
    close(fd);
    assert_refused(&other, AQ_E_CORRUPT, "neither an open file nor a pipe, start the program with");
    instance_close(&other);
}

static uint64_t passed_us; /* the host's clock */

static uint64_t clock_that_is_moved(void *ctx)
{
    (void)ctx;
    passed_us += 5000000; /* two looks apart: whoever waits has waited long enough */
    return passed_us;
}

static void what_a_slow_writer_has_brought_is_kept_for_the_next_time(void **state)
{
    struct instance store;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    open_descriptor(&store, ends[0]);
    store.host.table.now_us = clock_that_is_moved;
    assert_refused(&store, AQ_E_BUSY, "its writer has not come to an end for 5 s");
    assert_int_equal(write(ends[1], "aoa", 3), 3);
    assert_refused(&store, AQ_E_BUSY, "close the pipe's other end");
    assert_int_equal(write(ends[1], "A", 1), 1);
    close(ends[1]);
    assert_token(&store, BARE("aoaA"));
    instance_close(&store);
    close(ends[0]);
}

static void *write_in_two_parts(void *end)
{
    const int fd = *(int *)end;
    assert_int_equal(write(fd, "ao", 2), 2);
    sched_yield();
    assert_int_equal(write(fd, "aA", 2), 2);
    close(fd);
    return NULL;
}

static void a_pipe_is_waited_for_until_its_writer_has_closed_it(void **state)
{
    struct instance store;
    pthread_t writer;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    open_descriptor(&store, ends[0]);
    assert_int_equal(pthread_create(&writer, NULL, write_in_two_parts, &ends[1]), 0);
    assert_token(&store, BARE("aoaA"));
    pthread_join(writer, NULL);
    instance_close(&store);
    close(ends[0]);
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_signal_ends_the_wait_for_a_writer_and_nothing_is_lost(void **state)
{
    const struct sigaction action = { .sa_handler = on_alarm };
    const struct itimerval soon = { .it_value = { .tv_usec = 10000 },
                                    .it_interval = { .tv_usec = 10000 } };
    const struct itimerval never = { 0 };
    struct sigaction before;
    struct instance store;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "aoa", 3), 3);
    open_descriptor(&store, ends[0]);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    aq_status st = instance_get(&store, TOKEN_KEY);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(st, AQ_E_BUSY);
    assert_non_null(strstr(store.err.text, "was interrupted, try again"));
    assert_int_equal(write(ends[1], "A", 1), 1);
    close(ends[1]);
    assert_token(&store, BARE("aoaA"));
    instance_close(&store);
    close(ends[0]);
}

static void a_pipe_that_does_not_stop_is_cut_off_at_a_mebibyte(void **state)
{
    struct instance store;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        char page[4096] = { ' ' };
        close(ends[0]);
        while (write(ends[1], page, sizeof(page)) > 0) {
        }
        _exit(0);
    }
    close(ends[1]);
    open_descriptor(&store, ends[0]);
    assert_refused(&store, AQ_E_CORRUPT, "larger than 1 MiB");
    assert_refused(&store, AQ_E_CORRUPT, "larger than 1 MiB");
    instance_close(&store);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_child_process_has_what_its_parent_has_read(void **state)
{
    struct instance store;
    int status;
    (void)state;
    int fd = full_pipe("aoaA");
    open_descriptor(&store, fd);
    assert_token(&store, BARE("aoaA"));
    pid_t child = fork();
    if (child == 0) {
        struct instance own;
        open_descriptor(&own, fd);
        _exit(instance_get(&own, TOKEN_KEY) == AQ_OK && strcmp(own.value, BARE("aoaA")) == 0 ? 0
                                                                                             : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    instance_close(&store);
    close(fd);
}

static void a_descriptor_that_is_neither_file_nor_pipe_or_cannot_be_read_is_refused(void **state)
{
    struct fixture *f = *state;
    struct instance store;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    open_descriptor(&store, null);
    assert_refused(&store, AQ_E_CORRUPT, "neither an open file nor a pipe");
    instance_close(&store);
    close(null);

    write_text(f, "aoaA");
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    open_descriptor(&store, fd);
    assert_refused(&store, AQ_E_IO, "cannot be read (Bad file descriptor)");
    instance_close(&store);
    close(fd);

    int ends[2];
    assert_int_equal(pipe(ends), 0);
    open_descriptor(&store, ends[1]);
    close(ends[0]);
    assert_refused(&store, AQ_E_IO, "cannot be read (Bad file descriptor)");
    instance_close(&store);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bare_token_becomes_a_stored_login_without_an_expiry),
        TEST(the_longest_token_fits_and_a_longer_one_is_refused),
        TEST(json_is_handed_on_as_it_is),
        TEST(what_is_no_token_is_refused_without_showing_it),
        TEST(up_to_a_mebibyte_is_read),
        TEST(it_is_found_under_the_token_key_of_either_program_and_no_other),
        TEST(nothing_is_ever_written_and_there_is_no_lock),
        TEST(a_file_that_is_swapped_or_written_anew_is_read_anew),
        TEST(what_is_not_there_or_no_file_is_named_with_what_to_do),
        TEST(a_file_that_may_not_be_read_says_by_whom),
        TEST(that_all_can_read_it_is_said_once_and_is_no_error),
        TEST(the_service_manager_s_credential_is_called_amazonq_token),
        TEST(without_a_place_or_with_a_path_that_is_too_long_it_does_not_open),
        TEST(an_open_file_is_read_from_its_beginning_each_time),
        TEST(a_pipe_is_read_once_for_all_instances_of_the_process),
        TEST(what_a_slow_writer_has_brought_is_kept_for_the_next_time),
        TEST(a_pipe_is_waited_for_until_its_writer_has_closed_it),
        TEST(a_signal_ends_the_wait_for_a_writer_and_nothing_is_lost),
        TEST(a_pipe_that_does_not_stop_is_cut_off_at_a_mebibyte),
        TEST(a_child_process_has_what_its_parent_has_read),
        TEST(a_descriptor_that_is_neither_file_nor_pipe_or_cannot_be_read_is_refused),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("store-token-file", tests, NULL, NULL);
}
