/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_MIGRATE_H
#define AMAZONQ_MIGRATE_H

/*
 * The operation that moves a login from one store to another.
 *
 * A client has one store, so it takes two clients:
 *
 *     from: "store" = "sqlite"     to: "store" = "keyring"
 *     aq_migrate_start(from, to, &options, &op, &err)
 *     aq_op_wait(op, &event, &err)     AQ_EVENT_MIGRATED, then AQ_END
 *
 * It holds the refresh locks of both stores, copies everything that belongs to the login in one
 * commit, reads it back and compares it byte for byte. Only then, and only if asked to, it removes
 * the login from the store it came from, as long as it is still what was copied. Whenever it is
 * interrupted, be it by kill -9, the login is whole in one of the stores at least; to go on, start
 * it again.
 */

#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of aq_migrate_options.flags. */
#define AQ_MIGRATE_PURGE 0x1u   /* remove the login from the store it came from */
#define AQ_MIGRATE_REPLACE 0x2u /* whatever login the other store holds may be overwritten */

/** How to migrate. Zero-initialise, then set struct_size. */
struct aq_migrate_options {
    uint32_t struct_size;
    uint32_t flags; /* AQ_MIGRATE_... */
};

#define AQ_MIGRATE_OPTIONS_INIT \
    { \
        sizeof(struct aq_migrate_options), 0 \
    }

/**
 * Start to move the login that the settings of `from` choose ("source") to the store of `to`.
 * Reports AQ_EVENT_WARNING if the login is in both stores afterwards, AQ_EVENT_MIGRATED, and
 * AQ_END. May block, see aq_op_may_block; waits up to 30 s for somebody who refreshes the login.
 *
 * A login that the other store holds already is overwritten only if it is an older state of the
 * same login (the same client registration), or with AQ_MIGRATE_REPLACE.
 *
 * The operation fails with AQ_E_NOT_LOGGED_IN, AQ_E_CHANGED (the other store holds another login,
 * or a newer one), AQ_E_BUSY (somebody holds a lock), AQ_E_INVALID (both stores are the same
 * place), AQ_E_UNSUPPORTED (the other store takes no login, or forgets it with the process), or a
 * store's or plugin's own error; in all of these nothing was removed.
 *
 * @param to       another client of the same thread; must live until the operation is freed
 * @param options  NULL means all defaults
 * @param ret      belongs to `from`
 * @return AQ_OK, AQ_E_INVALID, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the clients'.  Since: 0.1
 */
AQ_API aq_status aq_migrate_start(struct aq_client *from, struct aq_client *to,
                                  const struct aq_migrate_options *options, struct aq_op **ret,
                                  struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
