/* SPDX-License-Identifier: Apache-2.0 */
#include "host/elf.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The machine this code was compiled for is that of every object that can be loaded beside it; the
 * vDSO or the loader would say the same. */
static bool elf_read_own(ElfW(Ehdr) * ret)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool done = fd >= 0 && read(fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

static bool elf_is_whole(int fd, const ElfW(Ehdr) * head, off_t size)
{
    for (unsigned i = 0; i < head->e_phnum; i++) {
        ElfW(Phdr) part;
        off_t at = (off_t)(head->e_phoff + (ElfW(Off))i * sizeof(part));
        ElfW(Off) end;
        if (pread(fd, &part, sizeof(part), at) != (ssize_t)sizeof(part)) {
            return false;
        }
        if (part.p_type == PT_LOAD &&
            (__builtin_add_overflow(part.p_offset, part.p_filesz, &end) || end > (ElfW(Off))size)) {
            return false;
        }
    }
    return head->e_phnum > 0;
}

static const char *elf_problem(int fd, off_t size)
{
    ElfW(Ehdr) head;
    ElfW(Ehdr) own;
    if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) {
        return "is not a shared object";
    }
    if (elf_read_own(&own) &&
        (head.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
         head.e_ident[EI_DATA] != own.e_ident[EI_DATA] || head.e_machine != own.e_machine)) {
        return "is made for another kind of machine";
    }
    if (head.e_phentsize != sizeof(ElfW(Phdr)) || !elf_is_whole(fd, &head, size)) {
        return "is damaged, it ends too early";
    }
    return NULL;
}

aq_status elf_check(const char *object, const char *path, struct aq_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        aq_status st = error_sys(err, AQ_E_PLUGIN, errno, "%s: %s", object, path);
        if (fd >= 0) {
            close(fd);
        }
        return st;
    }
    const char *problem = elf_problem(fd, info.st_size);
    close(fd);
    return problem ? error_set(err, AQ_E_PLUGIN, "%s: %s %s, install it again", object,
                               strstr(object, path) ? "it" : path, problem)
                   : AQ_OK;
}
