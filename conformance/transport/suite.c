/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <amazonq/plugin.h>

static const struct clause *const parts[] = {
    transport_instance_clauses, transport_always_clauses,
    transport_interest_clauses, transport_request_clauses,
    transport_response_clauses, transport_body_clauses,
    transport_finish_clauses,   transport_timeout_clauses,
    transport_error_clauses,    transport_tls_clauses,
    transport_proxy_clauses,    transport_secret_clauses,
    transport_facts_clauses,    transport_process_clauses,
    transport_memory_clauses,   NULL,
};

const struct suite transport_suite = { .kind = AQ_PLUGIN_TRANSPORT, .parts = parts };
