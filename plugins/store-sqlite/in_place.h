/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving into a database that is mounted as a single file.
 *
 * SQLite's journal would lie beside the mount point. Others look for it beside the real name: when
 * a save is cut off, they find half of it and nothing to undo it with; and the journal that is left
 * undoes later, here, what they have saved since. So there is no journal on disk, and no save that
 * needs one. The pages that a transaction writes are kept back until SQLite has named them all.
 * They are written only if they are page 1, of which nothing changes but the counter that tells
 * others to forget what they have cached, and one other page; in this order, each with one write
 * within a page of memory, which the kernel does as a whole or not at all. Killed before the first,
 * between the two or after the second, a process leaves the old value, the old value or the new.
 *
 * A power cut is another matter: nothing here protects from that.
 *
 *     in_place_set_up -> (begin, change, in_place_begin, COMMIT, in_place_end) ...
 *
 * Calls are made under the pool's mutex only.
 */
#ifndef STORE_SQLITE_IN_PLACE_H
#define STORE_SQLITE_IN_PLACE_H

#include <sqlite3.h>
#include <stdbool.h>

/* Let a new connection save in place from now on, and in no other way. A code of SQLite. */
int in_place_set_up(sqlite3 *db);

/* To be called before a COMMIT. */
void in_place_begin(void);

/* To be called after it. Whether it failed because more would have had to change; then nothing was.
 */
bool in_place_end(void);

#endif
