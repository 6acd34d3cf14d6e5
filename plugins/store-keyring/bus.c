/* SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include "fail.h"

#include <unistd.h>

/* ---- life ---- */

void bus_init(struct bus *b, struct aq_str address, struct aq_str runtime_dir)
{
    b->context = g_main_context_new();
    b->address = address.len       ? g_strndup(address.ptr, address.len)
                 : runtime_dir.len ? g_strdup_printf("unix:path=%s/bus", runtime_dir.ptr)
                                   : NULL;
}

/* GLib's thread ends with the process that started it: a child that was forked later would wait for
 * it for ever. */
static aq_status bus_check_process(struct aq_error *err)
{
    static gsize owner; /* process that used GLib first, plus one */
    if (g_once_init_enter(&owner)) {
        g_once_init_leave(&owner, (gsize)getpid() + 1);
    }
    return owner == (gsize)getpid() + 1
               ? AQ_OK
               : fail(err, AQ_E_FORKED,
                      "store keyring: was used before this process was forked, start a program "
                      "(exec), or use the keyring in the child only");
}

void bus_take_result(GObject *source, GAsyncResult *result, gpointer ret)
{
    (void)source;
    *(GAsyncResult **)ret = g_object_ref(result);
}

GAsyncResult *bus_wait(struct bus *b, GAsyncResult **result)
{
    while (!*result) { /* the deadline's cancellation is a result, too */
        g_main_context_iteration(b->context, TRUE);
    }
    return *result;
}

bool bus_wait_until(struct bus *b, const bool *done)
{
    while (!*done && !g_cancellable_is_cancelled(b->deadline)) {
        g_main_context_iteration(b->context, TRUE);
    }
    return *done;
}

/* Of a connection. Whoever asked may have gone when it comes to its end. */
struct closing {
    bool done;
};

static void bus_take_closing(GObject *source, GAsyncResult *result, gpointer data)
{
    struct closing *closing = data;
    (void)source, (void)result;
    closing->done = true;
    g_rc_box_release(closing);
}

/* What GLib still has to send goes first, and the deadline alone does not end that. */
static void bus_drop(struct bus *b)
{
    if (b->connection) {
        struct closing *closing = g_rc_box_new0(struct closing);
        g_dbus_connection_close(b->connection, b->deadline, bus_take_closing,
                                g_rc_box_acquire(closing));
        bus_wait_until(b, &closing->done);
        g_rc_box_release(closing);
        g_clear_object(&b->connection);
    }
}

void bus_done(struct bus *b)
{
    struct aq_error ignored;
    if (b->was_begun && bus_check_process(&ignored) == AQ_OK) {
        b->deadline = g_cancellable_new();
        g_main_context_push_thread_default(b->context);
        bus_restart_clock(b, BUS_WAIT_MS);
        bus_drop(b);
        bus_end(b);
        while (g_main_context_iteration(b->context, FALSE)) {
            /* GLib frees there what belonged to signals that nobody takes any more */
        }
    }
    g_main_context_unref(b->context);
    g_free(b->address);
}

/* ---- time ---- */

enum { TICK_MS = 100 };

static gboolean bus_tick(gpointer data)
{
    struct bus *b = data;
    if (--b->ticks > 0) {
        return G_SOURCE_CONTINUE;
    }
    g_cancellable_cancel(b->deadline);
    return G_SOURCE_REMOVE;
}

static void bus_stop_clock(struct bus *b)
{
    if (b->timer) {
        g_source_destroy(b->timer);
        g_source_unref(b->timer);
        b->timer = NULL;
    }
}

void bus_restart_clock(struct bus *b, guint wait_ms)
{
    bus_stop_clock(b);
    b->ticks = wait_ms / TICK_MS;
    b->timer = g_timeout_source_new(TICK_MS);
    g_source_set_priority(b->timer, G_PRIORITY_LOW); /* what has come counts first */
    g_source_set_callback(b->timer, bus_tick, b, NULL);
    g_source_attach(b->timer, b->context);
}

/* ---- what a failure means ---- */

static aq_status bus_is_lost(struct aq_error *err)
{
    return fail(err, AQ_E_UNAVAILABLE,
                "session bus: has closed the connection, see whether the session still runs");
}

static aq_status bus_fail_io(struct bus *b, const GError *error, struct aq_error *err)
{
    switch (error->code) {
    case G_IO_ERROR_CANCELLED: /* by bus_tick, nobody else has the deadline */
    case G_IO_ERROR_TIMED_OUT:
        return fail(err, AQ_E_UNAVAILABLE,
                    "keyring: timeout, its service did not answer within %d s, see whether it "
                    "hangs or waits for somebody",
                    BUS_WAIT_MS / 1000);
    case G_IO_ERROR_CLOSED:
    case G_IO_ERROR_CONNECTION_CLOSED:
        return bus_is_lost(err);
    default:
        b->peer_gone = b->peer_gone || g_dbus_error_is_remote_error(error);
        return fail(err, AQ_E_UNAVAILABLE, "keyring: %s, try again", error->message);
    }
}

