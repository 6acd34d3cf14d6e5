/* SPDX-License-Identifier: Apache-2.0 */
#include "store/instance.h"
#include "store/parts.h"

static const struct clause *const parts[] = {
    store_open_clauses,   store_read_clauses,  store_commit_clauses,  store_value_clauses,
    store_lock_clauses,   store_save_clauses,  store_company_clauses, store_kill_clauses,
    store_memory_clauses, store_grant_clauses, store_backend_clauses, NULL,
};

const struct suite store_suite = { AQ_PLUGIN_STORE, parts, instance_prepare, instance_finish };
