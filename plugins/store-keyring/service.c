/* SPDX-License-Identifier: Apache-2.0 */
/* The interface: https://specifications.freedesktop.org/secret-service/0.2 */
#include "service.h"

#include "fail.h"

#define NAME "org.freedesktop.secrets"
#define ROOT "/org/freedesktop/secrets"
#define IS_SERVICE "org.freedesktop.Secret.Service"
#define IS_COLLECTION "org.freedesktop.Secret.Collection"
#define IS_ITEM "org.freedesktop.Secret.Item"
#define IS_PROMPT "org.freedesktop.Secret.Prompt"
#define IS_PROPERTIES "org.freedesktop.DBus.Properties"

enum { KEY_ATTEMPTS = 3 };

/* What the item is found by. Some services add attributes of their own to these. */
enum { ATTRIBUTE_COUNT = 3 };
struct attribute {
    const char *name, *value;
};

/* ---- life ---- */

static void service_end_session(struct service *s)
{
    g_clear_pointer(&s->session, session_close);
    g_clear_pointer(&s->owner, g_free);
}

void service_done(struct service *s)
{
    service_end_session(s);
}

void item_done(struct item *item)
{
    g_free(item->collection);
    g_free(item->path);
    *item = (struct item){ NULL, NULL };
}

/* ---- session ---- */

static aq_status service_call(struct service *s, const char *path, const char *interface,
                              const char *method, GVariant *args, const char *reply_type,
                              GVariant **ret, struct aq_error *err)
{
    return bus_call(s->bus, s->owner, path, interface, method, args, reply_type, ret, err);
}

/* *ret is a value of this type. */
static aq_status service_property(struct service *s, const char *path, const char *interface,
                                  const char *name, const char *type, GVariant **ret,
                                  struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) value = NULL;
    aq_status st = service_call(s, path, IS_PROPERTIES, "Get",
                                g_variant_new("(ss)", interface, name), "(v)", &reply, err);
    if (st != AQ_OK) {
        return st;
    }
    g_variant_get(reply, "(v)", &value);
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE(type))) {
        return fail(err, AQ_E_UNAVAILABLE, "keyring: its service has no property %s, update it",
                    name);
    }
    *ret = g_steal_pointer(&value);
    return AQ_OK;
}

static aq_status service_ask_owner(struct service *s, char **ret, struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    aq_status st = bus_call(s->bus, BUS_DRIVER, "/org/freedesktop/DBus", BUS_DRIVER, "GetNameOwner",
                            g_variant_new("(s)", NAME), "(s)", &reply, err);
    if (st == AQ_OK) {
        g_variant_get(reply, "(s)", ret);
    }
    return st;
}

/* The unique name of the service, which is started if nobody did so yet. */
static aq_status service_find_owner(struct service *s, char **ret, struct aq_error *err)
{
    struct aq_error ignored;
    aq_status st = service_ask_owner(s, ret, err);
    if (s->bus->peer_gone) {
        (void)bus_call(s->bus, BUS_DRIVER, "/org/freedesktop/DBus", BUS_DRIVER,
                       "StartServiceByName", g_variant_new("(su)", NAME, 0), "(u)", NULL, &ignored);
        s->bus->peer_gone = false;
        st = service_ask_owner(s, ret, err);
    }
    if (s->bus->peer_gone) {
        s->bus->peer_gone = false; /* it was never there: no use to try again */
        return fail(err, AQ_E_UNAVAILABLE,
                    "keyring: no program offers one on this session bus, install and start "
                    "gnome-keyring, KWallet or KeePassXC");
    }
    return st;
}

/* KWallet refuses one public key in 256, whose first byte is zero and left out. The next is new. */
static aq_status service_exchange_keys(struct service *s, struct aq_error *err)
{
    aq_status st = AQ_E_UNAVAILABLE;
    for (int attempt = 0; attempt < KEY_ATTEMPTS && st != AQ_OK; attempt++) {
        st = session_open(s->bus, &s->session, err);
        if (s->bus->peer_gone || g_cancellable_is_cancelled(s->bus->deadline)) {
            break;
        }
    }
    return st;
}

