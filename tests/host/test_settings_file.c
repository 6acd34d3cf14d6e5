/* SPDX-License-Identifier: Apache-2.0 */
/* Changing settings.json: one member, no other byte, and whole at any moment. */
#include "host/settings_file.h"

#include "base/clock.h"
#include "base/str.h"
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS = 4, ROUNDS = 10 };

static char home[64];
static char dir[128]; /* of the file */
static char file[160];

/* ---- what can be made to fail ---- */

static int failing_fsync, failing_rename; /* errno */
static uint64_t passed_us;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
uint64_t __real_clock_now_us(void);
uint64_t __wrap_clock_now_us(void);

int __wrap_fsync(int fd)
{
    errno = failing_fsync;
    return failing_fsync ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    errno = failing_rename;
    return failing_rename ? -1 : __real_renameat(from_dir, from, to_dir, to);
}

/* Whoever waits finds that a second has gone by. */
uint64_t __wrap_clock_now_us(void)
{
    passed_us += 1000000;
    return __real_clock_now_us() + passed_us;
}

/* ---- helpers ---- */

static int make_home(void **state)
{
    (void)state;
    failing_fsync = failing_rename = 0;
    snprintf(home, sizeof(home), "/tmp/aq-settings-XXXXXX");
    assert_non_null(mkdtemp(home));
    setenv("XDG_DATA_HOME", home, 1);
    snprintf(dir, sizeof(dir), "%s/amazon-q", home);
    snprintf(file, sizeof(file), "%s/settings.json", dir);
    return 0;
}

static int remove_home(void **state)
{
    char command[160];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", home);
    return system(command);
}

static void write_file(const char *text)
{
    assert_true(mkdir(dir, 0700) == 0 || errno == EEXIST);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_file(const char *expected)
{
    struct buf text = BUF(0);
    struct aq_error err;
    assert_int_equal(settings_file_read(file, &text, &err), AQ_OK);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr ? (const char *)text.ptr : "", expected, text.len);
    buf_done(&text);
}

static aq_status change(const char *key, const char *value, struct aq_error *err)
{
    struct aq_str none = { NULL, 0 };
    return settings_file_change(str_from(key), value ? str_from(value) : none, err);
}

/* ---- the text ---- */

static void one_member_is_changed_and_no_other_byte(void **state)
{
    static const struct {
        const char *text, *key, *value, *expected;
    } cases[] = {
        { "", "a", "1", "{\n  \"a\": 1\n}\n" },
        { " { } ", "a", "\"x\"", "{\n  \"a\": \"x\"\n}\n" },
        { "{\"a\":1}", "a", "2", "{\"a\":2}" },
        { "{\"a\":1}", "b", "2", "{\"a\":1,\"b\": 2}" },
        { "{\n  \"a\": 1e2,\n  \"z\": {\"y\" : [ ]}\n}\n", "b", "true",
          "{\n  \"a\": 1e2,\n  \"z\": {\"y\" : [ ]},\n  \"b\": true\n}\n" },
        { "{ \"a\" : 12345678901234567890.10 , \"b\" : 1 }", "b", "2",
          "{ \"a\" : 12345678901234567890.10 , \"b\" : 2 }" },
        { "{\"a\":1,\"a\":2}", "a", "3", "{\"a\":1,\"a\":3}" }, /* the later one counts */
        { "{\"\\u0061\":1}", "a", "2", "{\"\\u0061\":2}" },
        { "{\"x\":{\"a\":1}}", "a", "2", "{\"x\":{\"a\":1},\"a\": 2}" },
        { "{\"b\":1}", "a", NULL, "{\"b\":1}" },
        { "{\"a\":1}", "a", NULL, "{}" },
        { "{ \"a\": 1, \"b\": 2 }", "a", NULL, "{ \"b\": 2 }" },
        { "{ \"a\": 1, \"b\": 2 }", "b", NULL, "{ \"a\": 1 }" },
        { "{\"a\":[1,2],\"b\":\"},{\",\"c\":3}", "b", NULL, "{\"a\":[1,2],\"c\":3}" },
        { "{\"a\":1,\"b\":2,\"a\":3}", "a", NULL, "{\"b\":2}" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = BUF(0);
        struct aq_error err;
        struct aq_str value = { NULL, 0 };
        assert_int_equal(settings_edit("f", str_from(cases[i].text), str_from(cases[i].key),
                                       cases[i].value ? str_from(cases[i].value) : value, &out,
                                       &err),
                         AQ_OK);
        assert_string_equal((char *)out.ptr, cases[i].expected);
        buf_done(&out);
    }
}

static void what_is_no_object_is_refused_and_stays(void **state)
{
    static const char *const texts[] = { "x", "[]", "{\"a\":1", "{} {}", "{'a':1}", "null" };
    struct aq_error err;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file(texts[i]);
        assert_int_equal(change("a", "1", &err), AQ_E_INVALID);
        assert_contains(err.text, "settings.json: not a JSON object (byte ");
        assert_file(texts[i]);
    }
}

