/* SPDX-License-Identifier: Apache-2.0 */
#include "host/accepted.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "host/paths.h"
#include "host/trust.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX = 4096, /* bytes */
    LINES_MAX = 32,  /* the newest logins */
    NAME_MAX_LEN = 16,
};

void accepted_done(struct accepted *a)
{
    buf_done(&a->text);
    *a = (struct accepted){ 0 };
}

struct accepted_key accepted_key(struct aq_str source, struct aq_str start_url,
                                 struct aq_str profile_arn)
{
    const struct aq_str parts[] = { source, start_url, profile_arn };
    struct accepted_key key;
    uint8_t digest[SHA256_LEN];
    struct sha256 h;
    sha256_init(&h);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        sha256_add(&h, str_bytes(parts[i]));
        sha256_add(&h, (struct aq_bytes){ (const uint8_t *)"", 1 });
    }
    sha256_done(&h, digest);
    sha256_hex(digest, key.hex);
    return key;
}

/* ---- the lines ---- */

static bool is_name(struct aq_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 'a' || name.ptr[i] > 'z') {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

/* Take a line apart. False if it is none of ours. */
static bool split(struct aq_str line, struct aq_str *ret_hex, struct aq_str *ret_name)
{
    *ret_hex = str_cut(&line, ' ');
    *ret_name = line;
    return ret_hex->len == SHA256_HEX_LEN && is_name(line);
}

static struct aq_str find(struct aq_str text, const struct accepted_key *key)
{
    struct aq_str hex;
    struct aq_str name;
    while (text.ptr) {
        struct aq_str line = str_cut(&text, '\n');
        if (split(line, &hex, &name) && str_eq(hex, str_from(key->hex))) {
            return name;
        }
    }
    return (struct aq_str){ NULL, 0 };
}

/* Append the text with this line at its front, or without it. */
static void edit(struct aq_str text, const struct accepted_key *key, struct aq_str site,
                 struct buf *out)
{
    struct aq_str hex;
    struct aq_str name;
    size_t lines = 0;
    if (site.len) {
        buf_printf(out, "%s %.*s\n", key->hex, AQ_STR_ARG(site));
        lines++;
    }
    while (text.ptr) {
        struct aq_str line = str_cut(&text, '\n');
        if (split(line, &hex, &name) && !str_eq(hex, str_from(key->hex)) && lines < LINES_MAX) {
            buf_add(out, line);
            buf_add_char(out, '\n');
            lines++;
        }
    }
}

/* ---- the file ---- */

/* A privileged process leaves the files of its user alone. */
static bool find_file(struct buf *ret)
{
    return !trust_is_privileged() && paths_cache(ret) &&
           (buf_add(ret, AQ_STR("/endpoints")), buf_status(ret) == AQ_OK);
}

static void load(struct accepted *a)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    struct stat info;
    a->loaded = true;
    a->text.max = FILE_MAX;
    int fd = find_file(&path)
                 ? open((const char *)path.ptr, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
                 : -1;
    if (fd < 0) {
        return;
    }
    bool ours = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
                !trust_others_can_write(&info);
    if (ours && file_read(fd, &a->text) != AQ_OK) {
        buf_clear(&a->text);
    }
    close(fd);
}

/* Written beside and renamed; of two processes that do so at once the later one wins. */
static void save(struct aq_str text)
{
    AUTO(buf) struct buf path = BUF(PATH_MAX);
    AUTO(buf) struct buf dir = BUF(PATH_MAX);
    AUTO(buf) struct buf beside = BUF(PATH_MAX);
    if (!find_file(&path) || !paths_cache(&dir) || !paths_make_private((const char *)dir.ptr)) {
        return;
    }
    buf_printf(&beside, "%s.XXXXXX", (const char *)path.ptr);
    int fd = buf_status(&beside) == AQ_OK ? mkostemp((char *)beside.ptr, O_CLOEXEC) : -1; /* 0600 */
    if (fd < 0) {
        return;
    }
    bool written = write(fd, text.ptr, text.len) == (ssize_t)text.len;
    close(fd);
    if (!written || rename((const char *)beside.ptr, (const char *)path.ptr) != 0) {
        unlink((const char *)beside.ptr);
    }
}

/* ---- the face ---- */

struct aq_str accepted_find(struct accepted *a, const struct accepted_key *key)
{
    if (!a->loaded) {
        load(a);
    }
    return find(buf_str(&a->text), key);
}

void accepted_set(struct accepted *a, const struct accepted_key *key, struct aq_str site)
{
    struct buf text = BUF(FILE_MAX);
    if (str_eq(accepted_find(a, key), site) || (site.len && !is_name(site))) {
        return;
    }
    buf_done(&a->text); /* what others have added meanwhile stays */
    load(a);
    edit(buf_str(&a->text), key, site, &text);
    buf_done(&a->text);
    a->text = text;
    if (buf_status(&text) == AQ_OK) {
        save(buf_str(&text));
    }
}
