/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open transport: a plugin, its host table and its instance, behind calls that cannot be
 * misused, and that a plugin that breaks its contract cannot turn against the host. A cookie is a
 * number, so that one that was never given, or given back long ago, is noticed and not followed.
 */
#ifndef AQ_HOST_TRANSPORT_H
#define AQ_HOST_TRANSPORT_H

#include "host/host_table.h"

/* Of the head of a response; what a request must say in max_header_bytes. */
enum { TRANSPORT_HEADER_BYTES = 65536 };

struct transport {
    const struct plugin *plugin;
    struct host_table host;
    void *self;
    struct transport_call **calls; /* under way, each at [ticket % call_cap] */
    uint32_t call_count, call_cap;
    uintptr_t last_ticket;
    void (*on_ready)(void *owner);
    struct aq_error failed; /* why calls are marked broken */
    int32_t fd;             /* as interest said; -1 until there is one */
    bool stepping;
    uint64_t deadline_us, stepped_us; /* as interest said; when the last step began */
    uint32_t overdue;                 /* steps in a row that were due before the one before */
};

/* One request. Zeroed when none is under way; does not move while one is. */
struct transport_call {
    struct transport *transport;
    void *handle; /* the plugin's */
    void *owner;
    uintptr_t ticket; /* the cookie */
    bool waiting;     /* read down to AQ_AGAIN, or not read yet: ready may be said */
    bool broken;      /* transport.failed holds for it */
};

/*
 * Open an instance.
 *
 * ca_bundle  for plugins that declare a setting of that name
 * on_ready   called in transport_step and transport_interest, with the owner of a call that has
 *            something to read; must not call the transport
 *
 * *ret must be zeroed and must not move; transport_close gives everything back either way.
 */
aq_status transport_open(const struct plugin *plugin, const struct settings *settings,
                         struct settings_value ca_bundle, struct log *log,
                         void (*on_ready)(void *owner), struct transport *ret,
                         struct aq_error *err);
void transport_close(struct transport *t);

/* In a forked child: forget the instance without touching it. */
void transport_abandon(struct transport *t);

bool transport_is_open(const struct transport *t);

/* As the plugin's functions. What is wrong with an interest fails every call. */
void transport_interest(struct transport *t, struct aq_interest *ret);
aq_status transport_step(struct transport *t, struct aq_error *err);

/* The descriptor of an interest cannot be waited for: fail every call. */
void transport_refuse_fd(struct transport *t);

/* What comes out of these has been checked: statuses, lengths, and every view of a head. */
aq_status transport_start(struct transport *t, const struct aq_request *request, void *owner,
                          struct transport_call *ret, struct aq_error *err);
aq_status transport_response(struct transport_call *call, struct aq_response *ret,
                             struct aq_error *err);
aq_status transport_read(struct transport_call *call, uint8_t *buf, size_t cap, size_t *ret_len,
                         struct aq_error *err);

/* What is known of a call; all zero if the plugin does not tell. */
void transport_facts(struct transport_call *call, struct aq_facts *ret);

bool transport_is_active(const struct transport_call *call);

/* Header of a response by its lower-case name; empty if absent. */
struct aq_str transport_header(const struct aq_response *response, struct aq_str name);

/* End it; harmless when none is under way. */
void transport_finish(struct transport_call *call);

/* In a forked child, before that: the plugin's side of it is the parent's. */
void transport_forget(struct transport_call *call);

#endif
