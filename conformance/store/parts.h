/* SPDX-License-Identifier: Apache-2.0 */
/* The clauses of a store, a file for each subject. */
#ifndef CONFORMANCE_STORE_PARTS_H
#define CONFORMANCE_STORE_PARTS_H

#include "clause.h"

extern const struct clause store_open_clauses[];
extern const struct clause store_read_clauses[];
extern const struct clause store_commit_clauses[];
extern const struct clause store_value_clauses[];
extern const struct clause store_lock_clauses[];
extern const struct clause store_save_clauses[];
extern const struct clause store_company_clauses[];
extern const struct clause store_kill_clauses[];
extern const struct clause store_memory_clauses[];
extern const struct clause store_grant_clauses[];
extern const struct clause store_backend_clauses[];

#endif
