/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/options.h"
#include "base/str.h"

#include <amazonq/version.h>
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Where the caller has no wish. */
enum {
    CONNECT_TIMEOUT_MS = 10 * 1000,
    FIRST_BYTE_TIMEOUT_MS = 60 * 1000, /* until the answer begins */
    IDLE_TIMEOUT_MS = 60 * 1000,       /* the longest pause within it */
};

const char *aq_version(void)
{
    return AQ_VERSION;
}

/* ---- life ---- */

static aq_status client_open_fds(struct aq_client *client, struct aq_error *err)
{
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->epoll_fd < 0 || client->timer_fd < 0 || client->wake_fd < 0) {
        return error_sys(err, AQ_E_IO, errno, "client: cannot create its descriptors");
    }
    const int fds[] = { client->timer_fd, client->wake_fd };
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        struct epoll_event want = { .events = EPOLLIN };
        if (epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, fds[i], &want) != 0) {
            return error_sys(err, AQ_E_IO, errno, "client: epoll_ctl");
        }
    }
    return AQ_OK;
}

static void client_close_fds(struct aq_client *client)
{
    const int fds[] = { client->epoll_fd, client->timer_fd, client->wake_fd };
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

/* Wrong ones stay, for a client that is there to be checked. */
static aq_status client_take_settings(struct aq_client *client,
                                      const struct aq_client_options *options, struct aq_error *err)
{
    struct aq_error *wrong = &client->wrong_settings;
    aq_status st = settings_init(&client->settings, options, wrong);
    if (st == AQ_E_INVALID && (options->flags & AQ_CLIENT_CHECK_ONLY)) {
        return AQ_OK;
    }
    if (st != AQ_OK) {
        return error_copy(err, wrong);
    }
    *wrong = (struct aq_error){ 0 }; /* of a file that need not be there */
    return AQ_OK;
}

static aq_status client_init(struct aq_client *client, const struct aq_client_options *options,
                             struct aq_error *err)
{
    client->log.level = options->log_level;
    buf_add(&client->user_agent, AQ_STR("amazonq/" AQ_VERSION));
    if (options->user_agent.len) {
        buf_add_char(&client->user_agent, ' ');
        buf_add(&client->user_agent, options->user_agent);
    }
    struct aq_str agent = buf_str(&client->user_agent);
    if (buf_status(&client->user_agent) != AQ_OK) {
        return error_nomem(err, "client");
    }
    for (size_t i = 0; i < agent.len; i++) {
        if (agent.ptr[i] < 0x20 || agent.ptr[i] > 0x7e) {
            return error_set(err, AQ_E_INVALID, "user agent: must be printable ASCII");
        }
    }
    aq_status st = client_open_fds(client, err);
    return st == AQ_OK ? client_take_settings(client, options, err) : st;
}

aq_status aq_client_new(const struct aq_client_options *options, struct aq_client **ret,
                        struct aq_error *err)
{
    struct aq_client_options known = AQ_CLIENT_OPTIONS_INIT;
    if (options && !options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "client options: struct_size is not set");
    }
    struct aq_client *client = ALLOC(struct aq_client);
    if (!client) {
        return error_nomem(err, "client");
    }
    client->generation = fork_generation();
    client->epoll_fd = client->timer_fd = client->wake_fd = client->transport_fd = -1;
    client->armed_us = CLOCK_NEVER;
    aq_status st = client_init(client, &known, err);
    if (st != AQ_OK) {
        aq_client_free(client);
        return st;
    }
    *ret = client;
    return AQ_OK;
}

aq_status client_check(const struct aq_client *client, struct aq_error *err)
{
    return client->generation == fork_generation()
               ? AQ_OK
               : error_set(err, AQ_E_FORKED,
                           "client: belongs to the parent process, make a new one after fork");
}

aq_status client_usable(const struct aq_client *client, struct aq_error *err)
{
    aq_status st = client_check(client, err);
    return st == AQ_OK && client->wrong_settings.status != AQ_OK
               ? error_copy(err, &client->wrong_settings)
               : st;
}

/* What was promised on aq_op_free: a refresh that was sent is saved before the client goes. Every
 * such operation has a deadline of its own, so this ends. */
static void client_finish_detached(struct aq_client *client)
{
    while (client->detached_count) {
        struct pollfd wait = { .fd = client->epoll_fd, .events = POLLIN };
        aq_client_step(client, NULL);
        if (client->detached_count) {
            poll(&wait, 1, -1);
        }
    }
}

/* An operation somebody still owns; parts belong to the operation they are a part of. */
static struct aq_op *client_owned_op(const struct aq_client *client, bool forked)
{
    struct aq_op *op = client->ops;
    while (op && (op->parent || (op->detached && !forked))) {
        op = op->next;
    }
    return op;
}

