/* SPDX-License-Identifier: Apache-2.0 */
/* store-keyring: keeps a login in the desktop's keyring (README.md). All keys of a login are in one
 * item, so that a commit is the replacement of one secret. */
#include "bus.h"
#include "fail.h"
#include "lock.h"
#include "service.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

/* AUTO(values) struct values v = { NULL }; calls values_done(&v) on every way out of the scope. */
#define AUTO(type) __attribute__((cleanup(type##_done)))

enum {
    LOGIN_MAX = 64,
    COMMIT_POLL_US = 10 * 1000, /* how often the lock of a commit is tried again */
    ATTEMPTS = 3,               /* a service that is new, or has lost our session, is asked again */
};

struct store {
    const struct aq_host *host;
    char *login, *collection;
    struct bus bus;
    struct service service;
    struct lock commit;  /* around reading, comparing and replacing */
    struct lock refresh; /* the one of store_lock */
};

/* ---- reading ---- */

static aq_status store_is_corrupt(const struct store *s, struct aq_error *err)
{
    return fail(err, AQ_E_CORRUPT,
                "keyring: the item of login '%s' holds something else, delete it and log in again",
                s->login);
}

/* Find the item and what is in it, whatever that is; again, if the service ended meanwhile. Both
 * were zeroed. Between bus_begin and bus_end. */
static aq_status store_read_text(struct store *s, struct item *item, struct secret_text *ret,
                                 struct aq_error *err)
{
    aq_status st = AQ_E_UNAVAILABLE;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        item_done(item);
        st = service_find(&s->service, item, err);
        if (st == AQ_OK) {
            st = service_read(&s->service, item, ret, err);
        }
        if (st == AQ_OK || !s->bus.peer_gone) {
            break;
        }
    }
    return st;
}

static aq_status store_read(struct store *s, struct item *item, struct values *ret,
                            struct aq_error *err)
{
    AUTO(secret_text) struct secret_text text = { NULL, 0 };
    aq_status st = store_read_text(s, item, &text, err);
    if (st == AQ_OK && text.ptr) {
        st = values_parse((struct aq_str){ text.ptr, text.len }, ret);
        st = st == AQ_E_CORRUPT ? store_is_corrupt(s, err)
             : st == AQ_E_NOMEM ? fail_nomem(err)
                                : st;
    }
    return st;
}

static aq_status store_load(struct store *s, struct values *ret, struct aq_error *err)
{
    AUTO(item) struct item item = { NULL, NULL };
    aq_status st = bus_begin(&s->bus, err);
    if (st == AQ_OK) {
        st = store_read(s, &item, ret, err);
    }
    bus_end(&s->bus);
    return st;
}

static aq_status store_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    struct store *s = self;
    AUTO(values) struct values values = { NULL };
    aq_status st = store_load(s, &values, err);
    if (st != AQ_OK) {
        return st;
    }
    const struct value *value = values_find(&values, key);
    return value ? s->host->put(s->host->ctx, sink, key, value_bytes(value))
                 : fail(err, AQ_E_NOTFOUND, "keyring: no such key");
}

static aq_status store_list(void *self, void *sink, struct aq_error *err)
{
    struct store *s = self;
    AUTO(values) struct values values = { NULL };
    aq_status st = store_load(s, &values, err);
    for (const struct value *v = values.first; v && st == AQ_OK; v = v->next) {
        st = s->host->put(s->host->ctx, sink, value_key(v), (struct aq_bytes){ NULL, 0 });
    }
    return st;
}

/* ---- writing ---- */

struct writing {
    const struct aq_change *changes;
    uint32_t count, stride;
};

static const struct aq_change *change_at(const struct writing *w, uint32_t i)
{
    return (const void *)((const char *)w->changes + (size_t)i * w->stride);
}

