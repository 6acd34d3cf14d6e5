/* SPDX-License-Identifier: Apache-2.0 */
/* How a file is mounted: the kernel says it, or /proc. Everything here is off the path of a plain
 * read. */
#ifndef STORE_SQLITE_MOUNT_H
#define STORE_SQLITE_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

/* Number of the mount that the descriptor was opened through; -1 where it is an old kernel, before
 * 5.8, and there is no /proc. Returns 0 or an errno: that something else kept us from looking. */
int mount_id(int fd, int *ret);

/* Type of file system of that mount, "ext4", through which path is reached. Where there is no
 * /proc, it is known of those only that mount_type_is_remote is about, else "". Returns as
 * mount_id. */
int mount_type(int id, const char *path, char *type, size_t cap);

/* Whether two machines may use such a file system at once without seeing each other's locks. */
bool mount_type_is_remote(const char *type);

#endif
