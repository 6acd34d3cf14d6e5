/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* nftw hands no context over. */
static struct tree *filling;
static size_t top_len;

static int add(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)type;
    (void)at;
    if (filling->count < TREE_MAX && strlen(path) > top_len) {
        struct tree_file *f = &filling->files[filling->count++];
        snprintf(f->name, sizeof(f->name), "%.*s", TREE_NAME_MAX - 1, path + top_len + 1);
        f->size = S_ISDIR(st->st_mode) ? 0 : st->st_size;
        f->mode = st->st_mode;
        f->inode = st->st_ino;
        f->changed_ns = S_ISDIR(st->st_mode)
                            ? 0
                            : (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tree_file *)a)->name, ((const struct tree_file *)b)->name);
}

void tree_read(struct tree *tree, const char *dir, const char *below)
{
    char path[PATH_MAX], top[PATH_MAX];
    memset(tree, 0, sizeof(*tree));
    snprintf(path, sizeof(path), "%s/%s", dir, below);
    if (!realpath(path, top)) {
        return;
    }
    filling = tree;
    top_len = strlen(top);
    nftw(top, add, 16, FTW_PHYS);
    qsort(tree->files, tree->count, sizeof(tree->files[0]), by_name);
}

const char *tree_difference(const struct tree *before, const struct tree *after)
{
    for (size_t i = 0; i < before->count || i < after->count; i++) {
        if (i >= before->count) {
            return after->files[i].name;
        }
        if (i >= after->count) {
            return before->files[i].name;
        }
        const struct tree_file *b = &before->files[i];
        const struct tree_file *a = &after->files[i];
        int order = strcmp(b->name, a->name);
        if (order != 0) {
            return order < 0 ? b->name : a->name;
        }
        if (a->size != b->size || a->mode != b->mode || a->inode != b->inode ||
            a->changed_ns != b->changed_ns) {
            return a->name;
        }
    }
    return NULL;
}