static aq_status change_check(const struct aq_change *change, struct aq_error *err)
{
    if ((uint32_t)change->expect > AQ_EXPECT_VALUE || (uint32_t)change->action > AQ_CHANGE_PUT) {
        return fail(err, AQ_E_INVALID, "change: unknown expectation or action");
    }
    if (change->key.len == 0 || !values_is_text(change->key.ptr, change->key.len)) {
        return fail(err, AQ_E_INVALID, "change: the key is empty or not UTF-8");
    }
    if (change->action != AQ_CHANGE_PUT) {
        return AQ_OK;
    }
    if (change->value.len > AQ_STORE_VALUE_MAX) {
        return fail(err, AQ_E_INVALID, "value of '%.*s': larger than 1 MiB, store less",
                    (int)change->key.len, change->key.ptr);
    }
    return values_is_text((const char *)change->value.ptr, change->value.len)
               ? AQ_OK
               : fail(err, AQ_E_INVALID, "value of '%.*s': not UTF-8 text, store text only",
                      (int)change->key.len, change->key.ptr);
}

static bool change_is_met(const struct aq_change *change, const struct values *values)
{
    const struct value *value = values_find(values, change->key);
    switch (change->expect) {
    case AQ_EXPECT_ABSENT:
        return !value;
    case AQ_EXPECT_VALUE:
        return value && value->value_len == change->expected.len &&
               (value->value_len == 0 ||
                memcmp(value_bytes(value).ptr, change->expected.ptr, value->value_len) == 0);
    default:
        return true;
    }
}

/* Compare, then change the values in memory. *ret_changed: there is something to write. */
static aq_status store_apply(const struct writing *w, struct values *values, bool *ret_changed,
                             struct aq_error *err)
{
    *ret_changed = false;
    for (uint32_t i = 0; i < w->count; i++) {
        if (!change_is_met(change_at(w, i), values)) {
            return fail(err, AQ_E_CHANGED, "keyring: a value was changed meanwhile, read it again");
        }
    }
    for (uint32_t i = 0; i < w->count; i++) {
        const struct aq_change *change = change_at(w, i);
        if (change->action == AQ_CHANGE_PUT && !values_put(values, change->key, change->value)) {
            return fail_nomem(err);
        }
        if (change->action == AQ_CHANGE_REMOVE) {
            values_remove(values, change->key);
        }
        *ret_changed = *ret_changed || change->action != AQ_CHANGE_KEEP;
    }
    return AQ_OK;
}

/* What a service says it has saved is believed when it gives it back. */
static aq_status store_read_back(struct store *s, struct aq_str content, struct aq_error *err)
{
    AUTO(item) struct item item = { NULL, NULL };
    AUTO(secret_text) struct secret_text text = { NULL, 0 };
    bus_restart_clock(&s->bus, BUS_WAIT_MS);
    aq_status st = store_read_text(s, &item, &text, err);
    s->bus.not_done = false; /* by now something was saved */
    if (st != AQ_OK) {
        return st;
    }
    bool same = text.len == content.len &&
                (content.len == 0 || memcmp(text.ptr, content.ptr, content.len) == 0);
    return same ? AQ_OK
                : fail(err, AQ_E_IO,
                       "keyring: does not hold what was saved in it, look at it in the desktop's "
                       "password manager");
}

static aq_status store_write(struct store *s, const struct item *item, const struct values *values,
                             struct aq_error *err)
{
    AUTO(secret_text) struct secret_text text = { NULL, 0 };
    aq_status st = AQ_OK;
    if (values->first) {
        if (!values_write(values, &text)) {
            return fail_nomem(err);
        }
        st = service_write(&s->service, item, (struct aq_str){ text.ptr, text.len }, err);
    } else if (item->path) { /* nothing is left of the login */
        st = service_delete(&s->service, item, err);
    }
    return st == AQ_OK ? store_read_back(s, (struct aq_str){ text.ptr, text.len }, err) : st;
}

static aq_status store_commit_once(struct store *s, struct writing *w, struct aq_error *err)
{
    AUTO(item) struct item item = { NULL, NULL };
    AUTO(values) struct values values = { NULL };
    bool changed = false;
    aq_status st = store_read(s, &item, &values, err);
    if (st == AQ_OK) {
        st = store_apply(w, &values, &changed, err);
    }
    return st == AQ_OK && changed ? store_write(s, &item, &values, err) : st;
}