static void client_close_plugins(struct aq_client *client, bool forked)
{
    for (size_t i = 0; i < CLIENT_STORES; i++) {
        if (forked) {
            store_abandon(&client->stores[i]);
        } else {
            store_close(&client->stores[i]);
        }
    }
    if (forked) {
        transport_abandon(&client->transport);
    } else {
        transport_close(&client->transport);
    }
    plugin_done(&client->store_plugin);
    plugin_done(&client->borrowed_plugin);
    plugin_done(&client->transport_plugin);
}

void aq_client_free(struct aq_client *client)
{
    struct aq_op *op;
    if (!client) {
        return;
    }
    bool forked = client_check(client, NULL) != AQ_OK;
    while ((op = client_owned_op(client, forked))) {
        aq_op_free(op);
    }
    if (!forked) {
        client_finish_detached(client);
    }
    client_close_plugins(client, forked);
    alloc_free(client->spare.ptr, client->spare.used);
    settings_done(&client->settings);
    accepted_done(&client->accepted);
    log_done(&client->log);
    buf_done(&client->user_agent);
    client_close_fds(client);
    alloc_free(client, sizeof(*client));
}

/* ---- plugins, on first use ---- */

/* name  empty: the one that the settings choose */
static aq_status client_load(struct aq_client *client, int32_t kind, struct aq_str name,
                             bool *loaded, struct plugin *plugin, struct aq_error *err)
{
    if (*loaded) {
        return AQ_OK;
    }
    aq_status st = name.len ? loader_load_named(&client->settings, kind, name, plugin, err)
                            : loader_load(&client->settings, kind, plugin, err);
    if (st != AQ_OK) {
        plugin_done(plugin);
        return st;
    }
    log_printf(&client->log, LOG_DEBUG, "%s '%s' %s loaded from %.*s", loader_kind_name(kind),
               plugin->info.name, plugin->info.version ? plugin->info.version : "",
               AQ_STR_ARG(buf_str(&plugin->path)));
    *loaded = true;
    return AQ_OK;
}

aq_status client_store_plugin(struct aq_client *client, const struct plugin **ret,
                              struct aq_error *err)
{
    aq_status st = client_load(client, AQ_PLUGIN_STORE, AQ_STR(""), &client->has_store_plugin,
                               &client->store_plugin, err);
    if (st == AQ_OK) {
        *ret = &client->store_plugin;
    }
    return st;
}

aq_status client_borrowed_plugin(struct aq_client *client, const struct plugin **ret,
                                 struct aq_error *err)
{
    aq_status st = client_load(client, AQ_PLUGIN_STORE, AQ_STR("borrowed"),
                               &client->has_borrowed_plugin, &client->borrowed_plugin, err);
    if (st == AQ_OK) {
        *ret = &client->borrowed_plugin;
    }
    return st;
}

static void client_call_ready(void *op)
{
    op_ready(op);
}

aq_status client_transport(struct aq_client *client, struct aq_error *err)
{
    struct plugin *plugin = &client->transport_plugin;
    if (transport_is_open(&client->transport)) {
        return AQ_OK;
    }
    aq_status st = client_load(client, AQ_PLUGIN_TRANSPORT, AQ_STR(""),
                               &client->has_transport_plugin, plugin, err);
    if (st == AQ_OK) {
        st = transport_open(plugin, &client->settings,
                            settings_get(&client->settings, SETTINGS_CA_BUNDLE), &client->log,
                            client_call_ready, &client->transport, err);
        if (st != AQ_OK) {
            transport_close(&client->transport);
        }
    }
    return st;
}

aq_status client_send(struct aq_op *op, const struct aq_request *request,
                      struct transport_call *ret, struct aq_error *err)
{
    struct aq_request full = *request;
    full.struct_size = sizeof(full);
    full.header_stride = request->header_stride ? request->header_stride : sizeof(struct aq_header);
    full.connect_timeout_ms =
        request->connect_timeout_ms ? request->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    full.first_byte_timeout_ms =
        request->first_byte_timeout_ms ? request->first_byte_timeout_ms : FIRST_BYTE_TIMEOUT_MS;
    full.idle_timeout_ms = request->idle_timeout_ms ? request->idle_timeout_ms : IDLE_TIMEOUT_MS;
    full.max_header_bytes = TRANSPORT_HEADER_BYTES;

    aq_status st = client_transport(op->client, err);
    return st == AQ_OK ? transport_start(&op->client->transport, &full, op, ret, err) : st;
}

/* ---- waiting ---- */

int aq_client_fd(struct aq_client *client)
{
    return client_check(client, NULL) == AQ_OK ? client->epoll_fd : -1;
}