static aq_status bus_fail_dbus(struct bus *b, const GError *error, struct aq_error *err)
{
    switch (error->code) {
    case G_DBUS_ERROR_NAME_HAS_NO_OWNER:
    case G_DBUS_ERROR_SERVICE_UNKNOWN:
    case G_DBUS_ERROR_NO_REPLY:
    case G_DBUS_ERROR_DISCONNECTED:
        b->peer_gone = true;
        return fail(err, AQ_E_UNAVAILABLE,
                    "keyring: its service ended before it answered, try again");
    case G_DBUS_ERROR_ACCESS_DENIED:
    case G_DBUS_ERROR_AUTH_FAILED:
        return fail(err, AQ_E_DENIED, "keyring: %s, allow this program to use it", error->message);
    default:
        return fail(err, AQ_E_UNAVAILABLE, "keyring: %s, see the log of its service",
                    error->message);
    }
}

aq_status bus_fail(struct bus *b, const GError *error, struct aq_error *err)
{
    g_autoptr(GError) plain = g_error_copy(error);
    g_autofree char *remote = g_dbus_error_get_remote_error(error);
    g_dbus_error_strip_remote_error(plain);
    if (remote && g_str_equal(remote, "org.freedesktop.Secret.Error.IsLocked")) {
        b->peer_gone = b->not_done = true; /* it may be over: ask anew */
        return fail(err, AQ_E_DENIED, "keyring: was locked meanwhile, unlock it and try again");
    }
    if (remote && g_str_equal(remote, "org.freedesktop.Secret.Error.NoSession")) {
        b->peer_gone = b->not_done = true;
    }
    if (error->domain == G_DBUS_ERROR) {
        return bus_fail_dbus(b, plain, err);
    }
    if (error->domain == G_IO_ERROR) {
        return bus_fail_io(b, plain, err);
    }
    return fail(err, AQ_E_UNAVAILABLE, "keyring: %s, see the log of its service", plain->message);
}

/* ---- calls ---- */

static aq_status bus_connect(struct bus *b, struct aq_error *err)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;
    if (!b->address) {
        return fail(err, AQ_E_UNAVAILABLE,
                    "session bus: none, neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is "
                    "set; run this in a desktop session, or below dbus-run-session");
    }
    g_dbus_connection_new_for_address(b->address,
                                      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                      NULL, b->deadline, bus_take_result, &result);
    b->connection = g_dbus_connection_new_for_address_finish(bus_wait(b, &result), &error);
    if (b->connection) {
        return AQ_OK;
    }
    if (g_cancellable_is_cancelled(b->deadline)) {
        return fail(err, AQ_E_UNAVAILABLE,
                    "session bus: timeout, it did not answer within %d s, see whether it hangs",
                    BUS_WAIT_MS / 1000);
    }
    return fail(err, AQ_E_UNAVAILABLE,
                "session bus: %s; run this in a desktop session, or below dbus-run-session",
                error->message);
}

aq_status bus_begin(struct bus *b, struct aq_error *err)
{
    aq_status st = bus_check_process(err);
    if (st != AQ_OK) {
        return st;
    }
    b->was_begun = true;
    b->deadline = g_cancellable_new();
    g_main_context_push_thread_default(b->context);
    bus_restart_clock(b, BUS_WAIT_MS);
    if (b->connection && g_dbus_connection_is_closed(b->connection)) {
        bus_drop(b);
    }
    return b->connection ? AQ_OK : bus_connect(b, err);
}

void bus_end(struct bus *b)
{
    if (b->deadline) {
        bus_stop_clock(b);
        g_main_context_pop_thread_default(b->context);
        g_clear_object(&b->deadline);
    }
}

aq_status bus_call(struct bus *b, const char *peer, const char *path, const char *interface,
                   const char *method, GVariant *args, const char *reply_type, GVariant **ret,
                   struct aq_error *err)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GError) error = NULL;
    g_dbus_connection_call(b->connection, peer, path, interface, method, args,
                           G_VARIANT_TYPE(reply_type), G_DBUS_CALL_FLAGS_NO_AUTO_START, G_MAXINT,
                           b->deadline, bus_take_result, &result);
    reply = g_dbus_connection_call_finish(b->connection, bus_wait(b, &result), &error);
    if (!reply) {
        return bus_fail(b, error, err);
    }
    if (ret) {
        *ret = g_steal_pointer(&reply);
    }
    return AQ_OK;
}