/* Once more as long as the service has forgotten our session, and for certain saved nothing. */
static aq_status store_commit_patiently(struct store *s, struct writing *w, struct aq_error *err)
{
    aq_status st = AQ_E_UNAVAILABLE;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        st = store_commit_once(s, w, err);
        if (st == AQ_OK || !s->bus.not_done) {
            break;
        }
    }
    return st;
}

/* Nobody needs longer than a commit, so whoever still has the lock when the time is over hangs. */
static aq_status store_enter_commit(struct store *s, struct aq_error *err)
{
    aq_status st = lock_try(&s->commit, &s->bus, err);
    bool was_held = st == AQ_AGAIN;
    while (st == AQ_AGAIN && !g_cancellable_is_cancelled(s->bus.deadline)) {
        g_usleep(COMMIT_POLL_US);
        g_main_context_iteration(s->bus.context, FALSE);
        st = lock_try(&s->commit, &s->bus, err);
    }
    if (st != AQ_OK && was_held && g_cancellable_is_cancelled(s->bus.deadline)) {
        return fail(err, AQ_E_BUSY,
                    "keyring: another process is saving and does not come to an end, try again");
    }
    return st;
}

static aq_status store_commit(void *self, const struct aq_change *changes, uint32_t count,
                              uint32_t stride, struct aq_error *err)
{
    struct store *s = self;
    struct writing w = { changes, count, stride };
    for (uint32_t i = 0; i < count; i++) {
        aq_status st = change_check(change_at(&w, i), err);
        if (st != AQ_OK) {
            return st;
        }
    }
    aq_status st = bus_begin(&s->bus, err);
    if (st == AQ_OK) {
        st = store_enter_commit(s, err);
    }
    if (st == AQ_OK) {
        bus_restart_clock(&s->bus, BUS_WAIT_MS);
        st = store_commit_patiently(s, &w, err);
        lock_leave(&s->commit, &s->bus);
    }
    bus_end(&s->bus);
    return st;
}

/* Everything a commit does before it writes. */
static aq_status store_can_save(void *self, struct aq_error *err)
{
    struct store *s = self;
    AUTO(item) struct item item = { NULL, NULL };
    AUTO(values) struct values values = { NULL };
    aq_status st = bus_begin(&s->bus, err);
    if (st == AQ_OK) {
        st = store_read(s, &item, &values, err);
    }
    if (st == AQ_OK) {
        st = service_check_collection(&s->service, &item, err);
    }
    bus_end(&s->bus);
    return st;
}

/* ---- the lock between refreshers ---- */

static aq_status store_lock(void *self, struct aq_error *err)
{
    struct store *s = self;
    aq_status st = bus_begin(&s->bus, err);
    if (st == AQ_OK) {
        st = lock_try(&s->refresh, &s->bus, err);
    }
    bus_end(&s->bus);
    return st;
}

static void store_unlock(void *self)
{
    struct store *s = self;
    struct aq_error ignored;
    if (s->refresh.is_held) {
        (void)bus_begin(&s->bus, &ignored); /* without a bus nobody has a name, either */
        lock_leave(&s->refresh, &s->bus);
        bus_end(&s->bus);
    }
}

/* ---- life ---- */

enum {
    SETTING_LOGIN,
    SETTING_COLLECTION,
    SETTING_INTERACTIVE,
    SETTING_ADDRESS,
    SETTING_RUNTIME_DIR,
    SETTING_BACKEND,
};

