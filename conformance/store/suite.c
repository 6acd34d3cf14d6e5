/* SPDX-License-Identifier: Apache-2.0 */
#include "clause.h"

#include <amazonq/plugin.h>

static const struct clause *const parts[] = { NULL };

const struct suite store_suite = { AQ_PLUGIN_STORE, parts };
