/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ROOM = AQ_STORE_VALUE_MAX + 1, /* one byte more than a file may have */
    PIPE_WAIT_US = 5 * 1000 * 1000,
};

/* ---- errors ---- */

aq_status intake_fail(struct aq_error *err, aq_status status, int sys, const char *object,
                      const char *format, ...)
{
    va_list args;
    *err = (struct aq_error){ .status = status, .sys = sys };
    int len = snprintf(err->text, sizeof(err->text), "%s: ", object);
    size_t used = len > 0 && (size_t)len < sizeof(err->text) ? (size_t)len : 0;
    va_start(args, format);
    vsnprintf(err->text + used, sizeof(err->text) - used, format, args);
    va_end(args);
    return status;
}

static aq_status fail_open(struct aq_error *err, int sys, const char *object)
{
    char cause[128];
    switch (sys) {
    case ENOENT:
    case ENOTDIR:
        return intake_fail(err, AQ_E_NOTFOUND, sys, object,
                           "there is no such file, put a token there or correct the path");
    case EACCES:
    case EPERM:
        return intake_fail(err, AQ_E_DENIED, sys, object,
                           "may not be read by user %u, give it to that user or run as another one",
                           (unsigned)geteuid());
    default:
        return intake_fail(err, AQ_E_IO, sys, object, "cannot be opened (%s), check the path",
                           strerror_r(sys, cause, sizeof(cause)));
    }
}

static aq_status fail_read(struct aq_error *err, int sys, const char *object)
{
    char cause[128];
    return intake_fail(err, AQ_E_IO, sys, object, "cannot be read (%s), check what it is",
                       strerror_r(sys, cause, sizeof(cause)));
}

static aq_status fail_size(struct aq_error *err, const char *object)
{
    return intake_fail(err, AQ_E_CORRUPT, 0, object,
                       "larger than 1 MiB, it must hold one token and nothing else");
}

/* ---- what was read ---- */

void intake_done(struct intake *in)
{
    if (in->ptr) {
        explicit_bzero(in->ptr, in->len);
        free(in->ptr);
    }
    *in = (struct intake){ 0 };
}

static aq_status make_room(const char *object, struct intake *ret, struct aq_error *err)
{
    *ret = (struct intake){ .ptr = malloc(ROOM) };
    return ret->ptr ? AQ_OK : intake_fail(err, AQ_E_NOMEM, ENOMEM, object, "no memory to read it");
}

/* ---- files ---- */

/* From the beginning, wherever the descriptor stands. */
static aq_status read_regular(const char *object, int fd, const struct stat *info,
                              struct intake *ret, struct aq_error *err)
{
    struct intake in;
    aq_status status = make_room(object, &in, err);
    in.open_to_all = info->st_mode & S_IROTH;
    while (status == AQ_OK) {
        ssize_t n = pread(fd, in.ptr + in.len, ROOM - in.len, (off_t)in.len);
        if (n == 0) {
            *ret = in;
            return AQ_OK;
        }
        if (n < 0 && errno != EINTR) {
            status = fail_read(err, errno, object);
        }
        in.len += n > 0 ? (size_t)n : 0;
        if (in.len == ROOM) {
            status = fail_size(err, object);
        }
    }
    intake_done(&in);
    return status;
}

static aq_status read_file(const char *object, int fd, struct intake *ret, struct aq_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return fail_read(err, errno, object);
    }
    if (S_ISREG(info.st_mode)) {
        return read_regular(object, fd, &info, ret, err);
    }
    return S_ISFIFO(info.st_mode)
               ? intake_fail(err, AQ_E_CORRUPT, 0, object,
                             "a pipe, which can be read once only, pass it on as Q_TOKEN_FD")
               : intake_fail(err, AQ_E_CORRUPT, 0, object,
                             "not a regular file, name the file that holds the token");
}

aq_status intake_file(const char *object, const char *path, struct intake *ret,
                      struct aq_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* it may be anything */
    if (fd < 0) {
        return fail_open(err, errno, object);
    }
    aq_status status = read_file(object, fd, ret, err);
    close(fd);
    return status;
}

