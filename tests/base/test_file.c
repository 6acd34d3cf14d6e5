/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int fd = -1;

/* A file of this many bytes, at its beginning. */
static void make_file(size_t len)
{
    fd = memfd_create("file", MFD_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(write(fd, &(char){ (char)('a' + i % 26) }, 1), 1);
    }
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
}

static int close_file(void **state)
{
    (void)state;
    if (fd >= 0) {
        close(fd);
    }
    fd = -1;
    return 0;
}

static void assert_alphabet(const struct buf *b, size_t len)
{
    assert_int_equal(b->len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(b->ptr[i], 'a' + i % 26);
    }
    assert_int_equal(b->ptr[len], '\0');
}

static void all_of_a_file_is_read_whatever_its_size(void **state)
{
    static const size_t sizes[] = { 0, 1, 127, 128, 4095, 4096, 4097, 10000 };
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        AUTO(buf) struct buf text = BUF(0);
        make_file(sizes[i]);
        assert_int_equal(file_read(fd, &text), AQ_OK);
        assert_alphabet(&text, sizes[i]);
        close_file(NULL);
    }
}

static void what_was_there_before_stays_in_front(void **state)
{
    AUTO(buf) struct buf text = BUF(8);
    (void)state;
    make_file(3);
    buf_add(&text, AQ_STR("old: "));
    assert_int_equal(file_read(fd, &text), AQ_OK);
    assert_string_equal((const char *)text.ptr, "old: abc");
}

static void a_file_as_long_as_the_limit_is_read_and_one_byte_more_is_too_much(void **state)
{
    static const size_t limits[] = { 1, 100, 4096, 5000 };
    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        AUTO(buf) struct buf text = BUF(limits[i]);
        AUTO(buf) struct buf less = BUF(limits[i] - 1);
        make_file(limits[i]);
        assert_int_equal(file_read(fd, &text), AQ_OK);
        assert_alphabet(&text, limits[i]);
        if (less.max) { /* 0 would be the default */
            assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
            assert_int_equal(file_read(fd, &less), AQ_E_LIMIT);
            assert_alphabet(&less, limits[i] - 1);
        }
        close_file(NULL);
    }
}

static void what_cannot_be_read_says_why(void **state)
{
    AUTO(buf) struct buf text = BUF(0);
    (void)state;
    fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_read(fd, &text), AQ_E_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(text.len, 0);
}

static void a_pipe_gives_what_it_has_and_ends_with_its_writer(void **state)
{
    AUTO(buf) struct buf text = BUF(0);
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    fd = ends[0];
    assert_int_equal(file_read_some(fd, &text), AQ_AGAIN);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    assert_int_equal(file_read_some(fd, &text), AQ_OK);
    assert_alphabet(&text, 3);
    assert_int_equal(file_read(fd, &text), AQ_E_IO); /* a file has no "later" */
    assert_int_equal(errno, EAGAIN);
    close(ends[1]);
    assert_int_equal(file_read_some(fd, &text), AQ_END);
    assert_alphabet(&text, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(all_of_a_file_is_read_whatever_its_size, close_file),
        cmocka_unit_test_teardown(what_was_there_before_stays_in_front, close_file),
        cmocka_unit_test_teardown(a_file_as_long_as_the_limit_is_read_and_one_byte_more_is_too_much,
                                  close_file),
        cmocka_unit_test_teardown(what_cannot_be_read_says_why, close_file),
        cmocka_unit_test_teardown(a_pipe_gives_what_it_has_and_ends_with_its_writer, close_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
