/* SPDX-License-Identifier: Apache-2.0 */
/* A private folder for fuzzers of what is read from files; it goes when the process ends. In memory
 * where the system has that: nothing is written for good. */
#ifndef AQ_TESTS_FUZZ_FOLDER_H
#define AQ_TESTS_FUZZ_FOLDER_H

#include "fuzz/fuzzer.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static inline int folder_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void folder_remove(void)
{
    nftw(folder, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The folder, made by the first call. */
static inline const char *folder_path(void)
{
    if (!folder[0]) {
        const char *top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(folder, sizeof(folder), "%s/aq-fuzz-XXXXXX", top);
        PROMISE(mkdtemp(folder));
        atexit(folder_remove);
    }
    return folder;
}

/* Make path a file of these bytes, as its owner would. */
static inline void folder_write(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    PROMISE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

#endif
