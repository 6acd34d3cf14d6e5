/* SPDX-License-Identifier: Apache-2.0 */
/* SQL for a file, by the system's SQLite; each call opens it and closes it again. */
#ifndef AQ_TESTS_STORE_SQL_H
#define AQ_TESTS_STORE_SQL_H

#include <stdbool.h>

/* The result code. */
int sql_try(const char *path, const char *text);

/* The same; it has to succeed. */
void sql(const char *path, const char *text);

/* The one text that a query answers with; "" when there is no row. Overwritten by the next call. */
const char *ask(const char *path, const char *query);

/* SQLite finds nothing wrong with what is there, if anything is. */
bool is_sound(const char *path);

#endif
