/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON objects, compact or indented. The text is pure ASCII: everything else is escaped, so
 * that no value can do anything to a terminal and nothing is lost.
 */
#ifndef Q_JSON_H
#define Q_JSON_H

#include "text.h"

struct json {
    struct text *out;
    bool pretty;
    bool comma; /* the next member is not the first */
    int depth;
};

/* Append a JSON value in this form, without the white space between its parts. */
void json_compact(struct aq_str value, struct text *out);

/* The names of formats that every command with --format knows: json and json-pretty. */
bool json_is_format(const char *name);
bool json_is_pretty(const char *name);

/* An object: the outermost one or in an array (key NULL), or as a member. Keys need no escaping. */
void json_open(struct json *j, const char *key);
void json_close(struct json *j); /* a newline follows the outermost object */

/* An array, as a member; key is NULL for what is in it. */
void json_open_array(struct json *j, const char *key);
void json_close_array(struct json *j);

void json_string(struct json *j, const char *key, struct aq_str value);
void json_string_or_null(struct json *j, const char *key, struct aq_str value);
void json_string_if_any(struct json *j, const char *key, struct aq_str value);
void json_integer(struct json *j, const char *key, int64_t value);
void json_boolean(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

/* A member that is well-formed JSON already; its key may be anything. */
void json_raw(struct json *j, struct aq_str key, struct aq_str value);

#endif
