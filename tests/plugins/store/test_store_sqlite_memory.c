/* SPDX-License-Identifier: Apache-2.0 */
/* What store-sqlite promises when memory runs out: every operation, with its n-th allocation
 * failing for n = 1, 2, ... until it needs no more. malloc of this program replaces that of libc,
 * so what the plugin, its SQLite and libc itself ask for is counted. */
#include "child.h"
#include "instance.h"
#include "rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SCHEMA \
    "CREATE TABLE migrations (id INTEGER PRIMARY KEY, version INTEGER NOT NULL," \
    " migration_time INTEGER NOT NULL);" \
    "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);" \
    "CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);" \
    "INSERT INTO migrations (version, migration_time) VALUES (0,1),(5,1),(7,1);"
#define OLD "the old value"
#define NEW "a new value, which is longer than the old one was"

enum {
    ALLOCATIONS_MAX = 3000, /* more than any operation needs */
    /* the bytes that SQLite's locks are on */
    SQLITE_LOCKS = 0x40000000,
    SQLITE_LOCKS_LEN = 512,
    /* a sanitizer's own strdup goes past malloc, but not past free; it looks for leaks itself */
    ALL_ARE_COUNTED = AQ_TEST_ALL_ARE_COUNTED,
};

/* the allocator; AQ_TEST_REAL(malloc) is the one that is replaced */

#define EXPORT __attribute__((visibility("default")))
#define REAL_(prefix, name) prefix##name
#define REAL__(prefix, name) REAL_(prefix, name)
#define REAL(name) REAL__(AQ_TEST_REAL_PREFIX, name)

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *ptr, size_t size);
void REAL(free)(void *ptr);

static struct {
    unsigned long fail_at; /* 0: never */
    bool from_then_on;
    unsigned long seen;
    long live; /* allocated and not freed */
} memory;

