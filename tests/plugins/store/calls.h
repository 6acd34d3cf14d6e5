/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of the plugin: open, pread, ... of a program that links calls.c stand before
 * those of libc, for the plugin and its SQLite as well. A test can watch them, and refuse them.
 */
#ifndef AQ_TESTS_STORE_CALLS_H
#define AQ_TESTS_STORE_CALLS_H

#include <stddef.h>
#include <sys/types.h>

enum call_kind {
    CALL_OPEN,
    CALL_OPEN_STREAM, /* fopen */
    CALL_STAT,        /* lstat, fstat, statx and statfs too */
    CALL_ACCESS,
    CALL_READLINK,
    CALL_MKDIR,
    CALL_UNLINK,
    CALL_CHMOD,   /* of a descriptor; chown too */
    CALL_CONTROL, /* fcntl */
    CALL_READ,
    CALL_WRITE,
    CALL_TRUNCATE,
    CALL_ALLOCATE,
    CALL_SYNC, /* with or without what is not data */
    CALL_MAP,  /* of a file */
    CALL_KINDS
};

struct call {
    enum call_kind kind;
    const char *path; /* NULL if it is about a descriptor */
    int fd;
    int flags;         /* of open; command of fcntl */
    const void *bytes; /* to be written; argument of fcntl */
    size_t len;
    off_t at; /* where to; the new length of a file that is cut */
};

/* Asked before each call: an errno refuses it, 0 lets it happen. NULL, as at first: all happen. */
extern int (*calls_refuse)(const struct call *c);

/* The magic number of each file system; 0, as at first: its own. */
extern long calls_file_system;

/* Told of each call that was made, with what it returned. */
extern void (*calls_done)(const struct call *c, long result);

#endif
