/* SPDX-License-Identifier: Apache-2.0 */
/* Where nothing can be saved: can_save says so before, and a commit leaves everything as it was. */
#include "store/instance.h"
#include "store/parts.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LARGE = 200000 };

static void can_save_changes_no_value(struct trial *t)
{
    struct instance i;
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    if (i.ops->lock) {
        instance_lock(&i);
    }
    instance_get(&i, KEY("a"));
    aq_status st = instance_can_save(&i);
    if (st != AQ_OK) {
        trial_fail(t, "can_save returned %s (%s) where a commit had just succeeded",
                   aq_status_name(st), i.w.err.text);
    }
    if (!instance_has(&i, KEY("a"), VALUE("1"))) {
        trial_fail(t, "after can_save there was %s; it changes no value",
                   instance_shown(&i, KEY("a")));
    }
    const struct aq_change change = change_expecting(change_put(KEY("a"), VALUE("2")), VALUE("1"));
    st = instance_commit(&i, &change, 1);
    if (st != AQ_OK) {
        trial_fail(t, "can_save said AQ_OK and the commit returned %s (%s)", aq_status_name(st),
                   i.w.err.text);
    }
    if (i.ops->lock) {
        instance_unlock(&i);
    }
    instance_close(&i);
}

static void needs_files(struct trial *t)
{
    instance_needs_trait(t, AQ_STORE_PERSISTENT);
    if (t->is_elsewhere) {
        trial_skip(t, "its place is not in the trial's own directory");
    }
}

/* Root is refused nothing; without these capabilities it is like anybody. */
static void give_up_root(struct trial *t)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { { 0 } };
    if (geteuid() == 0 && syscall(SYS_capset, &header, none) != 0) {
        trial_skip(t, "root's capabilities could not be given up: %s", strerror(errno));
    }
}

static void make_read_only(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        chmod(path, S_ISDIR(st.st_mode) ? 0500 : 0400);
    }
}

/* What can_save said and what commit then did. */
struct attempt {
    aq_status said, did;
    char text[sizeof((struct aq_error){ 0 }.text)];
};

static struct attempt attempt(struct instance *i, const char *value)
{
    const struct aq_change changes[] = { change_put(KEY("a"), value), change_put(KEY("b"), value) };
    struct attempt made = { 0 };
    const bool locks = i->ops->lock && instance_lock(i) == AQ_OK;
    instance_get(i, KEY("a"));
    made.said = i->ops->can_save ? instance_can_save(i) : AQ_AGAIN;
    made.did = instance_commit(i, changes, 2);
    snprintf(made.text, sizeof(made.text), "%s", i->w.err.text);
    if (locks) {
        instance_unlock(i);
    }
    return made;
}

/* A commit that fails says what is in the way, and leaves the old values. */
static void require_old_or_new(struct instance *i, const char *where, const struct attempt *made,
                               const char *value)
{
    if (made->did == AQ_E_CHANGED || made->did == AQ_E_NOTFOUND || made->did == AQ_E_CORRUPT) {
        trial_fail(i->w.trial,
                   "%s commit returned %s (%s); the reason is that nothing can be written", where,
                   aq_status_name(made->did), made->text);
    }
    const char *const wanted = made->did == AQ_OK ? value : VALUE("1");
    if (!instance_has(i, KEY("a"), wanted) || !instance_has(i, KEY("b"), wanted)) {
        trial_fail(i->w.trial, "%s commit returned %s, and afterwards there was %s and %s", where,
                   aq_status_name(made->did), instance_shown(i, KEY("a")),
                   instance_shown(i, KEY("b")));
    }
}

static void require_truth(struct instance *i, const char *where, const char *value)
{
    const struct attempt made = attempt(i, value);
    if (made.said == AQ_OK && made.did != AQ_OK) {
        trial_fail(
            i->w.trial,
            "%s can_save said AQ_OK and commit returned %s (%s); the refresh token would have "
            "been spent for nothing",
            where, aq_status_name(made.did), made.text);
    }
    require_old_or_new(i, where, &made, value);
}