/* A timer that fires too early costs one step; to move it with every byte that comes costs more. */
static void client_arm(struct aq_client *client, uint64_t deadline_us)
{
    if (client->armed_us == deadline_us ||
        (client->armed_us < deadline_us && deadline_us != CLOCK_NEVER)) {
        return;
    }
    struct itimerspec when = { 0 };
    if (deadline_us != CLOCK_NEVER) {
        when.it_value.tv_sec = (time_t)(deadline_us / 1000000);
        when.it_value.tv_nsec = (long)(deadline_us % 1000000) * 1000;
        when.it_value.tv_nsec += deadline_us == 0; /* all zero would mean "never" */
    }
    timerfd_settime(client->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    client->armed_us = deadline_us;
}

static void client_watch_transport(struct aq_client *client, int fd)
{
    struct epoll_event want = { .events = EPOLLIN };
    if (fd == client->transport_fd) {
        return;
    }
    if (client->transport_fd >= 0) {
        epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, client->transport_fd, NULL);
    }
    client->transport_fd = -1;
    if (fd >= 0 && epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, fd, &want) == 0) {
        client->transport_fd = fd;
    } else if (fd >= 0) {
        transport_refuse_fd(&client->transport);
    }
}

void client_sync(struct aq_client *client)
{
    uint64_t deadline_us = CLOCK_NEVER;
    if (transport_is_open(&client->transport)) {
        struct aq_interest interest;
        transport_interest(&client->transport, &interest);
        client_watch_transport(client, interest.fd);
        deadline_us = interest.deadline_us;
    }
    for (const struct aq_op *op = client->timed; op; op = op->timed_next) {
        if (op->deadline_us < deadline_us) {
            deadline_us = op->deadline_us;
        }
    }
    client_arm(client, deadline_us);
}

bool client_tell_once(struct aq_client *client, enum client_warning what)
{
    bool first = !(client->told & what);
    client->told |= what;
    return first;
}

aq_status client_watch(struct aq_op *op, int fd, struct aq_error *err)
{
    struct epoll_event want = { .events = EPOLLIN };
    if (epoll_ctl(op->client->epoll_fd, EPOLL_CTL_ADD, fd, &want) != 0) {
        return error_sys(err, AQ_E_IO, errno, "client: epoll_ctl");
    }
    op->watch_fd = fd;
    op->client->watch_count++;
    return AQ_OK;
}

void client_unwatch(struct aq_op *op, bool forked)
{
    if (op->watch_fd < 0) {
        return;
    }
    if (!forked) { /* the set is the parent's, too */
        epoll_ctl(op->client->epoll_fd, EPOLL_CTL_DEL, op->watch_fd, NULL);
    }
    op->watch_fd = -1;
    op->client->watch_count--;
}

static void client_wake_watching(struct aq_client *client)
{
    for (struct aq_op *op = client->watch_count ? client->ops : NULL; op; op = op->next) {
        struct pollfd look = { .fd = op->watch_fd, .events = POLLIN };
        if (op->watch_fd >= 0 && poll(&look, 1, 0) == 1) {
            op_ready(op);
        }
    }
}

/* Whether there was something to drain. */
static bool client_drain_fd(int fd)
{
    uint64_t count;
    return read(fd, &count, sizeof(count)) == sizeof(count);
}

/* What made the client's own descriptors readable is being seen to. */
static void client_clear_fds(struct aq_client *client)
{
    if (client->woken) {
        client->woken = !client_drain_fd(client->wake_fd);
    }
    /* The clock may be a little ahead of the timer; then it is about to fire, and stays armed. */
    if (client->armed_us <= clock_now_us() && client_drain_fd(client->timer_fd)) {
        client->armed_us = CLOCK_NEVER;
    }
}

/* Those whose time has come are looked at, and have to ask for another time. */
static void client_wake_timed(struct aq_client *client)
{
    struct aq_op *next;
    uint64_t now_us = client->timed ? clock_now_us() : 0;
    for (struct aq_op *op = client->timed; op; op = next) {
        next = op->timed_next;
        if (op->deadline_us <= now_us) {
            op_wake_at(op, CLOCK_NEVER);
            op_ready(op);
        }
    }
}

aq_status aq_client_step(struct aq_client *client, struct aq_error *err)
{
    struct aq_error local;
    aq_status st = client_check(client, err);
    if (st != AQ_OK) {
        return st;
    }
    client_clear_fds(client);
    client->stepping = true;
    if (transport_is_open(&client->transport)) {
        st = transport_step(&client->transport, err ? err : &local);
    }
    client_wake_timed(client);
    client_wake_watching(client);
    for (struct aq_op *op = st == AQ_OK ? NULL : client->ops; op; op = op->next) {
        if (op->ended == AQ_OK) {
            op_ready(op); /* its request may be the one that broke */
        }
    }
    op_work(client);
    client->stepping = false;
    client_sync(client);
    return st;
}

aq_status aq_client_next_log(struct aq_client *client, int32_t *ret_level, struct aq_str *ret_line)
{
    const struct log_line *line =
        client_check(client, NULL) == AQ_OK ? log_next(&client->log) : NULL;
    if (!line) {
        return AQ_END;
    }
    *ret_level = line->level;
    *ret_line = str_from(line->text);
    return AQ_OK;
}
