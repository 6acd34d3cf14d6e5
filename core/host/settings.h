/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every choice a user can make, from one place. A value comes from the first of these that has one:
 * the caller's options, the environment, settings.json (the existing CLI's file), the default.
 */
#ifndef AQ_HOST_SETTINGS_H
#define AQ_HOST_SETTINGS_H

#include "base/buf.h"

#include <amazonq/client.h>
#include <amazonq/plugin.h>
#include <stdbool.h>

/* Settings of the core itself. docs/settings.md lists them for users. */
enum settings_id {
    SETTINGS_STORE,           /* name or absolute path of the store plugin */
    SETTINGS_TRANSPORT,       /* the same for the transport */
    SETTINGS_SOURCE,          /* which login: auto, q-cli, kiro-cli */
    SETTINGS_LOGIN,           /* name of a login beside the usual ones */
    SETTINGS_DB,              /* path of the database, for stores that have one */
    SETTINGS_PLUGIN_PATH,     /* more directories of plugins, separated by ':' */
    SETTINGS_ENDPOINT,        /* URL of the service */
    SETTINGS_OIDC_ENDPOINT,   /* URL of the sign-in service */
    SETTINGS_SOCIAL_ENDPOINT, /* URL of the sign-in service of social logins */
    SETTINGS_CA_BUNDLE,       /* for the transport's setting of that name */
    SETTINGS_API_TIMEOUT,     /* milliseconds until the answer begins */
    SETTINGS_SIGV4,           /* settings_sign */
    SETTINGS_SHARE_CONTENT,   /* "false": the service must not use the content */
    SETTINGS_COUNT,
};

enum settings_origin {
    SETTINGS_NOWHERE, /* no value */
    SETTINGS_DEFAULT,
    SETTINGS_FILE,
    SETTINGS_ENV,
    SETTINGS_EXPLICIT,
    SETTINGS_FORCED, /* the library itself, whatever anybody says */
};

struct settings_value {
    struct aq_str text; /* NUL-terminated; valid as long as the settings, or the environment */
    enum settings_origin origin;
    struct aq_str variable; /* of SETTINGS_ENV: its name */
    const char *misfit;     /* of SETTINGS_FILE: what it is, if no setting can be that */
};

struct settings {
    uint32_t flags; /* AQ_CLIENT_NO_... */
    struct buf explicit_texts;
    struct settings_entry *entries;
    uint32_t entry_count;
    struct buf file_path;
    struct buf file; /* settings.json, and what its members point to */
    struct buf file_texts;
    struct settings_member *members;
    uint32_t member_count;
    struct aq_str service_endpoint, service_region; /* of api.codewhisperer.service */
};

/* Copy the caller's settings, refuse unknown keys, read settings.json, refuse values that can be
 * none. */
aq_status settings_init(struct settings *s, const struct aq_client_options *options,
                        struct aq_error *err);
void settings_done(struct settings *s);

/* Value of a setting of the core. Where no store, no database and no login is named, the store is
 * that of a token that was handed in, if there is one: docs/settings.md. */
struct settings_value settings_get(const struct settings *s, enum settings_id id);

/* Chat is signed with an access key, and no login is used. */
bool settings_sign(const struct settings *s);

/* Value of a plugin's setting, "KIND.NAME.KEY"; kind is "store" or "transport". */
struct settings_value settings_get_plugin(const struct settings *s, const char *kind,
                                          const char *name, const struct aq_setting *declared);

/* The i-th key the caller gave; the empty view behind the last. */
struct aq_str settings_explicit_key(const struct settings *s, uint32_t i);

/* The existing CLI's setting api.codewhisperer.service: its mere presence suppresses profileArn,
 * and it names an endpoint if it is an object with the strings endpoint and region. */
bool settings_has_service(const struct settings *s, struct aq_str *ret_endpoint);

/* For those who explain them: key and variables ("A,B", or NULL) of a setting of the core; the i-th
 * key of settings.json, whoever it belongs to (the empty view behind the last). */
const char *settings_key(enum settings_id id);
const char *settings_variables(enum settings_id id);
struct aq_str settings_file_key(const struct settings *s, uint32_t i);

/* Append the names of those of the variables ("A,B", or NULL) that are set and not empty, separated
 * by
 * ", ". Names only: a proxy's URL may have a password in it. */
void settings_add_set(const char *variables, struct buf *out);

/* True if this is a key of the core, or may be one of a plugin's. */
bool settings_key_is_known(struct aq_str key);

/* Append where a value comes from, as "from VARIABLE", "in FILE", "as an option", "by default". */
void settings_place(const struct settings *s, const struct settings_value *value, struct buf *out);

/* AQ_E_INVALID, with the value (unless it is secret), where it comes from, and what is wanted. */
aq_status settings_refuse(const struct settings *s, const char *key,
                          const struct settings_value *value, bool secret, const char *wanted,
                          struct aq_error *err);

#endif
