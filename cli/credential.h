/* SPDX-License-Identifier: Apache-2.0 */
/* A token in each of the formats of `q user export-token`. */
#ifndef Q_CREDENTIAL_H
#define Q_CREDENTIAL_H

#include "text.h"

struct credential {
    const struct aq_token *token;
    int64_t now_s;     /* seconds since 1970-01-01 UTC */
    bool with_refresh; /* include the refresh token */
};

/* When a format includes the refresh token. */
enum credential_refresh {
    CREDENTIAL_REFRESH_NEVER,
    CREDENTIAL_REFRESH_IF_ASKED,
    CREDENTIAL_REFRESH_UNLESS_REFUSED,
};

struct credential_format {
    const char *name;
    enum credential_refresh refresh;
    bool for_shell; /* read line by line by a shell or a program: no value may break out */
    void (*write)(struct text *out, const struct credential *c);
};

/* NULL if there is no such format. */
const struct credential_format *credential_format_find(const char *name);

/* "json, json-pretty, ..." */
void credential_format_names(struct text *out);

/* The name of a value that this format cannot carry safely, or NULL if all is well. */
const char *credential_unsafe(const struct credential_format *format, const struct credential *c);

#endif
