/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_VERSION_H
#define AMAZONQ_VERSION_H

/*
 * The version these headers belong to. The number itself is written once, in the top
 * CMakeLists.txt. aq_version() tells which library is running; the two differ when a program runs
 * with a newer one.
 */

#define AQ_VERSION_MAJOR 0
#define AQ_VERSION_MINOR 1
#define AQ_VERSION_PATCH 0
#define AQ_VERSION "0.1.0"

#endif