static bool is_refused(void)
{
    if (!memory.fail_at) {
        return false;
    }
    memory.seen++;
    if (memory.from_then_on ? memory.seen < memory.fail_at : memory.seen != memory.fail_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

static void *counted(void *ptr)
{
    memory.live += ptr != NULL;
    return ptr;
}

EXPORT void *malloc(size_t size)
{
    return is_refused() ? NULL : counted(REAL(malloc)(size));
}

EXPORT void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : counted(REAL(calloc)(count, size));
}

EXPORT void *realloc(void *ptr, size_t size)
{
    if (is_refused()) {
        return NULL;
    }
    void *next = REAL(realloc)(ptr, size);
    return ptr ? next : counted(next);
}

EXPORT void free(void *ptr)
{
    memory.live -= ptr != NULL;
    REAL(free)(ptr);
}

/* a database, and a store on it whose host allocates nothing */

struct fixture {
    char *dir;
    char path[600];
    uint8_t *image; /* of the database */
    size_t image_len;
    struct instance store;
    char value[256]; /* that host->put got; and how often it was called */
    unsigned puts;
};

static aq_status keep(void *ctx, void *sink, struct aq_str key, struct aq_bytes value)
{
    struct fixture *f = sink;
    (void)ctx;
    (void)key;
    size_t len = value.len < sizeof(f->value) ? value.len : sizeof(f->value) - 1;
    if (len) {
        memcpy(f->value, value.ptr, len);
    }
    f->value[len] = '\0';
    f->puts++;
    return AQ_OK;
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int is_ok(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    *(bool *)ret = strcmp(values[0], "ok") == 0;
    return 0;
}

static bool is_sound(const char *path)
{
    sqlite3 *db;
    bool sound = false;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    int rc = sqlite3_exec(db, "PRAGMA integrity_check", is_ok, &sound, NULL);
    sqlite3_close(db);
    return rc == SQLITE_OK && sound;
}

static void write_image(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(close(fd), 0);
}

static void take_image(struct fixture *f, const char *script)
{
    struct stat st;
    sql(f->path, script);
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    f->image_len = (size_t)st.st_size;
    f->image = malloc(f->image_len);
    assert_non_null(f->image);
    assert_int_equal(read(fd, f->image, f->image_len), st.st_size);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(f->path), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1); /* thousands of saves, none of them worth a disk */
    }
    f->dir = dir_make();
    snprintf(f->path, sizeof(f->path), "%s/data.sqlite3", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    dir_remove(f->dir);
    free(f->image);
    free(f);
    return 0;
}

static void open_store(struct fixture *f)
{
    instance_open_sqlite(&f->store, f->path);
    f->store.host.table.put = keep;
}

/* operations */

typedef aq_status operation_fn(struct fixture *f);

static aq_status get(struct fixture *f)
{
    f->puts = 0;
    return f->store.ops->get(f->store.self, AQ_STR("k"), f, &f->store.err);
}

static aq_status list(struct fixture *f)
{
    f->puts = 0;
    return f->store.ops->list(f->store.self, f, &f->store.err);
}

static aq_status put(struct fixture *f)
{
    return instance_put(&f->store, "k", NEW);
}

static aq_status swap(struct fixture *f)
{
    return instance_swap(&f->store, "k", OLD, NEW);
}

static aq_status add(struct fixture *f)
{
    return instance_swap(&f->store, "another", NULL, NEW);
}

static aq_status drop(struct fixture *f)
{
    return instance_remove(&f->store, "k");
}

static aq_status can_save(struct fixture *f)
{
    return f->store.ops->can_save(f->store.self, &f->store.err);
}

static aq_status lock(struct fixture *f)
{
    return f->store.ops->lock(f->store.self, &f->store.err);
}

static aq_status open_another(struct fixture *f)
{
    void *self = NULL;
    aq_status status = f->store.ops->open(&f->store.host.args, &self, &f->store.err);
    assert_true((status == AQ_OK) == (self != NULL));
    f->store.ops->close(self);
    return status;
}

struct operation {
    const char *name;
    operation_fn *run;
    const char *after; /* value of k when it succeeded; NULL: no such key */
};

static const struct operation operations[] = {
    { "open", open_another, OLD }, { "get", get, OLD },   { "list", list, OLD },
    { "put", put, NEW },           { "swap", swap, NEW }, { "add", add, OLD },
    { "remove", drop, NULL },      { "lock", lock, OLD }, { "can_save", can_save, OLD },
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static bool holds(struct fixture *f, const char *expected)
{
    aq_status status = get(f);
    if (!expected) {
        return status == AQ_E_NOTFOUND;
    }
    return status == AQ_OK && strcmp(f->value, expected) == 0;
}

/* Whether anybody has a lock of SQLite's on the file. */
static bool is_locked(const char *path)
{
    struct flock probe = { .l_type = F_WRLCK, .l_start = SQLITE_LOCKS, .l_len = SQLITE_LOCKS_LEN };
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &probe), 0);
    assert_int_equal(close(fd), 0);
    return probe.l_type != F_UNLCK;
}

/* Deleted files are closed when the next one is opened. */
static void forget_files(struct fixture *f)
{
    assert_int_equal(unlink(f->path), 0);
    write_image(f->path, "", 0);
    open_store(f);
    assert_int_equal(get(f), AQ_E_NOTFOUND);
    instance_close(&f->store);
    assert_int_equal(unlink(f->path), 0);
}

struct round {
    const struct operation *operation;
    bool warm; /* connections are open already */
    bool from_then_on;
    unsigned long fail_at;
};

static const char *describe(const struct round *r)
{
    static char text[128];
    snprintf(text, sizeof(text), "%s, %s, allocation %lu fails%s", r->operation->name,
             r->warm ? "warm" : "cold", r->fail_at, r->from_then_on ? " and all after it" : "");
    return text;
}

#define EXPECT(condition) \
    do { \
        if (!(condition)) { \
            fail_msg("%s: not so: %s (%d '%s', value '%s')", describe(r), #condition, (int)status, \
                     f->store.err.text, f->value); \
        } \
    } while (0)