static void a_file_that_would_be_too_long_stays(void **state)
{
    struct buf value = BUF(2 * SETTINGS_FILE_MAX);
    struct aq_error err;
    (void)state;
    write_file("{}");
    buf_add_char(&value, '"');
    for (size_t i = 0; i < SETTINGS_FILE_MAX; i++) {
        buf_add_char(&value, 'x');
    }
    buf_add_char(&value, '"');
    assert_int_equal(settings_file_change(AQ_STR("a"), buf_str(&value), &err), AQ_E_INVALID);
    assert_contains(err.text, "would be larger");
    assert_file("{}");
    buf_done(&value);
}

/* ---- the file ---- */

static unsigned mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 07777;
}

static void a_file_is_made_private_and_keeps_the_mode_it_has(void **state)
{
    struct aq_error err;
    (void)state;
    assert_int_equal(change("a", NULL, &err), AQ_OK);
    assert_int_equal(access(dir, F_OK), -1); /* nothing is made to remove nothing */
    assert_int_equal(change("a", "1", &err), AQ_OK);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(mode_of(file), 0600);
    assert_int_equal(chmod(file, 0644), 0);
    assert_int_equal(change("a", "2", &err), AQ_OK);
    assert_int_equal(mode_of(file), 0644);
    assert_file("{\n  \"a\": 2\n}\n");
}

static void a_link_stays_a_link(void **state)
{
    char elsewhere[128];
    struct stat info;
    struct aq_error err;
    (void)state;
    snprintf(elsewhere, sizeof(elsewhere), "%s/dotfiles.json", home);
    write_file("{}");
    assert_int_equal(rename(file, elsewhere), 0);
    assert_int_equal(symlink("../dotfiles.json", file), 0);
    assert_int_equal(change("a", "1", &err), AQ_OK);
    assert_int_equal(lstat(file, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_file("{\n  \"a\": 1\n}\n");

    assert_int_equal(unlink(elsewhere), 0);
    assert_int_equal(change("a", "1", &err), AQ_E_INVALID);
    assert_contains(err.text, "is a link to a file that does not exist");
}

static void a_file_that_others_can_write_is_not_changed(void **state)
{
    struct aq_error err;
    (void)state;
    write_file("{}");
    assert_int_equal(chmod(file, 0602), 0);
    assert_int_equal(change("a", "1", &err), AQ_E_INVALID);
    assert_contains(err.text, "can be written by others");
}

static void a_disk_that_fails_leaves_the_old_file_and_nothing_else(void **state)
{
    char beside[192];
    struct aq_error err;
    (void)state;
    snprintf(beside, sizeof(beside), "%s.new", file);
    write_file("{\"a\":1}");
    failing_fsync = EIO;
    assert_int_equal(change("a", "2", &err), AQ_E_IO);
    assert_int_equal(err.sys, EIO);
    failing_fsync = 0;
    failing_rename = EXDEV;
    assert_int_equal(change("a", "2", &err), AQ_E_IO);
    failing_rename = 0;
    assert_file("{\"a\":1}");
    assert_int_equal(access(beside, F_OK), -1);
}

static void what_a_killed_process_left_is_in_nobodys_way(void **state)
{
    char beside[192];
    struct aq_error err;
    (void)state;
    write_file("{}");
    snprintf(beside, sizeof(beside), "%s.new", file);
    assert_int_equal(symlink("/etc/passwd", beside), 0);
    assert_int_equal(change("a", "1", &err), AQ_OK);
    assert_file("{\n  \"a\": 1\n}\n");
}

static void a_file_that_another_program_holds_is_waited_for_and_then_left_alone(void **state)
{
    struct aq_error err;
    (void)state;
    write_file("{}");
    int fd = open(file, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(change("a", "1", &err), AQ_E_BUSY);
    assert_contains(err.text, "locked by another program");
    assert_file("{}");
    close(fd);
    assert_int_equal(change("a", "1", &err), AQ_OK);
}

static void no_change_is_lost_among_processes(void **state)
{
    pid_t children[WRITERS];
    struct aq_error err;
    (void)state;
    for (int w = 0; w < WRITERS; w++) {
        children[w] = fork();
        if (children[w] == 0) {
            for (int i = 0; i < ROUNDS; i++) {
                char key[32];
                snprintf(key, sizeof(key), "w%d.%d", w, i);
                while (change(key, "1", &err) == AQ_E_BUSY) {
                }
            }
            _exit(0);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int ended;
        assert_int_equal(waitpid(children[w], &ended, 0), children[w]);
        assert_int_equal(ended, 0);
    }
    struct buf text = BUF(0);
    assert_int_equal(settings_file_read(file, &text, &err), AQ_OK);
    for (int i = 0; i < WRITERS * ROUNDS; i++) {
        char key[32];
        snprintf(key, sizeof(key), "\"w%d.%d\": 1", i / ROUNDS, i % ROUNDS);
        assert_contains((char *)text.ptr, key);
    }
    buf_done(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_home, remove_home)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_member_is_changed_and_no_other_byte),
        TEST(what_is_no_object_is_refused_and_stays),
        TEST(a_file_that_would_be_too_long_stays),
        TEST(a_file_is_made_private_and_keeps_the_mode_it_has),
        TEST(a_link_stays_a_link),
        TEST(a_file_that_others_can_write_is_not_changed),
        TEST(a_disk_that_fails_leaves_the_old_file_and_nothing_else),
        TEST(what_a_killed_process_left_is_in_nobodys_way),
        TEST(a_file_that_another_program_holds_is_waited_for_and_then_left_alone),
        TEST(no_change_is_lost_among_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
