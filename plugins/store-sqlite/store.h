/* SPDX-License-Identifier: Apache-2.0 */
/* One open store, for the files that share its work. */
#ifndef STORE_SQLITE_STORE_H
#define STORE_SQLITE_STORE_H

#include "place.h"
#include "pool.h"
#include "rows.h"

#include <amazonq/plugin.h>
#include <sqlite3.h>
#include <stdbool.h>

struct store {
    const struct aq_host *host;
    struct place place;
    uint64_t busy_us;    /* how long to wait for other programs */
    unsigned generation; /* of the process that opened it */
    int reserve_fd;      /* disk space put aside by can_save; -1 when there is none */
    bool exposed;        /* others could read the file in the last call */
    bool warned;         /* of that */
    bool locked;
    struct value renewed; /* key that was looked up first since then: what is to be replaced */
};

/* wait.c: pauses, for as long as busy_timeout_ms says. */

/* Where a wait that begins now has to end. */
uint64_t wait_deadline(const struct store *s);

/* Wait a little, longer each time; false when the deadline has passed. *pause_us is 0 at first. */
bool wait_until(uint64_t deadline_us, uint64_t *pause_us);

typedef aq_status step_fn(struct store *s, void *arg, struct aq_error *err);

/* Take a step inside the pool, again and again while others are in the way; wait outside. */
aq_status wait_patiently(struct store *s, step_fn *step, void *arg, struct aq_error *err);

/* read.c */

aq_status read_value(void *self, struct aq_str key, void *sink, struct aq_error *err);
aq_status read_keys(void *self, void *sink, struct aq_error *err);

/* In WAL mode a file beside the database was read as well: whether it was the right one. */
aq_status read_check_wal(const struct store *s, struct aq_error *err);

/* Whether there is nothing beside a file that is mounted by itself which a writer would believe. A
 * reader sees it, too, and changes nothing. */
aq_status read_check_alone(struct store *s, struct pool_file *file, struct aq_error *err);

/* write.c */

aq_status write_changes(void *self, const struct aq_change *changes, uint32_t count,
                        uint32_t stride, struct aq_error *err);
aq_status write_can_save(void *self, struct aq_error *err);

/* What forbids every save in this place. */
aq_status write_check_place(struct store *s, const struct pool_file *file, bool *ret_alone,
                            struct aq_error *err);

/* Give back the disk space that write_can_save put aside. */
void write_release_reserve(struct store *s);

#endif
