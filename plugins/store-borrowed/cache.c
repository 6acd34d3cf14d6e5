/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"
#include "sha1.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    AGAIN_NS = 50 * 1000 * 1000, /* between two looks at a file that is being written */
    LOOKS = 10,                  /* at it, or at all of them */
    NAME_LEN = SHA1_HEX_LEN + sizeof(".json") - 1,
};

#define CACHE "AWS SSO cache"

/* ---- one file ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* It ends as a JSON object does. */
static bool is_whole(const struct intake *in)
{
    size_t len = in->len;
    while (len > 0 && is_space(in->ptr[len - 1])) {
        len--;
    }
    return len > 0 && in->ptr[len - 1] == '}';
}

static aq_status look(const char *dir, const char *name, struct intake *ret, struct aq_error *err)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (len < 0 || (size_t)len >= sizeof(path)) {
        return intake_fail(err, AQ_E_INVALID, 0, CACHE, "its path is too long, use a shorter one");
    }
    return intake_file(path, path, ret, err);
}

static void pause_between_looks(void)
{
    static const struct timespec pause = { .tv_nsec = AGAIN_NS };
    nanosleep(&pause, NULL);
}

aq_status cache_read(const char *dir, const char *name, struct intake *ret, struct aq_error *err)
{
    for (int i = 1;; i++) {
        aq_status status = look(dir, name, ret, err);
        if (status != AQ_OK || is_whole(ret) || i == LOOKS) {
            return status;
        }
        intake_done(ret);
        pause_between_looks();
    }
}

/* ---- sessions ---- */

/* 40 hexadecimal digits and ".json"; registrations of clients may be called so, too. */
static bool is_hashed(const char *name)
{
    return strlen(name) == NAME_LEN && strspn(name, "0123456789abcdef") == SHA1_HEX_LEN &&
           strcmp(name + SHA1_HEX_LEN, ".json") == 0;
}

static bool holds_token(const struct intake *in)
{
    static const char member[] = "\"accessToken\"";
    return in->ptr && memmem(in->ptr, in->len, member, sizeof(member) - 1) != NULL;
}

/* A look at all of them. */
struct scan {
    const char *dir;
    bool last;       /* what is not whole now will not be */
    bool unfinished; /* one may be: it is being written */
    struct intake found;
};

/* Take this file if it has a token, unless another one was taken. */
static aq_status look_at(struct scan *scan, const char *name, struct aq_error *err)
{
    struct intake in = { 0 };
    struct aq_error why;
    aq_status status = look(scan->dir, name, &in, &why);
    if (status == AQ_E_NOMEM) {
        *err = why;
        return status;
    }
    if (status != AQ_OK) { /* gone by now, or not ours to read */
        return AQ_OK;
    }
    bool unfinished = !is_whole(&in) && !scan->last;
    if (unfinished || !holds_token(&in)) {
        scan->unfinished |= unfinished;
        intake_done(&in);
        return AQ_OK;
    }
    if (scan->found.ptr) {
        intake_done(&in);
        return intake_fail(err, AQ_E_INVALID, 0, CACHE,
                           "%s has tokens of several sessions, name one: Q_SSO_SESSION=NAME, or "
                           "its start URL",
                           scan->dir);
    }
    scan->found = in;
    return AQ_OK;
}

static aq_status look_at_all(struct scan *scan, struct aq_error *err)
{
    DIR *entries = opendir(scan->dir);
    const struct dirent *entry;
    aq_status status = AQ_OK;
    while (entries && status == AQ_OK && (entry = readdir(entries)) != NULL) {
        if (is_hashed(entry->d_name)) {
            status = look_at(scan, entry->d_name, err);
        }
    }
    if (entries) {
        closedir(entries);
    }
    if (status != AQ_OK) {
        intake_done(&scan->found);
        return status;
    }
    return scan->found.ptr ? AQ_OK : AQ_E_NOTFOUND;
}

/* Whatever is left half-written there does not keep a token waiting, and all of it no longer than
 * one file would. */
static aq_status find_only(const char *dir, struct intake *ret, struct aq_error *err)
{
    struct scan scan = { .dir = dir };
    aq_status status = look_at_all(&scan, err);
    for (int i = 2; i <= LOOKS && status == AQ_E_NOTFOUND && scan.unfinished; i++) {
        pause_between_looks();
        scan = (struct scan){ .dir = dir, .last = i == LOOKS };
        status = look_at_all(&scan, err);
    }
    *ret = scan.found;
    return status;
}

aq_status cache_read_session(const char *dir, struct aq_str session, struct intake *ret,
                             struct aq_error *err)
{
    char name[NAME_LEN + 1];
    char hash[SHA1_HEX_LEN + 1];
    if (session.len == 0) {
        return find_only(dir, ret, err);
    }
    sha1_hex(session.ptr, session.len, hash);
    (void)snprintf(name, sizeof(name), "%s.json", hash);
    return cache_read(dir, name, ret, err);
}
