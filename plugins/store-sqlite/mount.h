/* SPDX-License-Identifier: Apache-2.0 */
/* What the mount table says about a file. Everything here is off the path of a plain read. */
#ifndef STORE_SQLITE_MOUNT_H
#define STORE_SQLITE_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

/* Number of the mount that the descriptor was opened through; -1 where /proc does not say. Returns
 * 0 or an errno: that something else kept us from looking. */
int mount_id(int fd, int *ret);

/* Type of file system of that mount, "ext4"; "" where /proc does not say. Returns as mount_id. */
int mount_type(int id, char *type, size_t cap);

/* Whether two machines may use such a file system at once without seeing each other's locks. */
bool mount_type_is_remote(const char *type);

#endif