static const struct aq_setting settings[] = {
    [SETTING_LOGIN] = { .key = "login",
                        .default_value = "default",
                        .help = "which login, for several in one keyring: a-z, 0-9, _ and -",
                        .type = AQ_SETTING_STRING },
    [SETTING_COLLECTION] = { .key = "collection",
                             .default_value = "default",
                             .help = "alias of the keyring to use",
                             .type = AQ_SETTING_STRING },
    [SETTING_INTERACTIVE] = { .key = "interactive",
                              .default_value = "false",
                              .help = "true: ask to unlock the keyring, and wait 60 s for it",
                              .type = AQ_SETTING_BOOLEAN },
    [SETTING_ADDRESS] = { .key = "bus_address",
                          .env = "DBUS_SESSION_BUS_ADDRESS",
                          .help = "address of the session bus",
                          .type = AQ_SETTING_STRING },
    [SETTING_RUNTIME_DIR] = { .key = "runtime_dir",
                              .env = "XDG_RUNTIME_DIR",
                              .help = "directory of the session, for lock files and the bus",
                              .type = AQ_SETTING_PATH },
    [SETTING_BACKEND] = { .key = "backend",
                          .default_value = "service",
                          .env = "SECRET_BACKEND",
                          .help = "libsecret's: only service is taken, never a file",
                          .type = AQ_SETTING_STRING },
};

static struct aq_str setting(const struct aq_open_args *args, uint32_t i)
{
    const struct aq_setting_value *value =
        (const void *)((const char *)args->values + (size_t)i * args->value_stride);
    return value->text;
}

/* It is a part of a name on the bus. */
static bool is_login_name(struct aq_str name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    bool valid = name.len > 0 && name.len <= LOGIN_MAX && g_ascii_islower(name.ptr[0]);
    for (size_t i = 0; i < name.len && valid; i++) {
        valid = memchr(allowed, name.ptr[i], sizeof(allowed) - 1) != NULL;
    }
    return valid;
}

static aq_status check_settings(const struct aq_open_args *args, struct aq_error *err)
{
    if (!is_login_name(setting(args, SETTING_LOGIN))) {
        return fail(err, AQ_E_INVALID,
                    "setting 'store.keyring.login': must be 1 to %d of a-z, 0-9, _ and -, "
                    "beginning with a letter",
                    LOGIN_MAX);
    }
    if (strcmp(setting(args, SETTING_BACKEND).ptr, "service") != 0) {
        return fail(err, AQ_E_INVALID,
                    "setting 'store.keyring.backend': only 'service' is supported, nothing is "
                    "kept in files; unset SECRET_BACKEND, or choose another store");
    }
    return AQ_OK;
}

static aq_status store_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    aq_status st = check_settings(args, err);
    if (st != AQ_OK) {
        return st;
    }
    struct store *s = g_new0(struct store, 1);
    struct aq_str runtime_dir = setting(args, SETTING_RUNTIME_DIR);
    const struct aq_setting_value *interactive =
        (const void *)((const char *)args->values +
                       (size_t)SETTING_INTERACTIVE * args->value_stride);
    s->host = args->host;
    s->login = g_strdup(setting(args, SETTING_LOGIN).ptr);
    s->collection = g_strdup(setting(args, SETTING_COLLECTION).ptr);
    bus_init(&s->bus, setting(args, SETTING_ADDRESS), runtime_dir);
    lock_init(&s->commit, "Commit", s->login, runtime_dir);
    lock_init(&s->refresh, "Refresh", s->login, runtime_dir);
    s->service = (struct service){ .bus = &s->bus,
                                   .collection = s->collection,
                                   .login = s->login,
                                   .interactive = interactive->number != 0 };
    *ret_self = s;
    return AQ_OK;
}

static void store_close(void *self)
{
    struct store *s = self;
    if (s) {
        store_unlock(s);
        service_done(&s->service);
        lock_done(&s->commit);
        lock_done(&s->refresh);
        bus_done(&s->bus);
        g_free(s->login);
        g_free(s->collection);
        g_free(s);
    }
}

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,           .traits = AQ_STORE_PERSISTENT | AQ_STORE_SHARED,
    .open = store_open,     .close = store_close,
    .get = store_get,       .list = store_list,
    .commit = store_commit, .lock = store_lock,
    .unlock = store_unlock, .can_save = store_can_save,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,
    .kind = AQ_PLUGIN_STORE,
    .name = "keyring",
    .version = "1.0",
    .summary = "the desktop's keyring: gnome-keyring, KWallet, KeePassXC",
    AQ_PLUGIN_SETTINGS(settings),
    .store = &ops,
};
AQ_PLUGIN(plugin)