static void can_save_tells_the_truth(struct trial *t)
{
    struct instance i;
    struct stat st;
    char inside[700];
    needs_files(t);
    give_up_root(t);
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    instance_put(&i, KEY("b"), VALUE("1"));
    require_truth(&i, "where everything can be written,", VALUE("1"));
    instance_close(&i);

    const char *const path = trial_setting(t, "path");
    const char *const directory = trial_setting(t, "directory");
    if (path && stat(path, &st) == 0) {
        make_read_only(path);
    }
    if (directory) {
        make_read_only(directory);
    }
    make_read_only(t->dir);
    snprintf(inside, sizeof(inside), "%s/try", t->dir);
    if (access(inside, F_OK) != 0 && mkdir(inside, 0700) == 0) {
        trial_skip(t, "directories that forbid writing cannot be made here");
    }
    instance_open(&i, t);
    require_truth(&i, "where neither the file nor its directory may be written to,", VALUE("2"));
    instance_close(&i);
    chmod(t->dir, 0700);
}

static char large[LARGE + 1];

static void fill_large(void)
{
    memset(large, 'x', LARGE);
    memcpy(large, TRIAL_SECRET, sizeof(TRIAL_SECRET) - 1);
}

/* Writing stops at some length of a file, as on a full disk; nobody needs any rights for that. */
static void full_disk_changes_nothing(struct trial *t)
{
    static const rlim_t limits[] = { 0, 1, 512, 4096, 5000, 16384, 65536, 150000 };
    struct rlimit unlimited, limited;
    struct instance i;
    needs_files(t);
    fill_large();
    signal(SIGXFSZ, SIG_IGN);
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    instance_put(&i, KEY("b"), VALUE("1"));
    getrlimit(RLIMIT_FSIZE, &unlimited);
    for (size_t n = 0; n < sizeof(limits) / sizeof(limits[0]); n++) {
        char where[96];
        snprintf(where, sizeof(where), "on a disk that is full after %llu bytes of each file,",
                 (unsigned long long)limits[n]);
        limited = (struct rlimit){ limits[n], unlimited.rlim_max };
        setrlimit(RLIMIT_FSIZE, &limited);
        const struct attempt made = attempt(&i, large);
        setrlimit(RLIMIT_FSIZE, &unlimited); /* it forbids to write anew what is there, too */
        require_old_or_new(&i, where, &made, large);
        instance_put(&i, KEY("a"), VALUE("1"));
        instance_put(&i, KEY("b"), VALUE("1"));
    }
    instance_close(&i);
}

/* The real thing, where a file system may be mounted: 256 KiB, and a file that fills them. */
static void full_file_system_changes_nothing(struct trial *t)
{
    struct instance i;
    char filler[700];
    static char page[4096];
    needs_files(t);
    fill_large();
    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", t->dir, "tmpfs", 0, "size=256k,mode=0700") != 0 || chdir(t->dir) != 0) {
        trial_skip(t, "no file system can be mounted here: %s", strerror(errno));
    }
    if (trial_setting(t, "directory")) {
        mkdir(trial_setting(t, "directory"), 0700);
    }
    instance_open(&i, t);
    instance_put(&i, KEY("a"), VALUE("1"));
    instance_put(&i, KEY("b"), VALUE("1"));
    snprintf(filler, sizeof(filler), "%s/filler", t->dir);
    FILE *f = fopen(filler, "we");
    if (!f) {
        trial_skip(t, "the file system could not be filled");
    }
    setvbuf(f, NULL, _IONBF, 0);
    while (fwrite(page, sizeof(page), 1, f) == 1) {
    }
    fclose(f);
    const struct attempt made = attempt(&i, large);
    require_old_or_new(&i, "in a file system that is full,", &made, large);
    unlink(filler);
    instance_put(&i, KEY("a"), VALUE("2"));
    if (!instance_has(&i, KEY("a"), VALUE("2"))) {
        trial_fail(t, "when there was room again a value came back as %s",
                   instance_shown(&i, KEY("a")));
    }
    instance_close(&i);
}

const struct clause store_save_clauses[] = {
    { "store.can-save.harmless", "can_save changes no value, and is right where nothing is wrong.",
      can_save_changes_no_value, 0, 0 },
    { "store.can-save.truth", "can_save says no where a commit would fail.",
      can_save_tells_the_truth, 0, 0 },
    { "store.full.file", "A commit that runs out of room in a file leaves the old values.",
      full_disk_changes_nothing, 0, 120 },
    { "store.full.disk", "A commit on a full file system leaves the old values.",
      full_file_system_changes_nothing, 0, 120 },
    CLAUSES_END,
};
