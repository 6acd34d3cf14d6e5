/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys and values of one login, as one JSON object whose members are all strings: what a
 * keyring item holds. Own code, because no JSON library wipes the copies it makes.
 */
#ifndef STORE_KEYRING_VALUES_H
#define STORE_KEYRING_VALUES_H

#include <amazonq/plugin.h>
#include <stdbool.h>

/* One key and its value; wiped when freed. */
struct value {
    struct value *next;
    size_t key_len;
    size_t value_len;
    char bytes[]; /* the key, then the value */
};

struct values {
    struct value *first;
};

/* Text that is wiped when it is given back. */
struct secret_text {
    char *ptr;
    size_t len;
};

void values_done(struct values *v);
void secret_text_done(struct secret_text *text);

struct aq_str value_key(const struct value *value);
struct aq_bytes value_bytes(const struct value *value);

/* NULL if there is no such key. */
const struct value *values_find(const struct values *v, struct aq_str key);

/* Put a value in the place of the one of this key, or at the end. False: out of memory. */
bool values_put(struct values *v, struct aq_str key, struct aq_bytes value);

/* Nothing happens if there is no such key. */
void values_remove(struct values *v, struct aq_str key);

/* True if the bytes can be a member: UTF-8 without NUL. */
bool values_is_text(const char *ptr, size_t len);

/* Read an object; ret was zeroed. AQ_OK, AQ_E_NOMEM, or AQ_E_CORRUPT if it is anything but UTF-8
 * JSON whose members are strings, each key once. */
aq_status values_parse(struct aq_str json, struct values *ret);

/* Write the object. False: out of memory. */
bool values_write(const struct values *v, struct secret_text *ret);

#endif
