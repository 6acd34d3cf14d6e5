/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What store-sqlite promises when the power fails. Every write, sync and change of the directory
 * is recorded while values are saved; then the disk is rebuilt as a power cut could have left it:
 * what was synced is there, of what was not any part is, down to single sectors and in any order.
 */
#include "calls.h"
#include "instance.h"
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SAVES = 12,
    SECTOR = 512,
    FILES_MAX = 64,
    EVENTS_MAX = 4000,
    DISK_MAX = 1 << 20, /* bytes of a file */
};

/* what happened to the disk */

enum event_kind {
    EVENT_WRITE,
    EVENT_CUT,
    EVENT_SYNC,
    EVENT_LINK,   /* a file got a name */
    EVENT_UNLINK, /* and lost it */
    EVENT_SYNC_NAMES,
    EVENT_ACKNOWLEDGED,
};

struct event {
    enum event_kind kind;
    int file; /* or number of the save */
    int name;
    off_t at;
    size_t len;
    unsigned char *bytes;
};

enum { DATABASE, JOURNAL, WAL, NAMES };
static const char *const suffixes[NAMES] = { "", "-journal", "-wal" };

static struct {
    char dir[500];
    char path[600];
    struct event events[EVENTS_MAX];
    int count;
    ino_t files[FILES_MAX]; /* a number that is used again belongs to another file */
    int file_count;
    int named[NAMES];     /* file of each name; -1: none */
    bool ignores_syncs;   /* of files */
    bool ignores_renames; /* syncs of the directory, that is */
} disk;

static struct event *add_event(enum event_kind kind, int file)
{
    assert_true(disk.count < EVENTS_MAX);
    struct event *e = &disk.events[disk.count++];
    *e = (struct event){ .kind = kind, .file = file };
    return e;
}

static int name_of(const char *path)
{
    size_t len = strlen(disk.path);
    for (int n = 0; n < NAMES; n++) {
        if (strncmp(path, disk.path, len) == 0 && strcmp(path + len, suffixes[n]) == 0) {
            return n;
        }
    }
    return -1;
}