/* gnome-keyring notes who asks beside the question, and aborts when the first question of a program
 * overtakes that note and needs it (42 to 50). This one does not, whatever its answer is. */
static aq_status service_greet(struct service *s, struct aq_error *err)
{
    g_autoptr(GVariant) collections = NULL;
    aq_status st = service_property(s, ROOT, IS_SERVICE, "Collections", "ao", &collections, err);
    return s->bus->peer_gone ? st : AQ_OK;
}

static aq_status service_open_session(struct service *s, struct aq_error *err)
{
    aq_status st = service_find_owner(s, &s->owner, err);
    if (st == AQ_OK) {
        st = service_greet(s, err);
    }
    if (st == AQ_OK) {
        st = service_exchange_keys(s, err);
    }
    if (st != AQ_OK) {
        service_end_session(s);
    }
    return st;
}

/* A session with the service that is there now. */
static aq_status service_ensure_session(struct service *s, struct aq_error *err)
{
    if (s->session && (s->bus->peer_gone || !session_is_on(s->session, s->bus))) {
        service_end_session(s);
    }
    s->bus->peer_gone = s->bus->not_done = false;
    return s->session ? AQ_OK : service_open_session(s, err);
}

/* ---- asking the user ---- */

struct answer {
    bool done, dismissed;
};

static void service_take_answer(GDBusConnection *connection, const char *sender, const char *path,
                                const char *interface, const char *name, GVariant *args,
                                gpointer data)
{
    struct answer *answer = data;
    gboolean dismissed = TRUE;
    (void)connection, (void)sender, (void)path, (void)interface, (void)name;
    if (g_variant_is_of_type(args, G_VARIANT_TYPE("(bv)"))) {
        g_variant_get_child(args, 0, "b", &dismissed);
    }
    *answer = (struct answer){ .done = true, .dismissed = dismissed };
}

static aq_status service_ask(struct service *s, const char *prompt, struct aq_error *err)
{
    struct answer answer = { false, true };
    guint watch = g_dbus_connection_signal_subscribe(
        s->bus->connection, s->owner, IS_PROMPT, "Completed", prompt, NULL,
        G_DBUS_SIGNAL_FLAGS_NONE, service_take_answer, &answer, NULL);
    aq_status st =
        service_call(s, prompt, IS_PROMPT, "Prompt", g_variant_new("(s)", ""), "()", NULL, err);
    if (st == AQ_OK) {
        bus_restart_clock(s->bus, BUS_PERSON_WAIT_MS);
        if (!bus_wait_until(s->bus, &answer.done) || answer.dismissed) {
            st = fail(err, AQ_E_DENIED, "keyring: was not unlocked when you were asked, try again");
        }
    }
    g_dbus_connection_signal_unsubscribe(s->bus->connection, watch);
    if (st == AQ_OK) {
        bus_restart_clock(s->bus, BUS_WAIT_MS);
    }
    return st;
}

/* The service may want to ask the user before it does what it was told: `prompt` then is the path
 * of a question, else "/". It is shown only when that was allowed; `what` is said otherwise. */
static aq_status service_settle(struct service *s, const char *prompt, const char *what,
                                struct aq_error *err)
{
    struct aq_error ignored;
    if (g_str_equal(prompt, "/")) {
        return AQ_OK;
    }
    if (s->interactive) {
        return service_ask(s, prompt, err);
    }
    (void)service_call(s, prompt, IS_PROMPT, "Dismiss", NULL, "()", NULL, &ignored);
    return fail(err, AQ_E_DENIED,
                "keyring: %s; allow it to ask you (--interactive, or store.keyring.interactive)",
                what);
}

