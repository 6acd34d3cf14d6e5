/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of client/ share: the client itself, the common part of every operation, and how
 * they wake each other. One epoll descriptor holds everything there is to wait for: a timer, an
 * event for work that was created between two steps, and the transport's descriptor.
 */
#ifndef AQ_CLIENT_CLIENT_H
#define AQ_CLIENT_CLIENT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sha256.h"
#include "host/accepted.h"
#include "host/host_table.h"
#include "host/loader.h"
#include "host/settings.h"
#include "host/store.h"
#include "host/transport.h"

#include <amazonq/client.h>
#include <amazonq/plugin.h>

/* The stores a client may have open: one for each program's database, or the first alone. */
enum client_store {
    CLIENT_STORE_Q,
    CLIENT_STORE_KIRO,
    CLIENT_STORE_BORROWED, /* what other programs keep, and nobody else may write */
    CLIENT_STORES,
};

/* What a kind of operation does. */
struct op_class {
    bool may_block;
    aq_status (*next)(struct aq_op *op, const struct aq_event **ret, struct aq_error *err);
    aq_status (*give_token)(struct aq_op *op, struct aq_str token, struct aq_error *err);
    bool (*wants_token)(const struct aq_op *op); /* asked for one and did not get it yet */
    aq_status (*give_profile)(struct aq_op *op, struct aq_str arn, struct aq_error *err);
    bool (*wants_profile)(const struct aq_op *op); /* likewise */
    bool (*must_finish)(const struct aq_op *op);   /* NULL: may be freed at any time */
    void (*work)(struct aq_op *op); /* with must_finish: go on, also when nobody asks for events */
    void (*done)(struct aq_op *op, bool forked); /* give back what the kind owns */
    size_t size;                                 /* of the whole object */
};

/* Common part of every operation; first member of the kind's own struct. */
struct aq_op {
    const struct op_class *class;
    struct aq_client *client;
    struct aq_op *parent; /* the operation this one is a part of, or NULL */
    struct aq_op *prev, *next;
    struct aq_op *ready_next;
    struct aq_op *timed_prev, *timed_next;
    int watch_fd;          /* as client_watch was told; -1: none */
    uint64_t deadline_us;  /* when to look again although nothing arrived; see op_wake_at */
    bool queued, reported; /* in the ready queue; named by aq_client_ready and not yet drained */
    bool detached;         /* freed by its owner, finishing in the background */
    bool workable;         /* must be finished, and has something to go on with */
    aq_status ended;       /* AQ_OK while running; then what every call returns */
    struct aq_error error; /* if ended is negative */
    struct aq_event event;
    struct buf batch; /* what the views of the last aq_op_drain point to */
    void *userdata;
};

/* The last refresh that failed after its token was sent. */
struct client_failure {
    uint8_t token[SHA256_LEN]; /* of the refresh token */
    uint64_t until_us;         /* not sent again before */
    struct aq_error why;
};

/* Memory that no answer reads into just now. */
struct spare {
    uint8_t *ptr;
    size_t used; /* what is to be wiped */
};

struct aq_client {
    uint32_t generation; /* of the process that made it */
    int epoll_fd, timer_fd, wake_fd;
    int transport_fd;  /* as registered in epoll_fd; -1 if none */
    uint64_t armed_us; /* what the timer is set to, CLOCK_NEVER if it is not */
    bool woken;        /* wake_fd is readable */
    bool stepping;     /* inside aq_client_step */
    struct settings settings;
    struct aq_error wrong_settings; /* AQ_OK: they are not; else AQ_CLIENT_CHECK_ONLY is set */
    struct accepted accepted;
    struct log log;
    struct buf user_agent;

    bool has_store_plugin, has_borrowed_plugin, has_transport_plugin;
    struct plugin store_plugin, borrowed_plugin, transport_plugin;
    struct store stores[CLIENT_STORES]; /* opened on first use */
    struct transport transport;

    struct aq_op *ops;   /* all of them */
    struct aq_op *timed; /* those that have a deadline: few, however many there are */
    struct spare spare;  /* of feed.c */
    struct aq_op *ready_first, *ready_last;
    uint32_t detached_count;
    uint32_t watch_count;     /* operations with a watch_fd */
    bool has_work;            /* at least one operation is workable */
    struct aq_op *refreshing; /* the one that holds the store's lock */
    struct client_failure failed_refresh;
    uint32_t told; /* bits: enum client_warning */
};

/* What is said once, however often it is met. */
enum client_warning {
    CLIENT_PROFILE_ROW = 1 << 0,     /* makes no sense */
    CLIENT_SERVICE_SETTING = 1 << 1, /* names no endpoint */
};

/* Whether to say it: true the first time. */
bool client_tell_once(struct aq_client *client, enum client_warning what);

/* AQ_OK, or AQ_E_FORKED in a child of the process that made the client. */
aq_status client_check(const struct aq_client *client, struct aq_error *err);

/* The same for who uses the settings: also AQ_E_INVALID if they are wrong. */
aq_status client_usable(const struct aq_client *client, struct aq_error *err);

/* Load the plugin, open the transport; on first use. The store is the one that the settings choose;
 * store-borrowed reads what other programs keep in ways of their own. */
aq_status client_store_plugin(struct aq_client *client, const struct plugin **ret,
                              struct aq_error *err);
aq_status client_borrowed_plugin(struct aq_client *client, const struct plugin **ret,
                                 struct aq_error *err);
aq_status client_transport(struct aq_client *client, struct aq_error *err);

/* Start an HTTP request of an operation, which is woken when there is something to read. Sizes are
 * filled in, and timeouts that are 0. */
aq_status client_send(struct aq_op *op, const struct aq_request *request,
                      struct transport_call *ret, struct aq_error *err);

/* Wake op whenever this descriptor of its own is readable, until client_unwatch. One at a time. */
aq_status client_watch(struct aq_op *op, int fd, struct aq_error *err);
void client_unwatch(struct aq_op *op, bool forked);

/* Bring the timer and the transport's descriptor up to date; call before the caller may wait. */
void client_sync(struct aq_client *client);

/* ---- op.c ---- */

/* Make an operation of this kind, known to the client. NULL: out of memory. */
struct aq_op *op_new(struct aq_client *client, const struct op_class *class, struct aq_op *parent);

/* The operation (or the one it is a part of) has something to look at. */
void op_ready(struct aq_op *op);

/* Look at it again at this time on the monotonic clock at the latest; CLOCK_NEVER: no more. */
void op_wake_at(struct aq_op *op, uint64_t deadline_us);

/* End it: every later call returns this. Returns it, too. */
aq_status op_end(struct aq_op *op, aq_status status, const struct aq_error *error);

/* Give an operation back now, whatever state it is in. */
void op_destroy(struct aq_op *op, bool forked);

/* Let those that must be finished go on; called by step. */
void op_work(struct aq_client *client);

/* A cleared event of this type, in the operation's own storage. */
struct aq_event *op_event(struct aq_op *op, int32_t type);

#endif
