/* SPDX-License-Identifier: Apache-2.0 */
/* The files below a directory, to be compared with those of later on. */
#ifndef CONFORMANCE_TREE_H
#define CONFORMANCE_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TREE_MAX = 128, TREE_NAME_MAX = 256 };

struct tree_file {
    char name[TREE_NAME_MAX]; /* from the top */
    off_t size;
    mode_t mode;
    ino_t inode;
    int64_t changed_ns;
};

struct tree {
    struct tree_file files[TREE_MAX];
    size_t count;
};

/* Read dir/below. */
void tree_read(struct tree *tree, const char *dir, const char *below);

/* The first file that is new, gone or changed; NULL if there is none. Valid as long as both. */
const char *tree_difference(const struct tree *before, const struct tree *after);

#endif
