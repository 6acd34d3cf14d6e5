/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as a plugin is given them: nothing says that a NUL comes after. */
#ifndef CONFORMANCE_EXACT_H
#define CONFORMANCE_EXACT_H

#include <amazonq/view.h>
#include <stddef.h>

/* A copy with another byte than NUL behind it, the same one for the same bytes. It stays until the
 * process ends. NULL has none. Any thread. */
const void *exact_copy(const void *bytes, size_t len);

struct aq_str exact_str(const char *text, size_t len);

#endif