/* Do it, with that allocation failing; *ret_hit: if it came so far. */
static aq_status fail_in(struct fixture *f, const struct round *r, bool *ret_hit)
{
    memory.seen = 0;
    memory.from_then_on = r->from_then_on;
    memory.fail_at = r->fail_at;
    aq_status status = r->operation->run(f);
    memory.fail_at = 0;
    *ret_hit = memory.seen >= r->fail_at;
    return status;
}

static void check_after(struct fixture *f, const struct round *r, aq_status status)
{
    EXPECT(status == AQ_OK || status == AQ_E_NOMEM);
    if (r->operation->run == get && status == AQ_OK) {
        EXPECT(f->puts == 1 && strcmp(f->value, OLD) == 0);
    }
    if (r->operation->run == list) {
        EXPECT(f->puts == (status == AQ_OK ? 2 : 0));
    }
    EXPECT(!is_locked(f->path));
    if (status == AQ_OK) {
        EXPECT(holds(f, r->operation->after));
    } else {
        EXPECT(holds(f, OLD) || holds(f, r->operation->after));
    }
    EXPECT(r->operation->run(f) != AQ_E_NOMEM);
    EXPECT(is_sound(f->path));
}

/* false when the operation needs fewer allocations than that. */
static bool play(struct fixture *f, const struct round *r)
{
    bool hit;
    write_image(f->path, f->image, f->image_len);
    open_store(f);
    if (r->warm) {
        assert_int_equal(instance_put(&f->store, "warm", "1"), AQ_OK);
        assert_int_equal(instance_remove(&f->store, "warm"), AQ_OK);
        assert_int_equal(get(f), AQ_OK);
    }
    aq_status status = fail_in(f, r, &hit);
    check_after(f, r, status);
    instance_close(&f->store);
    forget_files(f);
    return hit;
}

static unsigned play_all(struct fixture *f, bool warm, bool from_then_on)
{
    unsigned needed = 0;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        struct round r = { &operations[i], warm, from_then_on, ALLOCATIONS_MAX };
        assert_false(play(f, &r)); /* once in peace: what is kept for ever is allocated */
        long live = memory.live;
        for (r.fail_at = 1; play(f, &r); r.fail_at++) {
            if (ALL_ARE_COUNTED && memory.live != live) {
                fail_msg("%s: %ld allocations leaked", describe(&r), memory.live - live);
            }
        }
        needed += (unsigned)r.fail_at - 1;
    }
    assert_true(needed > OPERATIONS); /* else malloc was not replaced */
    return needed;
}

static void one_failed_allocation_in_a_first_use_loses_nothing(void **state)
{
    struct fixture *f = *state;
    take_image(f, SCHEMA "INSERT INTO auth_kv VALUES ('k', '" OLD "'), ('l', 'other')");
    rounds_report("S1", "each allocation of a first use fails once", play_all(f, false, false));
}

static void one_failed_allocation_in_a_later_use_loses_nothing(void **state)
{
    struct fixture *f = *state;
    take_image(f, SCHEMA "INSERT INTO auth_kv VALUES ('k', '" OLD "'), ('l', 'other')");
    rounds_report("S1", "each allocation of a later use fails once", play_all(f, true, false));
}

static void no_memory_at_all_in_a_first_use_loses_nothing(void **state)
{
    struct fixture *f = *state;
    take_image(f, SCHEMA "INSERT INTO auth_kv VALUES ('k', '" OLD "'), ('l', 'other')");
    rounds_report("S1", "each allocation of a first use fails, and all after it",
                  play_all(f, false, true));
}

static void no_memory_at_all_in_a_later_use_loses_nothing_and_leaves_no_lock(void **state)
{
    struct fixture *f = *state;
    take_image(f, SCHEMA "INSERT INTO auth_kv VALUES ('k', '" OLD "'), ('l', 'other')");
    rounds_report("S1", "each allocation of a later use fails, and all after it",
                  play_all(f, true, true));
}

