/* SPDX-License-Identifier: Apache-2.0 */
/* An open store and short ways to call it, for tests. Every failure is checked to say why. */
#ifndef AQ_TESTS_STORE_INSTANCE_H
#define AQ_TESTS_STORE_INSTANCE_H

#include "host.h"

#include <amazonq/plugin.h>
#include <stdbool.h>

#define TOKEN_KEY "codewhisperer:odic:token"
#define REGISTRATION_KEY "codewhisperer:odic:device-registration"
#define PROFILE_KEY "api.codewhisperer.profile"

/* What the existing CLI's migrations leave behind, as far as the store is concerned. */
#define STORE_SCHEMA \
    "CREATE TABLE migrations (id INTEGER PRIMARY KEY, version INTEGER NOT NULL," \
    " migration_time INTEGER NOT NULL);" \
    "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);" \
    "CREATE TABLE conversations (key TEXT PRIMARY KEY, value TEXT);" \
    "CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);" \
    "INSERT INTO migrations (version, migration_time) VALUES" \
    " (0,1),(1,1),(2,1),(3,1),(4,1),(5,1),(6,1),(7,1);"

struct instance {
    struct plugin_host host;
    const struct aq_store_ops *ops;
    void *self;
    struct aq_error err; /* of the last call */
    char value[4096];    /* of the last get, cut if longer */
    char keys[4096];     /* of the last list: each followed by a blank */
    unsigned key_count;
};

/* Load the plugin and open it; settings may be NULL. */
void instance_open(struct instance *i, const char *plugin, const struct plugin_setting *settings);

/* store-sqlite on this file; it waits 50 ms for others. */
void instance_open_sqlite(struct instance *i, const char *path);

/* A store that needs no file: it is where the environment says. */
void instance_open_here(struct instance *i, const char *plugin);

void instance_close(struct instance *i);

aq_status instance_get(struct instance *i, const char *key);
aq_status instance_list(struct instance *i);

/* Once; the value as instance_get. */
aq_status instance_grant(struct instance *i, const char *key, uint32_t flags, int64_t min_valid_s);
aq_status instance_put(struct instance *i, const char *key, const char *value);
aq_status instance_remove(struct instance *i, const char *key);

/* expected NULL: the key must be absent. */
aq_status instance_swap(struct instance *i, const char *key, const char *expected,
                        const char *value);
aq_status instance_commit(struct instance *i, const struct aq_change *changes, uint32_t count);

/* The last error says this; if not, what it says is printed. */
bool instance_says(const struct instance *i, const char *part);

struct aq_str str_of(const char *text);
struct aq_bytes bytes_of(const char *text);

/* A new directory, 0700, and its removal with everything in it. */
char *dir_make(void);
void dir_remove(char *dir);

/* Names in a directory, sorted, each followed by a blank. Overwritten by the next call. */
const char *dir_names(const char *dir);

#endif
