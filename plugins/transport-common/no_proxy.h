/* SPDX-License-Identifier: Apache-2.0 */
/* The setting no_proxy: hosts that are reached directly. */
#ifndef TRANSPORT_COMMON_NO_PROXY_H
#define TRANSPORT_COMMON_NO_PROXY_H

#include <stdbool.h>

/*
 * True if the list has the host, a name or an address without brackets.
 *
 * list  "example.com .example.org,10.0.0.0/8 ::1": a name stands for everything below it, too;
 *       "*": all hosts; NULL: none
 */
bool no_proxy_has(const char *list, const char *host);

#endif