/* What is read has to be converted, which needs memory too. */
static void
a_failed_allocation_in_a_database_in_utf16_is_not_mistaken_for_another_value(void **state)
{
    struct fixture *f = *state;
    take_image(f, "PRAGMA encoding='UTF-16le';" SCHEMA "INSERT INTO auth_kv VALUES ('k', '" OLD
                  "'), ('l', 'other')");
    play_all(f, true, false);
    play_all(f, true, true);
}

static void a_database_that_is_being_made_without_memory_can_be_made_later(void **state)
{
    struct fixture *f = *state;
    const struct operation make = { "make", put, NEW };
    struct round round = { &make, false, false, 0 };
    const struct round *r = &round;
    bool hit = true;

    for (round.fail_at = 1; hit; round.fail_at++) {
        struct stat st;
        open_store(f);
        aq_status status = fail_in(f, r, &hit);
        EXPECT(status == AQ_OK || status == AQ_E_NOMEM);
        EXPECT(status != AQ_OK || holds(f, NEW));
        EXPECT(status == AQ_OK || holds(f, NEW) || get(f) == AQ_E_NOTFOUND);
        EXPECT(put(f) == AQ_OK && holds(f, NEW));
        EXPECT(stat(f->path, &st) == 0 && (st.st_mode & 07777) == 0600);
        EXPECT(is_sound(f->path));
        instance_close(&f->store);
        forget_files(f);
    }
}

static void a_view_in_place_of_a_table_is_no_table_that_is_still_to_come(void **state)
{
    struct fixture *f = *state;
    const struct operation look = { "look", get, NULL };
    struct round round = { &look, true, false, 0 };
    const struct round *r = &round;
    bool hit = true;

    sql(f->path, "PRAGMA encoding='UTF-16le'; CREATE TABLE migrations (version);"
                 "CREATE VIEW auth_kv AS SELECT 'k' AS key, 'evil' AS value");
    assert_int_equal(chmod(f->path, 0600), 0);
    for (round.fail_at = 1; hit; round.fail_at++) {
        open_store(f);
        aq_status status = fail_in(f, r, &hit);
        EXPECT(status == AQ_E_NOMEM || strstr(f->store.err.text, "not a plain table"));
        instance_close(&f->store);
    }
}

/* SQLite is started by the first call of a process that does not fail. */

enum { NOT_HIT = 42 };

struct start {
    struct fixture *f;
    struct round round;
};

static void start_without_memory(void *arg)
{
    struct start *start = arg;
    struct fixture *f = start->f;
    bool hit;
    open_store(f);
    aq_status status = fail_in(f, &start->round, &hit);
    REQUIRE(status == AQ_OK || status == AQ_E_NOMEM);
    REQUIRE(status != AQ_OK || strcmp(f->value, OLD) == 0);
    REQUIRE(get(f) == AQ_OK && strcmp(f->value, OLD) == 0);
    instance_close(&f->store);
    if (!hit) {
        exit(NOT_HIT);
    }
}

static void without_memory_at_its_start_sqlite_is_started_later(void **state)
{
    struct fixture *f = *state;
    take_image(f, SCHEMA "INSERT INTO auth_kv VALUES ('k', '" OLD "')");
    write_image(f->path, f->image, f->image_len);
    const struct operation look = { "look", get, OLD };
    struct start start = { f, { &look, false, false, 1 } };
    int rc;
    while ((rc = child_end(child_start(start_without_memory, &start))) == 0) {
        start.round.fail_at++;
    }
    assert_int_equal(rc, NOT_HIT);
    assert_true(start.round.fail_at > 10);
}

