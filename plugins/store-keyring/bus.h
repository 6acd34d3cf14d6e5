/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to the session bus that belongs to one instance, and calls on it that end.
 *
 *     bus_begin(bus)            from here on at most BUS_WAIT_MS
 *     bus_call(...) ...         each returns, answered or not, before that time is over
 *     bus_end(bus)
 *
 * The connection is private because the shared one of GLib ends the process when the bus goes away,
 * and because names are owned by connections: two instances of one process must exclude each other.
 * Answers arrive on a main context of the instance, which only runs inside these calls.
 */
#ifndef STORE_KEYRING_BUS_H
#define STORE_KEYRING_BUS_H

#include <amazonq/plugin.h>
#include <gio/gio.h>
#include <stdbool.h>

enum {
    BUS_WAIT_MS = 3000,        /* for programs */
    BUS_PERSON_WAIT_MS = 60000 /* for somebody who types a password */
};

#define BUS_DRIVER "org.freedesktop.DBus"

struct bus {
    char *address; /* NULL: none is known */
    GMainContext *context;
    GDBusConnection *connection; /* NULL until it is used, and when it was lost */
    GCancellable *deadline;      /* cancelled when the time is over; NULL outside begin and end */
    GSource *timer;
    guint ticks;    /* of it that are left */
    bool was_begun; /* at least once */
    bool peer_gone; /* the last failure: who was called has ended, or forgot us: begin anew */
    bool not_done;  /* ... and surely did nothing: no session, or locked; it may be repeated */
};

/* address as in DBUS_SESSION_BUS_ADDRESS, or empty: then it is the socket in runtime_dir. */
void bus_init(struct bus *b, struct aq_str address, struct aq_str runtime_dir);
void bus_done(struct bus *b);

/*
 * Begin a series of calls: connect if that is still to be done.
 *
 * Returns AQ_OK (call bus_end, also after any other status); AQ_E_UNAVAILABLE if there is no bus;
 * AQ_E_FORKED in a child of a process that has used a bus: GLib cannot go on there.
 */
aq_status bus_begin(struct bus *b, struct aq_error *err);
void bus_end(struct bus *b);

/* The time begins anew: the next step of a series, or somebody is asked. When this process, or the
 * machine, stands still for longer, that is a tenth of a second of it. */
void bus_restart_clock(struct bus *b, guint wait_ms);

/*
 * Call a method. args is consumed. ret may be NULL.
 *
 * Returns AQ_OK; AQ_E_DENIED, AQ_E_UNAVAILABLE with a text, and bus->peer_gone set if the peer has
 * ended, does not know our session or says that it is locked; then bus->not_done, too.
 */
aq_status bus_call(struct bus *b, const char *peer, const char *path, const char *interface,
                   const char *method, GVariant *args, const char *reply_type, GVariant **ret,
                   struct aq_error *err);

/* Wait for an asynchronous function of GLib that was given bus->deadline, bus_take_result and the
 * address of a result that is NULL. */
GAsyncResult *bus_wait(struct bus *b, GAsyncResult **result);
void bus_take_result(GObject *source, GAsyncResult *result, gpointer ret);

/* Let the time pass until *done or the deadline; true if it was done. */
bool bus_wait_until(struct bus *b, const bool *done);

/* What a failure of GLib means; consumes nothing. */
aq_status bus_fail(struct bus *b, const GError *error, struct aq_error *err);

#endif
