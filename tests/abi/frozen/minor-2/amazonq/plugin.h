/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_PLUGIN_H
#define AMAZONQ_PLUGIN_H

/*
 * For authors of plugins: everything a plugin needs, and nothing else.
 *
 * A plugin is a shared object with one exported symbol, aq_plugin_v1, that returns a constant
 * descriptor. The descriptor names the plugin, declares its settings, and points to a table of
 * functions: a store (amazonq/store.h) or a transport (amazonq/transport.h).
 *
 *     static const struct aq_store_ops ops = {
 *         AQ_STORE_OPS, .open = memory_open, .close = memory_close, .get = memory_get, ...
 *     };
 *     static const struct aq_plugin plugin = {
 *         AQ_PLUGIN_INFO, .kind = AQ_PLUGIN_STORE, .name = "memory", .version = "1.0",
 *         .summary = "keeps a login until the process ends", .store = &ops,
 *     };
 *     AQ_PLUGIN(plugin)
 *
 * Rules that hold for every table:
 * - Tables and structs that start with struct_size only ever grow at their end. Each side reads
 * what both sides know; what the other side does not know is zero. A NULL slot means "not
 * supported".
 * - The host hands its functions in (struct aq_host). A plugin never looks up host symbols; link
 * with -Wl,-z,defs to be sure.
 * - Nothing crosses the border to be freed by the other side. What a function is given is borrowed
 *   for the call; what it gives back goes into the caller's memory or through a host function.
 * - Errors are a negative aq_status, put into the caller's struct aq_error together with one line
 * of text (amazonq/status.h says what a line looks like). The host has cleared the other members,
 * and err is never NULL in its calls.
 * - One instance is used by one thread at a time; two instances may be used by two threads at once.
 *   The host never calls an instance while that instance is inside a host function.
 * - Every function returns, and returns only what its comment says. The host checks what it can
 *   (docs/plugins.md); a breach is AQ_E_PLUGIN.
 * - A plugin starts no thread that calls the host, installs no signal handler, reads no environment
 *   variable (it declares a setting that names one), and writes to no standard stream.
 * - A loaded plugin stays loaded until the process ends.
 */

#include <amazonq/status.h>
#include <amazonq/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Grows by one whenever something is appended to a table or struct of this ABI. */
#define AQ_PLUGIN_ABI_MINOR 2u

/* What a plugin is; also the first half of its file name, "store-sqlite.so". */
#define AQ_PLUGIN_STORE 1
#define AQ_PLUGIN_TRANSPORT 2

/* Levels for aq_host.log. */
#define AQ_LOG_ERROR 1
#define AQ_LOG_WARN 2
#define AQ_LOG_INFO 3
#define AQ_LOG_DEBUG 4

/** Functions of the host. The table lives as long as the instance it was given to. */
struct aq_host {
    uint32_t struct_size;
    uint32_t abi_minor; /* AQ_PLUGIN_ABI_MINOR of the host */
    void *ctx;          /* first argument of every function below */

    /** Log one line, without newline and without secrets. Text is copied. Never fails. */
    void (*log)(void *ctx, int32_t level, struct aq_str line);

    /** The host's monotonic clock, in microseconds. All deadlines are on this clock. */
    uint64_t (*now_us)(void *ctx);

    /** Stores: hand over one result of get, grant or list, within that call. get and grant: once,
     * with the key that was asked for. value is copied into memory that is wiped. */
    aq_status (*put)(void *ctx, void *sink, struct aq_str key, struct aq_bytes value);

    /** Transports: the call that was started with this cookie has something to read. */
    void (*ready)(void *ctx, void *cookie);
};

/* Types of a setting. */
#define AQ_SETTING_STRING 1
#define AQ_SETTING_INTEGER 2 /* decimal, optional sign */
#define AQ_SETTING_BOOLEAN 3 /* true or false */
#define AQ_SETTING_PATH 4    /* absolute; "~/" stands for the home directory */

