/* SPDX-License-Identifier: Apache-2.0 */
#include "mount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int mount_id(int fd, int *ret)
{
    char path[64];
    char line[128];
    static const char field[] = "mnt_id:";
    FILE *f;

    *ret = -1;
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

int mount_type(int id, char *type, size_t cap)
{
    char line[MOUNT_LINE_MAX];
    bool found = false;
    bool at_start = true; /* of a line: one longer than the buffer arrives in pieces */
    FILE *f;

    type[0] = '\0';
    int sys = open_proc("/proc/self/mountinfo", &f);
    if (!f) {
        return sys;
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