/* ---- pipes ---- */

/* What came out of one pipe so far. */
struct pipe {
    struct pipe *next;
    dev_t dev;
    ino_t ino;
    uint64_t until_us; /* wait no longer than this for the rest */
    bool complete;
    struct intake in;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* over the pipes, also while reading */
static struct pipe *pipes;

/* Whoever held the mutex stayed behind in the parent. */
static void free_mutex(void)
{
    pthread_mutex_init(&mutex, NULL);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, free_mutex);
}

static struct pipe *pipe_find(const struct stat *info)
{
    struct pipe *p = pipes;
    while (p && !(p->dev == info->st_dev && p->ino == info->st_ino)) {
        p = p->next;
    }
    return p;
}

/* NULL: err says why. */
static struct pipe *pipe_new(const struct aq_host *host, const char *object,
                             const struct stat *info, struct aq_error *err)
{
    struct pipe *p = calloc(1, sizeof(*p));
    if (!p) {
        intake_fail(err, AQ_E_NOMEM, ENOMEM, object, "no memory to read it");
        return NULL;
    }
    if (make_room(object, &p->in, err) != AQ_OK) {
        free(p);
        return NULL;
    }
    p->dev = info->st_dev;
    p->ino = info->st_ino;
    p->until_us = host->now_us(host->ctx) + PIPE_WAIT_US;
    p->next = pipes;
    pipes = p;
    return p;
}

/* AQ_OK when the pipe is at its end. */
static aq_status pipe_read(const struct aq_host *host, const char *object, int fd, struct pipe *p,
                           struct aq_error *err)
{
    while (!p->complete) {
        uint64_t now_us = host->now_us(host->ctx);
        int wait_ms = now_us < p->until_us ? (int)((p->until_us - now_us + 999) / 1000) : 0;
        struct pollfd want = { .fd = fd, .events = POLLIN };
        int ready = poll(&want, 1, wait_ms);
        if (ready < 0) { /* a signal: it may mean that nobody wants the token any more */
            return intake_fail(err, AQ_E_BUSY, errno, object,
                               "the wait for its writer was interrupted, try again");
        }
        if (ready == 0) {
            return intake_fail(err, AQ_E_BUSY, 0, object,
                               "its writer has not come to an end for 5 s, close the pipe's other "
                               "end after writing the token");
        }
        if (p->in.len == ROOM) {
            return fail_size(err, object);
        }
        ssize_t n = read(fd, p->in.ptr + p->in.len, ROOM - p->in.len);
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            return fail_read(err, errno, object);
        }
        p->in.len += n > 0 ? (size_t)n : 0;
        p->complete = n == 0;
    }
    return AQ_OK;
}

static aq_status intake_pipe(const struct aq_host *host, const char *object, int fd,
                             const struct stat *info, struct intake *ret, struct aq_error *err)
{
    struct intake copy;
    struct pipe *p = pipe_find(info);
    p = p ? p : pipe_new(host, object, info, err);
    if (!p) {
        return err->status;
    }
    aq_status status = pipe_read(host, object, fd, p, err);
    if (status == AQ_OK) {
        status = make_room(object, &copy, err);
    }
    if (status == AQ_OK) {
        memcpy(copy.ptr, p->in.ptr, p->in.len);
        copy.len = p->in.len;
        *ret = copy;
    }
    return status;
}

/* ---- descriptors ---- */

aq_status intake_descriptor(const struct aq_host *host, const char *object, int fd,
                            struct intake *ret, struct aq_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct stat info;
    if (fstat(fd, &info) != 0 || !(S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode))) {
        return intake_fail(err, AQ_E_CORRUPT, 0, object,
                           "neither an open file nor a pipe, start the program with %d<FILE", fd);
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC); /* programs that are started from here have no use for it */
    if (S_ISREG(info.st_mode)) {
        return read_regular(object, fd, &info, ret, err);
    }
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&mutex);
    aq_status status = intake_pipe(host, object, fd, &info, ret, err);
    pthread_mutex_unlock(&mutex);
    return status;
}