/* ---- collection ---- */

static aq_status service_find_collection(struct service *s, char **ret, struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    const char *path;
    aq_status st = service_call(s, ROOT, IS_SERVICE, "ReadAlias",
                                g_variant_new("(s)", s->collection), "(o)", &reply, err);
    if (st == AQ_OK) {
        g_variant_get(reply, "(&o)", &path);
        *ret = g_str_equal(path, "/") ? NULL : g_strdup(path);
    }
    return st;
}

static aq_status service_is_locked(struct service *s, const char *collection, bool *ret,
                                   struct aq_error *err)
{
    g_autoptr(GVariant) locked = NULL;
    aq_status st = service_property(s, collection, IS_COLLECTION, "Locked", "b", &locked, err);
    if (st == AQ_OK) {
        *ret = g_variant_get_boolean(locked);
    }
    return st;
}

/* Some services say "locked" of what they open as soon as somebody asks for it, and ask nobody. */
static aq_status service_unlock(struct service *s, const char *collection, struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    const char *const objects[] = { collection, NULL };
    const char *prompt;
    bool is_locked = true;
    aq_status st = service_is_locked(s, collection, &is_locked, err);
    if (st != AQ_OK || !is_locked) {
        return st;
    }
    st = service_call(s, ROOT, IS_SERVICE, "Unlock", g_variant_new("(^ao)", objects), "(aoo)",
                      &reply, err);
    if (st == AQ_OK) {
        g_variant_get_child(reply, 1, "&o", &prompt);
        st = service_settle(s, prompt, "is locked, unlock it in the desktop's password manager",
                            err);
    }
    if (st == AQ_OK) {
        st = service_is_locked(s, collection, &is_locked, err);
    }
    return st == AQ_OK && is_locked
               ? fail(err, AQ_E_DENIED,
                      "keyring: is locked, unlock it in the desktop's password manager")
               : st;
}

/* ---- item ---- */

static void service_attributes(const struct service *s, struct attribute ret[ATTRIBUTE_COUNT])
{
    ret[0] = (struct attribute){ "xdg:schema", "org.libamazonq.Login" };
    ret[1] = (struct attribute){ "application", "amazonq" };
    ret[2] = (struct attribute){ "login", s->login };
}

static GVariant *service_attributes_variant(const struct service *s)
{
    GVariantBuilder builder;
    struct attribute ours[ATTRIBUTE_COUNT];
    service_attributes(s, ours);
    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{ss}"));
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        g_variant_builder_add(&builder, "{ss}", ours[i].name, ours[i].value);
    }
    return g_variant_builder_end(&builder);
}

/* Whether it is our item. What a service finds is only a proposal: how it compares is its own. */
static aq_status service_is_ours(struct service *s, const char *path, bool *ret,
                                 struct aq_error *err)
{
    g_autoptr(GVariant) found = NULL;
    struct attribute ours[ATTRIBUTE_COUNT];
    aq_status st = service_property(s, path, IS_ITEM, "Attributes", "a{ss}", &found, err);
    if (st != AQ_OK) {
        return st;
    }
    service_attributes(s, ours);
    *ret = true;
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        const char *value = NULL;
        *ret = *ret && g_variant_lookup(found, ours[i].name, "&s", &value) &&
               g_str_equal(value, ours[i].value);
    }
    return AQ_OK;
}

static aq_status service_find_item(struct service *s, const char *collection, char **ret,
                                   struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    g_autofree const char **paths = NULL;
    g_autofree char *found = NULL;
    aq_status st =
        service_call(s, collection, IS_COLLECTION, "SearchItems",
                     g_variant_new("(@a{ss})", service_attributes_variant(s)), "(ao)", &reply, err);
    if (st != AQ_OK) {
        return st;
    }
    g_variant_get(reply, "(^a&o)", &paths);
    for (size_t i = 0; paths[i]; i++) {
        bool is_ours = false;
        st = service_is_ours(s, paths[i], &is_ours, err);
        if (st == AQ_OK && is_ours && found) {
            st = fail(err, AQ_E_CORRUPT,
                      "keyring: login '%s' is in it twice, delete one of the two items", s->login);
        }
        if (st != AQ_OK) {
            return st;
        }
        if (is_ours) {
            found = g_strdup(paths[i]);
        }
    }
    *ret = g_steal_pointer(&found);
    return AQ_OK;
}

