/* SPDX-License-Identifier: Apache-2.0 */
#include "in_place.h"

#include <string.h>

enum {
    PAGES_MAX = 2,
    PAGE_MAX = 4096, /* no system has smaller pages of memory */
};

/* What becomes of a page that SQLite writes. */
enum mode {
    THROUGH, /* into the file: it is undoing what could not be written to the end */
    KEEP,
    DROP, /* it is undoing what never was written */
};

static struct {
    const sqlite3_io_methods *file; /* SQLite's own */
    sqlite3_io_methods methods;     /* the same, but for two of them */
    enum mode mode;
    bool has_no_room;
    unsigned count; /* more than PAGES_MAX: they are not kept */
    struct {
        sqlite3_int64 at;
        int len;
        unsigned char bytes[PAGE_MAX];
    } pages[PAGES_MAX];
} saving;

static int write_page(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    if (saving.mode == THROUGH) {
        return saving.file->xWrite(file, bytes, len, at);
    }
    if (len > PAGE_MAX) {
        saving.count = PAGES_MAX;
    }
    if (saving.count < PAGES_MAX) {
        memcpy(saving.pages[saving.count].bytes, bytes, (size_t)len);
        saving.pages[saving.count].len = len;
        saving.pages[saving.count].at = at;
    }
    saving.count++;
    return SQLITE_OK;
}

/* Whether page 1 stays as it is, but for the change counter and the two numbers that go with it
 * (the file format of SQLite, 1.3): what else is there may not change without the other pages. */
static bool is_counter_only(sqlite3_file *file, const unsigned char *page, int len)
{
    unsigned char old[PAGE_MAX];
    if (saving.file->xRead(file, old, len, 0) != SQLITE_OK) {
        return false;
    }
    memcpy(old + 24, page + 24, 4);
    memcpy(old + 92, page + 92, 8);
    return memcmp(page, old, (size_t)len) == 0;
}

/* SQLite comes here when all pages are written, and the file is still locked. It writes them in
 * their order in the file, so page 1 is the first. */
static int sync_file(sqlite3_file *file, int flags)
{
    int rc = SQLITE_OK;
    if (saving.mode == DROP) {
        return SQLITE_OK;
    }
    if (saving.mode == KEEP) {
        saving.has_no_room = saving.count > PAGES_MAX ||
                             !is_counter_only(file, saving.pages[0].bytes, saving.pages[0].len);
        if (saving.has_no_room) {
            saving.mode = DROP;
            return SQLITE_FULL;
        }
        saving.mode = THROUGH;
        for (unsigned i = 0; rc == SQLITE_OK && i < saving.count; i++) {
            rc = write_page(file, saving.pages[i].bytes, saving.pages[i].len, saving.pages[i].at);
        }
    }
    return rc == SQLITE_OK ? saving.file->xSync(file, flags) : rc;
}

int in_place_set_up(sqlite3 *db)
{
    sqlite3_file *file;
    /* no page may be written before all are */
    int rc =
        sqlite3_exec(db, "PRAGMA journal_mode=MEMORY; PRAGMA cache_spill=OFF", NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
        saving.file = file->pMethods;
        saving.methods = *file->pMethods;
        saving.methods.iVersion = 1; /* no WAL: it would be a file beside this one */
        saving.methods.xWrite = write_page;
        saving.methods.xSync = sync_file;
        file->pMethods = &saving.methods;
    }
    return rc;
}

void in_place_begin(void)
{
    saving.mode = KEEP;
    saving.has_no_room = false;
    saving.count = 0;
}

bool in_place_end(void)
{
    saving.mode = THROUGH;
    explicit_bzero(saving.pages, sizeof(saving.pages));
    return saving.has_no_room;
}