/* The file a descriptor is open on; -1 if it has no name that matters. */
static int file_of(int fd)
{
    struct stat st;
    assert_int_equal(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
    for (int n = 0; n < NAMES; n++) {
        if (disk.named[n] >= 0 && disk.files[disk.named[n]] == st.st_ino) {
            return disk.named[n];
        }
    }
    return -1;
}

static void record_open(const struct call *c, int fd)
{
    struct stat st;
    int name = name_of(c->path);
    if (name >= 0 && (c->flags & O_CREAT) && disk.named[name] < 0) {
        assert_int_equal(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
        assert_true(disk.file_count < FILES_MAX);
        disk.files[disk.file_count] = st.st_ino;
        disk.named[name] = disk.file_count++;
        add_event(EVENT_LINK, disk.named[name])->name = name;
    }
}

static void record_unlink(const struct call *c)
{
    int name = name_of(c->path);
    if (name >= 0) {
        add_event(EVENT_UNLINK, disk.named[name])->name = name;
        disk.named[name] = -1;
    }
}

static void record_sync(int fd)
{
    struct stat st;
    int file = file_of(fd);
    assert_int_equal(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
    if (S_ISDIR(st.st_mode) && !disk.ignores_renames) {
        add_event(EVENT_SYNC_NAMES, -1);
    } else if (file >= 0 && !disk.ignores_syncs) {
        add_event(EVENT_SYNC, file);
    }
}

static void record_change(const struct call *c, enum event_kind kind)
{
    int file = file_of(c->fd);
    if (file >= 0) {
        struct event *e = add_event(kind, file);
        e->at = c->at;
        e->len = c->len;
        if (c->len) {
            e->bytes = malloc(c->len);
            assert_non_null(e->bytes);
            memcpy(e->bytes, c->bytes, c->len);
        }
    }
}

static void record(const struct call *c, long result)
{
    if (result < 0) {
        return;
    }
    switch (c->kind) {
    case CALL_OPEN:
        record_open(c, (int)result);
        break;
    case CALL_UNLINK:
        record_unlink(c);
        break;
    case CALL_SYNC:
        record_sync(c->fd);
        break;
    case CALL_WRITE:
        assert_int_equal(result, c->len);
        record_change(c, EVENT_WRITE);
        break;
    case CALL_TRUNCATE:
        record_change(c, EVENT_CUT);
        break;
    default:
        break;
    }
}

static void forget_events(void)
{
    for (int n = 0; n < disk.count; n++) {
        free(disk.events[n].bytes);
    }
    disk.count = 0;
    disk.file_count = 0;
    for (int n = 0; n < NAMES; n++) {
        disk.named[n] = -1;
    }
}

/* what the power cut leaves */

struct image {
    unsigned char bytes[DISK_MAX];
    off_t len;
};

static bool by_chance(void)
{
    return rand() % 2;
}

static void apply_write(struct image *image, const struct event *e, bool is_synced)
{
    for (size_t done = 0; done < e->len;) {
        size_t step = SECTOR - (size_t)(e->at + (off_t)done) % SECTOR;
        step = step < e->len - done ? step : e->len - done;
        off_t end = e->at + (off_t)(done + step);
        assert_true(end <= DISK_MAX);
        if (is_synced || by_chance()) {
            memcpy(image->bytes + e->at + done, e->bytes + done, step);
            image->len = image->len > end ? image->len : end;
        }
        done += step;
    }
}

static void apply_cut(struct image *image, const struct event *e)
{
    assert_true(e->at <= DISK_MAX);
    if (e->at < image->len) {
        memset(image->bytes + e->at, 0, (size_t)(image->len - e->at));
    }
    image->len = e->at;
}

/* The last event of a kind before the cut; -1: none. */
static int last_event(enum event_kind kind, int file, int cut)
{
    int n = cut - 1;
    while (n >= 0 && (disk.events[n].kind != kind || disk.events[n].file != file)) {
        n--;
    }
    return n;
}

/* Content of a file after a power cut in front of that event. */
static void rebuild_file(struct image *image, int file, int cut)
{
    int synced = last_event(EVENT_SYNC, file, cut);
    memset(image, 0, sizeof(*image));
    for (int n = 0; n < cut; n++) {
        const struct event *e = &disk.events[n];
        if (e->file == file && e->kind == EVENT_WRITE) {
            apply_write(image, e, n < synced);
        } else if (e->file == file && e->kind == EVENT_CUT && (n < synced || by_chance())) {
            apply_cut(image, e);
        }
    }
}

static void rebuild_names(int named[NAMES], int cut)
{
    int synced = last_event(EVENT_SYNC_NAMES, -1, cut);
    for (int n = 0; n < NAMES; n++) {
        named[n] = -1;
    }
    for (int n = 0; n < cut; n++) {
        const struct event *e = &disk.events[n];
        if ((e->kind == EVENT_LINK || e->kind == EVENT_UNLINK) && (n < synced || by_chance())) {
            named[e->name] = e->kind == EVENT_LINK ? e->file : -1;
        }
    }
}

static void rebuild(const char *path, int cut)
{
    static struct image image;
    int named[NAMES];
    rebuild_names(named, cut);
    for (int n = 0; n < NAMES; n++) {
        char name[650];
        snprintf(name, sizeof(name), "%s%s", path, suffixes[n]);
        if (named[n] >= 0) {
            rebuild_file(&image, named[n], cut);
            int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
            assert_true(fd >= 0);
            assert_int_equal(write(fd, image.bytes, (size_t)image.len), image.len);
            assert_int_equal(close(fd), 0);
        }
    }
}

/* saving, and looking what is left */

static int set_up(void **state)
{
    (void)state;
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1); /* the disk that loses power is not this one */
    }
    char *dir = dir_make();
    memset(&disk, 0, sizeof(disk));
    snprintf(disk.dir, sizeof(disk.dir), "%s", dir);
    snprintf(disk.path, sizeof(disk.path), "%s/data.sqlite3", dir);
    free(dir);
    forget_events();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    forget_events();
    dir_remove(strdup(disk.dir));
    return 0;
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A number, and so much behind it that it takes some pages, sometimes more than before. */
static void fill_value(char *value, size_t cap, int number)
{
    int len = snprintf(value, cap, "%d ", number);
    size_t end = 100 + (size_t)(number * 2711) % (cap - 200);
    memset(value + len, 'a' + number % 26, end - (size_t)len);
    value[end] = '\0';
}

enum mode { ROLLBACK_MODE, WAL_MODE };

/* Make a database, save the numbers from 1 on, and record. In WAL mode another program sees to
 * that, and moves what was saved into the database halfway. */
static void save_all(enum mode mode)
{
    static char value[40000];
    struct instance i;
    instance_open_sqlite(&i, disk.path);
    calls_done = record;
    for (int n = 1; n <= SAVES; n++) {
        fill_value(value, sizeof(value), n);
        assert_int_equal(instance_put(&i, "k", value), AQ_OK);
        add_event(EVENT_ACKNOWLEDGED, n);
        if (mode == WAL_MODE && n == 1) {
            sql(disk.path, "PRAGMA journal_mode=WAL");
        } else if (mode == WAL_MODE && n == SAVES / 2) {
            sql(disk.path, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }
    calls_done = NULL;
    instance_close(&i);
}

static int keep_text(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, 64, "%s", values[0]);
    return 0;
}

static bool is_sound(const char *path)
{
    sqlite3 *db;
    char text[64] = "ok";
    if (access(path, F_OK) != 0) {
        return true;
    }
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    int rc = sqlite3_exec(db, "PRAGMA integrity_check", keep_text, text, NULL);
    sqlite3_close(db);
    return rc == SQLITE_OK && strcmp(text, "ok") == 0;
}

/* The number that is found after the power is back; 0: none, -1: it cannot be read, or is torn. */
static int number_after(int cut)
{
    static char expected[40000];
    struct instance i;
    char dir[520], path[600];
    int number = -1;

    snprintf(dir, sizeof(dir), "%s/after", disk.dir);
    snprintf(path, sizeof(path), "%s/data.sqlite3", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    rebuild(path, cut);
    instance_open_sqlite(&i, path);
    aq_status status = instance_get(&i, "k");
    if (status == AQ_OK) {
        fill_value(expected, sizeof(expected), atoi(i.value));
        bool whole = strncmp(i.value, expected, sizeof(i.value) - 1) == 0;
        number = whole ? atoi(i.value) : -1;
    } else if (status == AQ_E_NOTFOUND) {
        number = 0;
    }
    bool sound = is_sound(path);
    instance_close(&i);
    dir_remove(strdup(dir));
    return sound ? number : -1;
}

/* Cut the power at so many moments; how often what was acknowledged is lost. */
static int count_losses(int points)
{
    int lost = 0;
    srand(1);
    for (int n = 0; n < points; n++) {
        int cut = 1 + rand() % disk.count;
        int acknowledged = 0;
        for (int e = 0; e < cut; e++) {
            if (disk.events[e].kind == EVENT_ACKNOWLEDGED) {
                acknowledged = disk.events[e].file;
            }
        }
        int found = number_after(cut);
        lost += found != acknowledged && found != acknowledged + 1;
    }
    return lost;
}

static void what_was_acknowledged_survives_a_power_cut(void **state)
{
    int points = rounds(500, 5000);
    (void)state;
    save_all(ROLLBACK_MODE);
    assert_int_equal(count_losses(points), 0);
    rounds_report("S4", "power cut, what was not synced lost or torn", (unsigned)points);
}

static void what_was_acknowledged_in_wal_mode_survives_a_power_cut(void **state)
{
    int points = rounds(500, 5000);
    (void)state;
    save_all(WAL_MODE);
    assert_int_equal(count_losses(points), 0);
    rounds_report("S4", "power cut in WAL mode, what was not synced lost or torn",
                  (unsigned)points);
}

/* The two that follow show that the above can fail. */

static void where_syncs_are_ignored_a_power_cut_loses_saves(void **state)
{
    (void)state;
    disk.ignores_syncs = true;
    save_all(ROLLBACK_MODE);
    assert_true(count_losses(50) > 0);
}

static void where_only_those_of_the_directory_are_ignored_it_loses_saves_too(void **state)
{
    (void)state;
    disk.ignores_renames = true;
    save_all(ROLLBACK_MODE);
    assert_true(count_losses(50) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_acknowledged_survives_a_power_cut),
        TEST(what_was_acknowledged_in_wal_mode_survives_a_power_cut),
        TEST(where_syncs_are_ignored_a_power_cut_loses_saves),
        TEST(where_only_those_of_the_directory_are_ignored_it_loses_saves_too),
    };
    return cmocka_run_group_tests_name("store-sqlite-power", tests, NULL, NULL);
}
