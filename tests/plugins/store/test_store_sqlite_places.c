/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises about odd places: file systems that others share, disks that look
 * alike, a system without /proc, a process without standard streams. */
#include "calls.h"
#include "child.h"
#include "database.h"
#include "rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static aq_status can_save(struct instance *i)
{
    return i->ops->can_save(i->self, &i->err);
}

/* mount tables: files that are mounted over the real one */

/* The number of the mount a directory is on. */
static int mount_of(const char *dir)
{
    char path[64], line[128];
    int id = -1;
    int fd = open(dir, O_PATH | O_CLOEXEC);
    REQUIRE(fd >= 0);
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    FILE *info = fopen(path, "re");
    REQUIRE(info);
    while (fgets(line, sizeof(line), info)) {
        if (strncmp(line, "mnt_id:", 7) == 0) {
            id = atoi(line + 7);
        }
    }
    fclose(info);
    close(fd);
    REQUIRE(id >= 0);
    return id;
}

/* A mount table in which everything else is odd, and the directory's mount of this type. */
static void set_mount_type(const struct fixture *f, const char *type)
{
    char path[600];
    int id = mount_of(f->dir);
    snprintf(path, sizeof(path), "%.500s.mountinfo", f->dir);
    FILE *table = fopen(path, "we");
    REQUIRE(table);
    fprintf(table, "no number - ext4 none rw\n-7 0 - ext4 none rw\n99999999999 0 - ext4 none rw\n");
    fprintf(table, "%d without the dash\n", id);
    fprintf(table, "%d 1 0:1 / / rw -  none rw\n", id); /* no type */
    fprintf(table, "%d 1 0:1 / / rw - %0100d none rw\n", id, 0);
    fprintf(table, "%d 1 0:1 / /%05000d rw", id + 1, 0); /* longer than a line is read */
    fprintf(table, "\n%d 1 0:1 / / rw - ext4 none rw\n", id + 1);
    fprintf(table, "%d 1 0:1 / / rw shared:1 - %s none rw\n", id, type);
    REQUIRE(fclose(table) == 0);
    REQUIRE(mount(path, "/proc/self/mountinfo", NULL, MS_BIND, NULL) == 0);
    REQUIRE(unlink(path) == 0);
}

static void unset_mount_type(void)
{
    REQUIRE(umount("/proc/self/mountinfo") == 0);
}

static void use_remote(void *arg)
{
    static const char *const remote[] = { "nfs",       "nfs4",     "cifs",  "9p",      "virtiofs",
                                          "fakeowner", "grpcfuse", "ceph",  "vmhgfs",  "fuse.sshfs",
                                          "vboxsf",    "prl_fs",   "drvfs", "fuse.foo" };
    const struct fixture *f = arg;
    struct instance i;
    instance_open_sqlite(&i, f->path);
    for (size_t n = 0; n < sizeof(remote) / sizeof(remote[0]); n++) {
        set_mount_type(f, remote[n]);
        REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
        REQUIRE(can_save(&i) == AQ_E_READONLY && instance_says(&i, remote[n]));
        REQUIRE(instance_put(&i, "k", "1") == AQ_E_READONLY && instance_says(&i, "local disk"));
        unset_mount_type();
    }
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    instance_close(&i);
}

static void on_a_file_system_of_other_machines_it_reads_and_does_not_write(void **state)
{
    child_run_in_namespace(use_remote, *state);
    rounds_report("K6", "directory on a file system of a VM or the network: read, never saved", 14);
}

static void use_local(void *arg)
{
    static const char *const local[] = { "xfs", "fuse.fuse-overlayfs", "fuseblk", "nfsd" };
    const struct fixture *f = arg;
    struct instance i;
    instance_open_sqlite(&i, f->path);
    for (size_t n = 0; n < sizeof(local) / sizeof(local[0]); n++) {
        set_mount_type(f, local[n]);
        REQUIRE(can_save(&i) == AQ_OK);
        REQUIRE(instance_put(&i, "k", local[n]) == AQ_OK);
        unset_mount_type();
    }
    instance_close(&i);
}