aq_status service_find(struct service *s, struct item *ret, struct aq_error *err)
{
    aq_status st = service_ensure_session(s, err);
    if (st == AQ_OK) {
        st = service_find_collection(s, &ret->collection, err);
    }
    if (st == AQ_OK && ret->collection) {
        st = service_unlock(s, ret->collection, err);
    }
    if (st == AQ_OK && ret->collection) {
        st = service_find_item(s, ret->collection, &ret->path, err);
    }
    return st;
}

aq_status service_read(struct service *s, const struct item *item, struct secret_text *ret,
                       struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) encrypted = NULL;
    if (!item->path) {
        return AQ_OK;
    }
    const char *session = session_path(s->session);
    aq_status st = service_call(s, item->path, IS_ITEM, "GetSecret", g_variant_new("(o)", session),
                                "((oayays))", &reply, err);
    if (st != AQ_OK) {
        return st;
    }
    g_variant_get(reply, "(@(oayays))", &encrypted);
    st = session_decrypt(s->session, encrypted, ret, err);
    if (st == AQ_E_UNAVAILABLE) { /* the keys differ: another session may do */
        s->bus->peer_gone = true;
    }
    return st;
}

static aq_status service_create(struct service *s, const char *collection, GVariant *content,
                                struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    g_autofree char *label = g_strdup_printf("Amazon Q login (%s)", s->login);
    GVariantBuilder properties;
    const char *prompt;
    g_variant_builder_init(&properties, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&properties, "{sv}", IS_ITEM ".Label", g_variant_new_string(label));
    g_variant_builder_add(&properties, "{sv}", IS_ITEM ".Attributes",
                          service_attributes_variant(s));
    aq_status st = service_call(s, collection, IS_COLLECTION, "CreateItem",
                                g_variant_new("(a{sv}@(oayays)b)", &properties, content, FALSE),
                                "(oo)", &reply, err);
    if (st == AQ_OK) {
        g_variant_get_child(reply, 1, "&o", &prompt);
        st = service_settle(s, prompt, "wants to ask before it makes an item", err);
    }
    return st;
}

aq_status service_check_collection(const struct service *s, const struct item *item,
                                   struct aq_error *err)
{
    return item->collection ? AQ_OK
                            : fail(err, AQ_E_UNAVAILABLE,
                                   "keyring: there is none with the alias '%s', create one in the "
                                   "desktop's password manager",
                                   s->collection);
}

aq_status service_write(struct service *s, const struct item *item, struct aq_str content,
                        struct aq_error *err)
{
    aq_status st = service_check_collection(s, item, err);
    if (st != AQ_OK) {
        return st;
    }
    GVariant *encrypted = session_encrypt(s->session, content);
    return item->path ? service_call(s, item->path, IS_ITEM, "SetSecret",
                                     g_variant_new("(@(oayays))", encrypted), "()", NULL, err)
                      : service_create(s, item->collection, encrypted, err);
}

aq_status service_delete(struct service *s, const struct item *item, struct aq_error *err)
{
    g_autoptr(GVariant) reply = NULL;
    const char *prompt;
    aq_status st = service_call(s, item->path, IS_ITEM, "Delete", NULL, "(o)", &reply, err);
    if (st == AQ_OK) {
        g_variant_get(reply, "(&o)", &prompt);
        st = service_settle(s, prompt, "wants to ask before it deletes an item", err);
    }
    return st;
}
