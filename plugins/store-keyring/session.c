/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "fail.h"

#define SECRET_API_SUBJECT_TO_CHANGE 1 /* its part for D-Bus, which has not since 0.7 */
#include <libsecret/secret.h>
#include <stdlib.h>
#include <string.h>

/* ---- a SecretService that keeps the connection it was made with ---- */

/* G_DEFINE_TYPE wants these spellings. */
typedef struct {
    SecretService parent;
} AqKeyringService;

typedef struct {
    SecretServiceClass parent;
} AqKeyringServiceClass;

GType keyring_service_get_type(void);
G_DEFINE_TYPE(AqKeyringService, keyring_service, SECRET_TYPE_SERVICE)

/* The constructor of the parent sets these properties; this is the last moment to change them. */
static GObject *keyring_service_constructor(GType type, guint count,
                                            GObjectConstructParam *properties)
{
    GObject *object =
        G_OBJECT_CLASS(keyring_service_parent_class)->constructor(type, count, properties);
    g_object_set(object, "g-bus-type", G_BUS_TYPE_NONE, "g-flags",
                 G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES |
                     G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS |
                     G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
                 NULL);
    return object;
}

static void keyring_service_class_init(AqKeyringServiceClass *class)
{
    G_OBJECT_CLASS(class)->constructor = keyring_service_constructor;
}

static void keyring_service_init(AqKeyringService *service)
{
    (void)service;
}

/* ---- the face ---- */

static SecretService *session_service(struct session *session)
{
    return (SecretService *)session;
}

/* A proxy without an owner has its own words for that, and a code that says nothing. */
static aq_status session_fail(struct bus *b, GDBusProxy *proxy, const GError *error,
                              struct aq_error *err)
{
    g_autofree char *owner = g_dbus_proxy_get_name_owner(proxy);
    g_autoptr(GError) gone = g_error_new_literal(G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER, "");
    bool is_gone = !owner && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_FAILED);
    return bus_fail(b, is_gone ? gone : error, err);
}

aq_status session_open(struct bus *b, struct session **ret, struct aq_error *err)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;
    g_async_initable_new_async(keyring_service_get_type(), G_PRIORITY_DEFAULT, b->deadline,
                               bus_take_result, &result, "g-connection", b->connection, "flags",
                               SECRET_SERVICE_OPEN_SESSION, NULL);
    g_autoptr(GObject) source = g_async_result_get_source_object(bus_wait(b, &result));
    GObject *session = g_async_initable_new_finish(G_ASYNC_INITABLE(source), result, &error);
    if (!session) {
        return session_fail(b, G_DBUS_PROXY(source), error, err);
    }
    *ret = (struct session *)session;
    return AQ_OK;
}

void session_close(struct session *session)
{
    if (session) {
        g_object_unref(session);
    }
}

bool session_is_on(const struct session *session, const struct bus *b)
{
    return g_dbus_proxy_get_connection((GDBusProxy *)session) == b->connection;
}

const char *session_path(struct session *session)
{
    return secret_service_get_session_dbus_path(session_service(session));
}

GVariant *session_encrypt(struct session *session, struct aq_str text)
{
    SecretValue *value = secret_value_new(text.ptr, (gssize)text.len, "application/json");
    GVariant *secret = secret_service_encode_dbus_secret(session_service(session), value);
    secret_value_unref(value); /* wipes it */
    return secret;
}

aq_status session_decrypt(struct session *session, GVariant *secret, struct secret_text *ret,
                          struct aq_error *err)
{
    gsize len = 0;
    SecretValue *value = secret_service_decode_dbus_secret(session_service(session), secret);
    if (!value) {
        return fail(err, AQ_E_UNAVAILABLE,
                    "keyring: what its service sent cannot be decrypted, try again");
    }
    const char *text = secret_value_get(value, &len);
    ret->ptr = malloc(len + 1); /* NULL would mean that there is no item */
    if (ret->ptr) {
        memcpy(ret->ptr, text, len);
        ret->len = len;
    }
    secret_value_unref(value);
    return ret->ptr ? AQ_OK : fail_nomem(err);
}