static void on_any_other_file_system_it_writes(void **state)
{
    child_run_in_namespace(use_local, *state);
}

static void use_unreadable_table(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    REQUIRE(mount("/proc/self/mem", "/proc/self/mountinfo", NULL, MS_BIND, NULL) == 0);
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    REQUIRE(can_save(&i) == AQ_E_IO && instance_says(&i, "how it is mounted"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_IO && instance_says(&i, "how it is mounted"));
    instance_close(&i);
}

static void a_mount_table_that_cannot_be_read_forbids_saving(void **state)
{
    child_run_in_namespace(use_unreadable_table, *state);
}

static void abandon(void *arg)
{
    const struct fixture *f = arg;
    sqlite3 *db;
    REQUIRE(sqlite3_open(f->path, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db,
                         "PRAGMA cache_size=2; BEGIN; UPDATE auth_kv SET value = 'uncommitted';"
                         "INSERT INTO conversations SELECT column1, hex(zeroblob(20000))"
                         " FROM (VALUES (1), (2), (3))",
                         NULL, NULL, NULL) == SQLITE_OK);
    _exit(0);
}

static void use_interrupted(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    set_mount_type(f, "nfs");
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_E_DENIED && instance_says(&i, "use it where it belongs"));
    unset_mount_type();
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    instance_close(&i);
}

static void an_interrupted_save_is_not_repaired_on_a_file_system_of_other_machines(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(child_end(child_start(abandon, f)), 0);
    child_run_in_namespace(use_interrupted, f);
}

/* A file alone comes from another machine; its directory is of this one. */
static void use_remote_file(void *arg)
{
    const struct fixture *f = arg;
    struct fixture in = { NULL, "" };
    struct instance i;
    snprintf(in.path, sizeof(in.path), "%.300s/in", f->dir);
    REQUIRE(mkdir(in.path, 0700) == 0);
    snprintf(in.path, sizeof(in.path), "%.300s/in/data.sqlite3", f->dir);
    int fd = open(in.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && close(fd) == 0);
    REQUIRE(mount(f->path, in.path, NULL, MS_BIND, NULL) == 0);
    in.dir = in.path; /* what is mounted */
    instance_open_sqlite(&i, in.path);
    set_mount_type(&in, "virtiofs");
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    REQUIRE(i.ops->lock(i.self, &i.err) == AQ_E_READONLY && instance_says(&i, "virtiofs"));
    REQUIRE(can_save(&i) == AQ_E_READONLY && instance_says(&i, "virtiofs"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_READONLY && instance_says(&i, "local disk"));
    instance_close(&i);
}

static void a_file_mounted_from_another_machine_is_read_and_not_written(void **state)
{
    child_run_in_namespace(use_remote_file, *state);
    rounds_report("K6", "file mounted from such a file system: read, never saved", 1);
}

/* mounts that change */

static void use_when_writable(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    REQUIRE(mount(f->dir, f->dir, NULL, MS_BIND, NULL) == 0);
    REQUIRE(mount(NULL, f->dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_READONLY);
    REQUIRE(i.ops->lock(i.self, &i.err) == AQ_E_READONLY);
    REQUIRE(mount(NULL, f->dir, NULL, MS_BIND | MS_REMOUNT, NULL) == 0);
    REQUIRE(i.ops->lock(i.self, &i.err) == AQ_OK);
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "1") == 0);
    instance_close(&i);
}

static void what_becomes_writable_is_written(void **state)
{
    child_run_in_namespace(use_when_writable, *state);
}

/* On each disk the first file; they have the same number. The store knows none of them yet. */
static ino_t make_first_file(const struct fixture *f, const char *value)
{
    char text[sizeof(STORE_SCHEMA) + 100];
    sqlite3 *db;
    struct stat st;
    REQUIRE(mount("none", f->dir, "tmpfs", 0, "size=512k,mode=0700") == 0);
    snprintf(text, sizeof(text), STORE_SCHEMA "INSERT INTO auth_kv VALUES ('k', '%s')", value);
    REQUIRE(sqlite3_open(f->path, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
    REQUIRE(stat(f->path, &st) == 0 && chmod(f->path, 0600) == 0);
    return st.st_ino;
}

static void use_alike_disks(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    ino_t first = make_first_file(f, "first");
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "first") == 0);
    ino_t second = make_first_file(f, "second");
    REQUIRE(first == second);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "second") == 0);
    REQUIRE(i.ops->lock(i.self, &i.err) == AQ_OK);
    REQUIRE(umount2(f->dir, MNT_DETACH) == 0);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "first") == 0);
    REQUIRE(instance_swap(&i, "k", "first", "third") == AQ_OK);
    instance_close(&i);
}

