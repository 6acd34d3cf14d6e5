/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "base/buf.h"
#include "base/str.h"
#include "host/elf.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLUGIN AQ_TEST_FAKES_DIR "/store-good.so"

static struct buf good = BUF(0);

/* A file in memory: one on a disk that is written anew a thousand times waits for it each time. */
static int file;
static char path[64];

static int setup(void **state)
{
    FILE *in = fopen(PLUGIN, "rb");
    size_t len;
    (void)state;
    assert_non_null(in);
    do {
        assert_true(buf_reserve(&good, 65536));
        len = fread(good.ptr + good.len, 1, 65536, in);
        good.len += len;
    } while (len);
    fclose(in);
    file = memfd_create("plugin", MFD_CLOEXEC);
    assert_return_code(file, errno);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&good);
    return close(file);
}

static aq_status read_bytes(const uint8_t *bytes, size_t len, struct aq_error *err)
{
    struct elf elf = { 0 };
    assert_return_code(ftruncate(file, (off_t)len), errno);
    assert_int_equal(pwrite(file, bytes, len, 0), len);
    aq_status st = elf_read("plugin", path, &elf, err);
    elf_done(&elf);
    return st;
}

/* Where in the plugin the n-th program header of this type lies. */
static ElfW(Phdr) * part_of(uint8_t *bytes, uint32_t type)
{
    const ElfW(Ehdr) *head = (const void *)bytes;
    ElfW(Phdr) *part = (void *)(bytes + head->e_phoff);
    while (part->p_type != type) {
        part++;
    }
    return part;
}

static ElfW(Dyn) * entry_of(uint8_t *bytes, ElfW(Sxword) tag)
{
    ElfW(Dyn) *entry = (void *)(bytes + part_of(bytes, PT_DYNAMIC)->p_offset);
    while (entry->d_tag != tag) {
        entry++;
    }
    return entry;
}

static void a_plugin_says_what_it_needs_and_what_it_is_called_by(void **state)
{
    struct elf elf = { 0 };
    struct aq_error err;
    (void)state;
    assert_int_equal(elf_read("plugin", PLUGIN, &elf, &err), AQ_OK);
    assert_true(str_contains(buf_str(&elf.names), AQ_STR("\0aq_plugin_v1\0")));
    assert_true(elf.needed.len == 0 || elf.needed.ptr[elf.needed.len - 1] == '\0');
    elf_done(&elf);
}

static void a_file_that_is_not_there_or_no_file_is_an_error(void **state)
{
    struct elf elf = { 0 };
    struct aq_error err;
    (void)state;
    assert_int_equal(elf_read("plugin", "/nowhere/x.so", &elf, &err), AQ_E_PLUGIN);
    assert_contains(err.text, "plugin: /nowhere/x.so cannot be read, correct the path");
    assert_int_equal(elf_read("plugin", "/tmp", &elf, &err), AQ_E_PLUGIN);
    assert_contains(err.text, "/tmp is not a shared object");
    elf_done(&elf);
}

static void a_plugin_that_was_cut_anywhere_is_refused(void **state)
{
    const ElfW(Phdr) *last = NULL;
    struct aq_error err;
    (void)state;
    for (ElfW(Phdr) *part = part_of(good.ptr, PT_LOAD);
         (uint8_t *)part <
         good.ptr + sizeof(ElfW(Ehdr)) + ((ElfW(Ehdr) *)(void *)good.ptr)->e_phnum * sizeof(*part);
         part++) {
        last = part->p_type == PT_LOAD ? part : last;
    }
    const size_t mapped = last->p_offset + last->p_filesz; /* debug information may be missing */
    for (size_t len = 0; len < mapped; len += len < 2048 ? 1 : 509) {
        assert_int_equal(read_bytes(good.ptr, len, &err), AQ_E_PLUGIN);
        assert_contains(err.text, path);
    }
    assert_int_equal(read_bytes(good.ptr, mapped, &err), AQ_OK);
}

/* Not every change does harm, but none may do more than to have the plugin refused. */
static void a_plugin_that_was_damaged_anywhere_is_read_or_refused(void **state)
{
    static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
    const ElfW(Phdr) *dynamic = part_of(good.ptr, PT_DYNAMIC);
    const struct {
        size_t from, to;
    } ranges[] = {
        { 0, sizeof(ElfW(Ehdr)) + ((ElfW(Ehdr) *)(void *)good.ptr)->e_phnum * sizeof(*dynamic) },
        { dynamic->p_offset, dynamic->p_offset + dynamic->p_filesz },
    };
    size_t refused = 0;
    (void)state;
    for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
        for (size_t at = ranges[r].from; at < ranges[r].to; at++) {
            const uint8_t was = good.ptr[at];
            for (size_t i = 0; i < sizeof(values); i++) {
                struct aq_error err = { 0 };
                good.ptr[at] = values[i];
                aq_status st = read_bytes(good.ptr, good.len, &err);
                assert_true(st == AQ_OK || err.text[0] != '\0');
                refused += st != AQ_OK;
            }
            good.ptr[at] = was;
        }
    }
    assert_true(refused > 100);
}

static void a_dynamic_section_that_lies_is_damage(void **state)
{
    struct aq_error err;
    (void)state;
    ElfW(Dyn) *names = entry_of(good.ptr, DT_STRTAB);
    ElfW(Dyn) *size = entry_of(good.ptr, DT_STRSZ);
    ElfW(Phdr) *dynamic = part_of(good.ptr, PT_DYNAMIC);
    const ElfW(Addr) address = names->d_un.d_ptr;
    const ElfW(Xword) len = size->d_un.d_val;
    const ElfW(Word) type = dynamic->p_type;

    names->d_un.d_ptr = (ElfW(Addr)) - 1;
    assert_int_equal(read_bytes(good.ptr, good.len, &err), AQ_E_PLUGIN);
    assert_contains(err.text, "is damaged");
    names->d_un.d_ptr = address;

    size->d_un.d_val = (ElfW(Xword)) - 1;
    assert_int_equal(read_bytes(good.ptr, good.len, &err), AQ_E_PLUGIN);
    size->d_un.d_val = good.len; /* not from where the names begin */
    assert_int_equal(read_bytes(good.ptr, good.len, &err), AQ_E_PLUGIN);
    assert_contains(err.text, "is damaged");
    size->d_un.d_val = len;

    dynamic->p_type = PT_NULL;
    assert_int_equal(read_bytes(good.ptr, good.len, &err), AQ_E_PLUGIN);
    assert_contains(err.text, "is not a shared object");
    dynamic->p_type = type;
    assert_int_equal(read_bytes(good.ptr, good.len, &err), AQ_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_plugin_says_what_it_needs_and_what_it_is_called_by),
        CASE(a_file_that_is_not_there_or_no_file_is_an_error),
        CASE(a_plugin_that_was_cut_anywhere_is_refused),
        CASE(a_plugin_that_was_damaged_anywhere_is_read_or_refused),
        CASE(a_dynamic_section_that_lies_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
