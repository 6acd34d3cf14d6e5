/* SPDX-License-Identifier: Apache-2.0 */
#include "host/elf.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 64 << 20, LINKS_MAX = 1 << 16 };

/* A file while it is read. */
struct elf_file {
    int fd;
    ElfW(Off) size;
    ElfW(Ehdr) head;
};

static const char damaged[] = "is damaged, it ends too early";

/* The machine this code was compiled for is that of every object that can be loaded beside it; the
 * vDSO or the loader would say the same. */
static bool elf_read_own(ElfW(Ehdr) * ret)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool done = fd >= 0 && pread(fd, ret, sizeof(*ret), 0) == (ssize_t)sizeof(*ret);
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

static bool elf_at(const struct elf_file *file, ElfW(Off) at, void *ret, size_t len)
{
    ElfW(Off) end;
    return !__builtin_add_overflow(at, len, &end) && end <= file->size &&
           pread(file->fd, ret, len, (off_t)at) == (ssize_t)len;
}

static bool elf_part(const struct elf_file *file, unsigned i, ElfW(Phdr) * ret)
{
    ElfW(Off) at;
    return !__builtin_add_overflow(file->head.e_phoff, (ElfW(Off))i * sizeof(*ret), &at) &&
           elf_at(file, at, ret, sizeof(*ret));
}

/* Everything that would be mapped is there. */
static bool elf_is_whole(const struct elf_file *file)
{
    for (unsigned i = 0; i < file->head.e_phnum; i++) {
        ElfW(Phdr) part;
        ElfW(Off) end;
        if (!elf_part(file, i, &part) ||
            (part.p_type == PT_LOAD &&
             (__builtin_add_overflow(part.p_offset, part.p_filesz, &end) || end > file->size))) {
            return false;
        }
    }
    return file->head.e_phnum > 0;
}

static const char *elf_open(struct elf_file *file)
{
    const ElfW(Ehdr) *head = &file->head;
    ElfW(Ehdr) own;
    if (!elf_at(file, 0, &file->head, sizeof(file->head)) ||
        memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) {
        return "is not a shared object";
    }
    if (elf_read_own(&own) &&
        (head->e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
         head->e_ident[EI_DATA] != own.e_ident[EI_DATA] || head->e_machine != own.e_machine)) {
        return "is made for another kind of machine";
    }
    return head->e_phentsize == sizeof(ElfW(Phdr)) && elf_is_whole(file) ? NULL : damaged;
}

/* ---- the dynamic section ---- */

/* Where in the file the byte lies that is mapped at this address. */
static bool elf_offset(const struct elf_file *file, ElfW(Addr) address, ElfW(Off) * ret)
{
    for (unsigned i = 0; i < file->head.e_phnum; i++) {
        ElfW(Phdr) part;
        if (elf_part(file, i, &part) && part.p_type == PT_LOAD && address >= part.p_vaddr &&
            address - part.p_vaddr < part.p_filesz) {
            *ret = part.p_offset + (address - part.p_vaddr);
            return true;
        }
    }
    return false;
}

/* The i-th entry; false behind the last. */
static bool elf_dynamic(const struct elf_file *file, const ElfW(Phdr) * section, ElfW(Off) i,
                        ElfW(Dyn) * ret)
{
    return i < section->p_filesz / sizeof(*ret) &&
           elf_at(file, section->p_offset + i * sizeof(*ret), ret, sizeof(*ret)) &&
           ret->d_tag != DT_NULL;
}

static const char *elf_read_names(const struct elf_file *file, const ElfW(Phdr) * section,
                                  struct buf *ret)
{
    ElfW(Addr) address = 0;
    ElfW(Xword) len = 0;
    ElfW(Off) at = 0;
    ElfW(Dyn) entry;
    for (ElfW(Off) i = 0; elf_dynamic(file, section, i, &entry); i++) {
        address = entry.d_tag == DT_STRTAB ? entry.d_un.d_ptr : address;
        len = entry.d_tag == DT_STRSZ ? entry.d_un.d_val : len;
    }
    if (!elf_offset(file, address, &at) || len > file->size) {
        return damaged;
    }
    if (buf_reserve(ret, len)) {
        if (!elf_at(file, at, ret->ptr, len)) {
            return damaged;
        }
        ret->len = len;
    }
    return NULL;
}

static void elf_add_name(const struct elf *e, ElfW(Xword) at, char end, struct buf *ret)
{
    struct aq_str rest = str_from_offset(buf_str(&e->names), at);
    struct aq_str name = str_cut(&rest, '\0');
    if (name.len) { /* the linker ignores it, too */
        buf_add(ret, name);
        buf_add_char(ret, end);
    }
}

/* True if the linker loads the library that this entry names: also one that the object is only a
 * filter of, or that merely adds to it. */
static bool elf_is_library(const ElfW(Dyn) * entry)
{
    return entry->d_tag == DT_NEEDED || entry->d_tag == DT_FILTER || entry->d_tag == DT_AUXILIARY;
}

/* Whichever of DT_RPATH and DT_RUNPATH the linker goes by, the other one does no harm. */
static void elf_read_links(const struct elf_file *file, const ElfW(Phdr) * section, struct elf *ret)
{
    ElfW(Dyn) entry;
    for (ElfW(Off) i = 0; elf_dynamic(file, section, i, &entry); i++) {
        if (elf_is_library(&entry)) {
            elf_add_name(ret, entry.d_un.d_val, '\0', &ret->needed);
        } else if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) {
            elf_add_name(ret, entry.d_un.d_val, ':', &ret->search);
        }
    }
}

static const char *elf_problem(struct elf_file *file, struct elf *ret)
{
    const char *problem = elf_open(file);
    ElfW(Phdr) part;
    for (unsigned i = 0; !problem && i < file->head.e_phnum; i++) {
        if (elf_part(file, i, &part) && part.p_type == PT_DYNAMIC) {
            problem = elf_read_names(file, &part, &ret->names);
            elf_read_links(file, &part, ret);
            return problem;
        }
    }
    return problem ? problem : "is not a shared object";
}

aq_status elf_read(const char *object, const char *path, struct elf *ret, struct aq_error *err)
{
    struct stat info;
    struct elf_file file = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
    *ret = (struct elf){ BUF(LINKS_MAX), BUF(LINKS_MAX), BUF(NAMES_MAX) };
    if (file.fd < 0 || fstat(file.fd, &info) != 0) {
        aq_status st = error_sys(err, AQ_E_PLUGIN, errno,
                                 "%s: %s cannot be read, correct the path or its permissions",
                                 object, strstr(object, path) ? "it" : path);
        if (file.fd >= 0) {
            close(file.fd);
        }
        return st;
    }
    file.size = (ElfW(Off))info.st_size;
    const char *problem = elf_problem(&file, ret);
    close(file.fd);
    if (problem) {
        return error_set(err, AQ_E_PLUGIN, "%s: %s %s, install it again", object,
                         strstr(object, path) ? "it" : path, problem);
    }
    const struct buf *texts[] = { &ret->needed, &ret->search, &ret->names };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (buf_status(texts[i]) == AQ_E_NOMEM) {
            return error_nomem(err, object);
        }
        if (buf_status(texts[i]) != AQ_OK) {
            return error_set(err, AQ_E_PLUGIN, "%s: %s has too much to be read, build it smaller",
                             object, path);
        }
    }
    return AQ_OK;
}

void elf_done(struct elf *e)
{
    buf_done(&e->needed);
    buf_done(&e->search);
    buf_done(&e->names);
}