static void a_failed_allocation_in_an_older_database_is_not_mistaken_for_a_damaged_one(void **state)
{
    struct fixture *f = *state;
    const struct operation look = { "look", get, NULL };
    struct round round = { &look, true, false, 0 };
    const struct round *r = &round;
    bool hit = true;

    sql(f->path, "CREATE TABLE migrations (id INTEGER PRIMARY KEY, version INTEGER);"
                 "CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);"
                 "INSERT INTO migrations (version) VALUES (4)");
    assert_int_equal(chmod(f->path, 0600), 0);
    open_store(f);
    assert_int_equal(get(f), AQ_E_NOTFOUND); /* its schema is known: only questions are left */
    instance_close(&f->store);
    for (round.fail_at = 1; hit; round.fail_at++) {
        open_store(f);
        aq_status status = fail_in(f, r, &hit);
        EXPECT(status == AQ_E_NOMEM || status == AQ_E_NOTFOUND);
        instance_close(&f->store);
    }
}

/* A database mounted as a single file: no lack of anything may hide that. */

static aq_status renew(struct fixture *f)
{
    aq_status status = lock(f);
    if (status == AQ_OK) {
        status = get(f);
    }
    if (status == AQ_OK) {
        status = can_save(f);
    }
    if (status == AQ_OK) {
        status = swap(f);
    }
    f->store.ops->unlock(f->store.self);
    return status;
}

/* It is saved, or refused with the old value there, and never with a journal. */
static void renew_in_mounted_file(void *arg)
{
    struct fixture *f = arg;
    static const struct operation renewal = { "renew", renew, NEW };
    struct round r = { &renewal, false, false, 0 };
    char from[sizeof(f->path)], dir[sizeof(f->path)];
    bool hit = true;

    memcpy(from, f->path, sizeof(from));
    snprintf(dir, sizeof(dir), "%s/mounted", f->dir);
    REQUIRE(mkdir(dir, 0700) == 0);
    snprintf(f->path, sizeof(f->path), "%s/mounted/data.sqlite3", f->dir);
    write_image(f->path, "", 0);
    REQUIRE(mount(from, f->path, NULL, MS_BIND, NULL) == 0);
    for (r.fail_at = 1; hit; r.fail_at++) {
        open_store(f);
        aq_status status = fail_in(f, &r, &hit);
        if (status != AQ_OK && status != AQ_E_NOMEM) {
            fprintf(stderr, "%s: %d %s\n", describe(&r), (int)status, f->store.err.text);
        }
        REQUIRE(status == AQ_OK || status == AQ_E_NOMEM);
        REQUIRE(holds(f, NEW) || (status != AQ_OK && holds(f, OLD)));
        REQUIRE(!is_locked(from) && is_sound(from));
        REQUIRE(strcmp(dir_names(dir), "data.sqlite3 ") == 0);
        REQUIRE(instance_put(&f->store, "k", OLD) == AQ_OK);
        instance_close(&f->store);
    }
    REQUIRE(r.fail_at > 10);
}

static void no_lack_of_memory_hides_that_a_file_is_mounted_by_itself(void **state)
{
    struct fixture *f = *state;
    take_image(f, SCHEMA "INSERT INTO auth_kv VALUES ('k', '" OLD "')");
    write_image(f->path, f->image, f->image_len);
    child_run_in_namespace(renew_in_mounted_file, f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_memory_at_its_start_sqlite_is_started_later), /* before all others */
        TEST(one_failed_allocation_in_a_first_use_loses_nothing),
        TEST(one_failed_allocation_in_a_later_use_loses_nothing),
        TEST(no_memory_at_all_in_a_first_use_loses_nothing),
        TEST(no_memory_at_all_in_a_later_use_loses_nothing_and_leaves_no_lock),
        TEST(a_failed_allocation_in_a_database_in_utf16_is_not_mistaken_for_another_value),
        TEST(a_database_that_is_being_made_without_memory_can_be_made_later),
        TEST(a_view_in_place_of_a_table_is_no_table_that_is_still_to_come),
        TEST(a_failed_allocation_in_an_older_database_is_not_mistaken_for_a_damaged_one),
        TEST(no_lack_of_memory_hides_that_a_file_is_mounted_by_itself),
    };
    return cmocka_run_group_tests_name("store-sqlite-memory", tests, NULL, NULL);
}