/* Another disk is mounted in front of the n-th system call; its file has the same number. */

static struct {
    int seen, at;
    const char *dir, *other;
    bool hides_proc;
} mounting;

static int mount_meanwhile(const struct call *c)
{
    if (++mounting.seen == mounting.at) {
        REQUIRE(mount(mounting.other, mounting.dir, NULL, MS_BIND, NULL) == 0);
    }
    bool in_proc = c->kind == CALL_OPEN && strncmp(c->path, "/proc/", 6) == 0;
    return mounting.hides_proc && in_proc ? ENOENT : 0;
}

static void save_while_mounted(const struct fixture *f)
{
    struct instance i;
    char other[600];
    bool was_there = false;
    snprintf(other, sizeof(other), "%s/../%s.other", f->dir, strrchr(f->dir, '/') + 1);
    for (mounting.at = 1; mounting.seen + 1 >= mounting.at; mounting.at++) {
        ino_t there = make_first_file(f, "there");
        REQUIRE(mkdir(other, 0700) == 0 && mount(f->dir, other, NULL, MS_MOVE, NULL) == 0);
        REQUIRE(make_first_file(f, "here") == there);
        mounting.dir = f->dir;
        mounting.other = other;
        mounting.seen = 0;
        instance_open_sqlite(&i, f->path);
        calls_refuse = mount_meanwhile;
        aq_status status = instance_swap(&i, "k", "here", "new");
        calls_refuse = NULL;
        bool mounted = mounting.seen >= mounting.at;
        REQUIRE(instance_get(&i, "k") == AQ_OK);
        /* what is acknowledged is never on the disk that is covered, unless it was after the end */
        if (mounted && strcmp(i.value, "there") == 0) {
            was_there |= status != AQ_OK;
        } else {
            REQUIRE(status == AQ_OK && strcmp(i.value, "new") == 0);
        }
        instance_close(&i);
        REQUIRE(!mounted || umount2(f->dir, MNT_DETACH) == 0);
        char in_other[700];
        snprintf(in_other, sizeof(in_other), "%s/data.sqlite3", other);
        REQUIRE(unlink(f->path) == 0 && unlink(in_other) == 0); /* so that the store lets go */
        REQUIRE(umount2(f->dir, MNT_DETACH) == 0 && umount2(other, MNT_DETACH) == 0);
        REQUIRE(rmdir(other) == 0);
    }
    REQUIRE(mounting.at > 20 && was_there);
}

static void mount_at_each_call(void *arg)
{
    mounting.seen = 1;
    save_while_mounted(arg);
    mounting.seen = 1;
    mounting.hides_proc = true;
    save_while_mounted(arg);
}

static void a_disk_mounted_over_the_database_while_it_is_saved_is_noticed(void **state)
{
    child_run_in_namespace(mount_at_each_call, *state);
}

static void files_with_one_number_on_two_disks_are_two_databases(void **state)
{
    child_run_in_namespace(use_alike_disks, *state);
}

/* without /proc */

static void use_without_proc(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    REQUIRE(mount("none", "/proc", "tmpfs", 0, NULL) == 0);
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "0") == 0);
    REQUIRE(can_save(&i) == AQ_OK);
    REQUIRE(instance_put(&i, "k", "1") == AQ_OK);
    REQUIRE(instance_get(&i, "k") == AQ_OK && strcmp(i.value, "1") == 0);
    instance_close(&i);
    REQUIRE(umount("/proc") == 0); /* who looks for leaks needs it */
}

static struct {
    unsigned at, seen;
} stats = { .seen = 1 };

