/* SPDX-License-Identifier: Apache-2.0 */
/* Who the server says it is: authorities and certificates, made when it starts. */
#ifndef CONFORMANCE_IDENTITY_H
#define CONFORMANCE_IDENTITY_H

#include "lab.h"

#include <openssl/ssl.h>

/* Contexts for the listeners with TLS, NULL for others, and the authority's certificate as a file
 * at this path. False: OpenSSL or the file failed. */
bool identity_make(SSL_CTX *contexts[LAB_LISTENERS], const char *ca_bundle);

#endif
