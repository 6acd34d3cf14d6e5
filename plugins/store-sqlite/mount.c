/* SPDX-License-Identifier: Apache-2.0 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { MOUNT_LINE_MAX = 4096 };

/* The number that a text begins with, white space before it left aside. *ret stays if it does not.
 */
static bool leading_int(const char *text, int *ret)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || number < 0 || number > INT_MAX) {
        return false;
    }
    *ret = (int)number;
    return true;
}

/* A file of /proc; *ret is NULL where there is none, or it is hidden. */
static int open_proc(const char *path, FILE **ret)
{
    *ret = fopen(path, "re");
    bool is_hidden = errno == ENOENT || errno == EACCES || errno == EPERM;
    return *ret || is_hidden ? 0 : errno;
}

static int close_proc(FILE *f)
{
    int sys = ferror(f) ? EIO : 0;
    fclose(f);
    return sys;
}

/* -1 where the kernel does not know the question. */
static int ask_kernel(int fd)
{
    int id = -1;
#ifdef STATX_MNT_ID
    struct statx st = { 0 };
    statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st);
    if (st.stx_mask & STATX_MNT_ID) {
        id = (int)st.stx_mnt_id;
    }
#endif
    return id;
}

int mount_id(int fd, int *ret)
{
    char path[64];
    char line[128];
    static const char field[] = "mnt_id:";
    FILE *f;

    *ret = ask_kernel(fd);
    if (*ret >= 0) {
        return 0;
    }
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    int sys = open_proc(path, &f);
    if (!f) {
        return sys;
    }
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, field, sizeof(field) - 1) == 0) {
            leading_int(line + sizeof(field) - 1, ret);
        }
    }
    return close_proc(f);
}

/* One line: "36 35 98:0 /root /mount/point options [fields] - type source options". */
static bool type_in_line(const char *line, int id, char *type, size_t cap)
{
    int number;
    const char *dash = strstr(line, " - ");

    if (!dash || !leading_int(line, &number) || number != id) {
        return false;
    }
    size_t len = strcspn(dash + 3, " \n");
    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(type, dash + 3, len);
    type[len] = '\0';
    return true;
}

/* Without a mount table. FUSE does not say what it is used for here. */
static int type_of_magic(const char *path, char *type, size_t cap)
{
    static const struct {
        unsigned magic;
        const char *type;
    } remote[] = { { 0x01021997, "9p" },     { 0x5346414F, "afs" },    { 0x6B414653, "afs" },
                   { 0x19830326, "beegfs" }, { 0x00C36400, "ceph" },   { 0xFF534D42, "cifs" },
                   { 0x65735546, "fuse" },   { 0x01161970, "gfs2" },   { 0x0BD00BD0, "lustre" },
                   { 0x6969, "nfs" },        { 0x7461636F, "ocfs2" },  { 0xFE534D42, "smb3" },
                   { 0x517B, "smb3" },       { 0x786F4256, "vboxsf" }, { 0xBACBACBC, "vmhgfs" } };
    struct statfs fs;
    if (statfs(path, &fs) != 0) {
        return errno;
    }
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        if ((unsigned)fs.f_type == remote[i].magic) {
            snprintf(type, cap, "%s", remote[i].type);
        }
    }
    return 0;
}

int mount_type(int id, const char *path, char *type, size_t cap)
{
    char line[MOUNT_LINE_MAX];
    bool found = false;
    bool at_start = true; /* of a line: one longer than the buffer arrives in pieces */
    FILE *f;

    type[0] = '\0';
    int sys = open_proc("/proc/self/mountinfo", &f);
    if (!f) {
        return sys ? sys : type_of_magic(path, type, cap);
    }
    while (!found && fgets(line, sizeof(line), f)) {
        found = at_start && type_in_line(line, id, type, cap);
        at_start = strchr(line, '\n') != NULL;
    }
    return close_proc(f);
}

bool mount_type_is_remote(const char *type)
{
    static const char *const remote[] = { "9p",     "afs",       "beegfs", "ceph",     "cifs",
                                          "drvfs",  "fakeowner", "fuse",   "gfs2",     "grpcfuse",
                                          "lustre", "nfs",       "nfs4",   "ocfs2",    "osxfs",
                                          "prl_fs", "smb3",      "vboxsf", "virtiofs", "vmhgfs" };
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        if (strcmp(type, remote[i]) == 0) {
            return true;
        }
    }
    /* the root of a rootless container is local to this kernel, whatever else calls itself fuse */
    return strncmp(type, "fuse.", 5) == 0 && strcmp(type, "fuse.fuse-overlayfs") != 0;
}