static int refuse_nth_stat(const struct call *c)
{
    return c->kind == CALL_STAT && ++stats.seen == stats.at ? EIO : 0;
}

static void use_remote_without_proc(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    REQUIRE(mount("none", "/proc", "tmpfs", 0, NULL) == 0);
    instance_open_sqlite(&i, f->path);
    calls_file_system = 0x6969;
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    REQUIRE(can_save(&i) == AQ_E_READONLY && instance_says(&i, "on a nfs file system"));
    calls_file_system = 0;
    calls_refuse = refuse_nth_stat;
    aq_status status = AQ_OK;
    for (stats.at = 1; stats.seen + 1 >= stats.at; stats.at++) {
        stats.seen = 0;
        status = can_save(&i); /* an error where it is needed to know, never a crash */
        REQUIRE(status == AQ_OK || status == i.err.status);
    }
    calls_refuse = NULL;
    REQUIRE(status == AQ_OK);
    instance_close(&i);
    REQUIRE(umount("/proc") == 0);
}

static void without_proc_a_file_system_of_other_machines_is_known_by_its_number(void **state)
{
    child_run_in_namespace(use_remote_without_proc, *state);
}

/* The kernel does not say through which mount, as before 5.8; or where nothing can be known. */
static int refuse_statx(const struct call *c)
{
    return c->kind == CALL_STAT && (c->flags & AT_EMPTY_PATH) ? ENOSYS : 0;
}

static void use_with_old_kernel(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    instance_open_sqlite(&i, f->path);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    calls_refuse = refuse_statx;
    REQUIRE(can_save(&i) == AQ_OK); /* /proc says it */
    REQUIRE(mount("none", "/proc", "tmpfs", 0, NULL) == 0);
    REQUIRE(instance_get(&i, "k") == AQ_OK);
    REQUIRE(can_save(&i) == AQ_E_READONLY && instance_says(&i, "mount /proc"));
    REQUIRE(instance_put(&i, "k", "1") == AQ_E_READONLY);
    calls_refuse = NULL;
    REQUIRE(umount("/proc") == 0);
    instance_close(&i);
}

static void where_nothing_says_how_it_is_mounted_nothing_is_saved(void **state)
{
    child_run_in_namespace(use_with_old_kernel, *state);
}

static void without_proc_it_reads_and_writes(void **state)
{
    child_run_in_namespace(use_without_proc, *state);
}

/* without standard streams */

static void use_without_streams(void *arg)
{
    const struct fixture *f = arg;
    struct instance i;
    struct stat database, stream;
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        close(fd);
    }
    instance_open_sqlite(&i, f->path);
    aq_status status = instance_get(&i, "k");
    aq_status put = instance_put(&i, "k", "1");
    if (status != AQ_OK || put != AQ_OK || stat(f->path, &database) != 0) {
        _exit(2);
    }
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fstat(fd, &stream) == 0 && stream.st_dev == database.st_dev) {
            _exit(3 + fd); /* what is printed would go into it */
        }
    }
    instance_close(&i);
}

static void no_descriptor_of_the_database_takes_the_place_of_a_standard_stream(void **state)
{
    assert_int_equal(child_end(child_start(use_without_streams, *state)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(on_a_file_system_of_other_machines_it_reads_and_does_not_write),
        TEST(on_any_other_file_system_it_writes),
        TEST(a_mount_table_that_cannot_be_read_forbids_saving),
        TEST(an_interrupted_save_is_not_repaired_on_a_file_system_of_other_machines),
        TEST(a_file_mounted_from_another_machine_is_read_and_not_written),
        TEST(what_becomes_writable_is_written),
        TEST(files_with_one_number_on_two_disks_are_two_databases),
        TEST(a_disk_mounted_over_the_database_while_it_is_saved_is_noticed),
        TEST(without_proc_it_reads_and_writes),
        TEST(without_proc_a_file_system_of_other_machines_is_known_by_its_number),
        TEST(where_nothing_says_how_it_is_mounted_nothing_is_saved),
        TEST(no_descriptor_of_the_database_takes_the_place_of_a_standard_stream),
    };
    return cmocka_run_group_tests_name("store-sqlite in odd places", tests, NULL, NULL);
}
