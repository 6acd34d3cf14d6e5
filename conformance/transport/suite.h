/* SPDX-License-Identifier: Apache-2.0 */
/* The clauses for transports, by subject. */
#ifndef CONFORMANCE_TRANSPORT_SUITE_H
#define CONFORMANCE_TRANSPORT_SUITE_H

#include "clause.h"

extern const struct clause transport_always_clauses[];
extern const struct clause transport_instance_clauses[];
extern const struct clause transport_interest_clauses[];
extern const struct clause transport_request_clauses[];
extern const struct clause transport_response_clauses[];
extern const struct clause transport_body_clauses[];
extern const struct clause transport_finish_clauses[];
extern const struct clause transport_timeout_clauses[];
extern const struct clause transport_error_clauses[];
extern const struct clause transport_tls_clauses[];
extern const struct clause transport_proxy_clauses[];
extern const struct clause transport_secret_clauses[];
extern const struct clause transport_facts_clauses[];
extern const struct clause transport_process_clauses[];
extern const struct clause transport_memory_clauses[];

#endif