/* Flags of a setting. */
#define AQ_SETTING_REQUIRED 0x1u /* opening fails when it has no value */
#define AQ_SETTING_SECRET 0x2u   /* never shown */

/**
 * Declaration of one setting. The host finds its value, checks its type and refuses what nobody
 * declared, so that a plugin sees finished values only. The value comes from, in this order: the
 * caller's options, the first variable in env that is set and not empty, "KIND.NAME.KEY" in
 * settings.json (where unknown keys are left alone), the default.
 */
struct aq_setting {
    const char *key;           /* [a-z0-9_]+, at most 64 bytes */
    const char *default_value; /* as text, or NULL for none */
    const char *env;           /* names of environment variables, separated by commas, or NULL */
    const char *help;          /* one line, with the unit */
    int32_t type;              /* AQ_SETTING_STRING, ... */
    uint32_t flags;            /* AQ_SETTING_... */
    int64_t min, max;          /* AQ_SETTING_INTEGER: allowed range; both 0 means any */
};

/** The finished value of one setting. */
struct aq_setting_value {
    struct aq_str text; /* {NULL, 0} when it has no value; else NUL-terminated */
    int64_t number;     /* integers; booleans as 0 and 1 */
};

/** What an instance is opened with. Everything in it stays valid until the instance is closed. */
struct aq_open_args {
    uint32_t struct_size;
    uint32_t value_count;  /* as many as the plugin has settings, in the order it declared them */
    uint32_t value_stride; /* bytes from one value to the next */
    uint32_t reserved;
    const struct aq_setting_value *values;
    const struct aq_host *host;
};

struct aq_store_ops;
struct aq_transport_ops;

/** Description of a plugin; constant, and valid until the process ends. */
struct aq_plugin {
    uint32_t struct_size;
    uint32_t abi_minor; /* AQ_PLUGIN_ABI_MINOR of the headers it was compiled with */
    int32_t kind;       /* AQ_PLUGIN_STORE or AQ_PLUGIN_TRANSPORT */
    uint32_t flags;     /* 0 */
    const char *name;   /* [a-z0-9-]+, at most 64 bytes; the file is called KIND-NAME.so */
    const char *version;
    const char *summary; /* one line */
    const struct aq_setting *settings;
    uint32_t setting_count;
    uint32_t setting_stride; /* sizeof(struct aq_setting) as the plugin's compiler sees it */
    const struct aq_store_ops *store;
    const struct aq_transport_ops *transport;
};

/* The first members of a struct aq_plugin: `static const struct aq_plugin p = { AQ_PLUGIN_INFO,
 * ...` and its settings: `AQ_PLUGIN_SETTINGS(array)`. */
#define AQ_PLUGIN_INFO .struct_size = sizeof(struct aq_plugin), .abi_minor = AQ_PLUGIN_ABI_MINOR
#define AQ_PLUGIN_SETTINGS(array) \
    .settings = (array), .setting_count = (uint32_t)(sizeof(array) / sizeof((array)[0])), \
    .setting_stride = sizeof((array)[0])

#if defined(__GNUC__)
#define AQ_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define AQ_PLUGIN_EXPORT
#endif

/** Type of the exported symbol. */
typedef const struct aq_plugin *(*aq_plugin_v1_fn)(void);

/** The one symbol a plugin exports. A later major version of this ABI would be aq_plugin_v2. */
AQ_PLUGIN_EXPORT const struct aq_plugin *aq_plugin_v1(void);

/* Defines the exported symbol; last line of a plugin. */
#ifdef AQ_PLUGIN_STATIC /* linked into a test: no exported symbol, the descriptor itself is global \
                         */
#define AQ_PLUGIN(descriptor) const struct aq_plugin *const AQ_PLUGIN_STATIC = &(descriptor);
#else
#define AQ_PLUGIN(descriptor) \
    const struct aq_plugin *aq_plugin_v1(void) \
    { \
        return &(descriptor); \
    }
#endif

#ifdef __cplusplus
}
#endif

#include <amazonq/store.h>
#include <amazonq/transport.h>

#endif
