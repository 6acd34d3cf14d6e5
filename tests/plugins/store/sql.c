/* SPDX-License-Identifier: Apache-2.0 */
#include "sql.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ANSWER_MAX = 8192 };

int sql_try(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open(path, &db);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    }
    sqlite3_close(db);
    return rc;
}

void sql(const char *path, const char *text)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int keep_text(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    snprintf(ret, ANSWER_MAX, "%s", values[0] ? values[0] : "NULL");
    return 0;
}

const char *ask(const char *path, const char *query)
{
    static char answer[ANSWER_MAX];
    sqlite3 *db;
    answer[0] = '\0';
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, query, keep_text, answer, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return answer;
}

bool is_sound(const char *path)
{
    char text[ANSWER_MAX] = "";
    sqlite3 *db = NULL;
    if (access(path, F_OK) != 0) {
        return true;
    }
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db, "PRAGMA integrity_check", keep_text, text, NULL);
    }
    sqlite3_close(db);
    return rc == SQLITE_OK && strcmp(text, "ok") == 0;
}
