/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1 (FIPS 180-4) of a short text: how the AWS SSO cache names its files. It protects nothing.
 */
#ifndef BORROWED_SHA1_H
#define BORROWED_SHA1_H

#include <stddef.h>

enum { SHA1_HEX_LEN = 40 };

/* In lower-case hexadecimal digits, NUL-terminated. */
void sha1_hex(const char *text, size_t len, char ret[SHA1_HEX_LEN + 1]);

#endif
