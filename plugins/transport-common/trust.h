/* SPDX-License-Identifier: Apache-2.0 */
/* Which certificates are trusted: a file, a directory, or both; chosen by settings, else those of
 * this machine. */
#ifndef TRANSPORT_COMMON_TRUST_H
#define TRANSPORT_COMMON_TRUST_H

#include <amazonq/plugin.h>
#include <stdbool.h>

/* Strings are borrowed from the settings, or static; NULL is "none". */
struct trust {
    const char *bundle;   /* PEM, all in one file */
    const char *dir;      /* named by hash; may be a list, separated by colons */
    bool library_default; /* neither was found: leave it to the TLS library */
};

/* Take what the settings say, or find what this machine has. kind is "transport.NAME", for
 * messages. AQ_E_INVALID when something is named that cannot be used. */
aq_status trust_init(struct trust *trust, const char *kind, const char *bundle, const char *dir,
                     struct aq_error *err);

/* "BUNDLE and DIR", for messages. Returns how many there are: 0, 1 or 2. */
int trust_name(const char *bundle, const char *dir, char *buf, size_t cap);

#endif
