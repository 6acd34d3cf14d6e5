/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"
#include "fault.h"
#include "interrupt.h"
#include "journal.h"
#include "reply.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SECOND_US = 1000 * 1000,
    POLL_MAX_MS = 3600 * 1000,
    PATIENCE_US = 30 * SECOND_US, /* with a caller that neither asks nor reads */
    DESCRIPTORS = 32,             /* kept for the store and the service, and what is always open */
};

/* Places in the array that is polled; the callers follow. */
enum { FD_SIGNAL, FD_CLIENT, FD_TIMER, FD_LISTENER, FD_CALLERS };

/* What is polled: no more than is open, because poll() refuses more than may be open. */
struct watch {
    struct pollfd fds[FD_CALLERS + BROKER_CALLERS];
    struct caller *callers[BROKER_CALLERS]; /* those behind the last of them */
    nfds_t count;
};

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_US + (uint64_t)now.tv_nsec / 1000;
}

/* ---- grants ---- */

static bool is_waited_for(const struct broker *b, const struct grant *grant)
{
    bool waited = grant == b->look || grant == b->grants.refresh; /* what it brings is of use */
    for (int i = 0; i < BROKER_CALLERS && !waited; i++) {
        waited = b->callers[i].state == CALLER_WAITING && b->callers[i].grant == grant;
    }
    return waited;
}

static void end_grant(struct broker *b, struct grant *grant)
{
    if (b->look == grant) {
        b->look = NULL;
    }
    grants_end(&b->grants, grant);
}

/* Its grant has no use any more if nobody else waits for it. */
static void end_caller(struct broker *b, struct caller *c)
{
    struct grant *grant = c->state == CALLER_WAITING ? c->grant : NULL;
    caller_end(c);
    if (grant && !is_waited_for(b, grant)) {
        end_grant(b, grant);
    }
}

/* ---- answers ---- */

/* Seconds, or that nobody knows. */
static const char *valid_text(const struct aq_token *token, char ret[32])
{
    long long left_s = (long long)(token->expires_at_s - (int64_t)time(NULL));
    (void)snprintf(ret, 32, "%lld", left_s);
    return token->expires_at.len > 0 ? ret : "unknown";
}

static void log_grant(const struct broker *b, const struct caller *c, const struct aq_token *token)
{
    if (!b->session.quiet && c->request.op == REQUEST_TOKEN) {
        char valid[32];
        journal("granted pid=%ld uid=%lu source=%.*s valid_s=%s", (long)c->peer.pid,
                (unsigned long)c->peer.uid, AQ_STR_ARG(token->source), valid_text(token, valid));
    }
}

/* what: "refused" or "failed" */
static void log_failure(struct repeats *repeats, const char *what, const struct peer *peer,
                        const struct aq_error *err)
{
    unsigned long uid = (unsigned long)peer->uid;
    unsigned long more;
    if (!repeats_note(repeats, peer->uid, err->status, now_us(), &more)) {
        return;
    }
    journal("%s pid=%ld uid=%lu: %s", what, (long)peer->pid, uid, err->text);
    if (more > 0) {
        journal("%s uid=%lu %lu times more since the line before", what, uid, more);
    }
}

/* c->out is the answer, all of it has to be read within our patience. */
static void send_answer(struct broker *b, struct caller *c)
{
    if (c->state != CALLER_WRITING) {
        caller_turn(c, CALLER_WRITING, now_us());
    }
    aq_status st = text_ok(&c->out) ? caller_write(c) : AQ_END;
    if (st == AQ_END || (st == AQ_OK && c->last)) {
        end_caller(b, c);
    } else if (st == AQ_OK) {
        caller_turn(c, CALLER_READING, now_us());
    }
}

static void answer_error(struct broker *b, struct caller *c, const struct aq_error *err)
{
    if (err->status != AQ_E_NOTFOUND) {
        log_failure(&b->failed, "failed", &c->peer, err);
    }
    reply_error(&c->out, err);
    send_answer(b, c);
}

/* store-broker asks for one of these, and takes the other if there is no such. */
static bool is_asked_for(const struct aq_token *token)
{
    return text_is(token->source, "q-cli") || text_is(token->source, "kiro-cli");
}

static void answer_other(struct broker *b, struct caller *c, const struct aq_token *token)
{
    struct aq_error err;
    if (is_asked_for(token)) {
        (void)fault_set(&err, AQ_E_NOTFOUND, "login: the broker's is of '%.*s', ask for that one",
                        AQ_STR_ARG(token->source));
    } else {
        (void)fault_set(&err, AQ_E_UNSUPPORTED,
                        "broker: its login is of '%.*s', which a broker hands to nobody who asks "
                        "for '%s', start it with --source q-cli or kiro-cli",
                        AQ_STR_ARG(token->source), c->request.source);
    }
    answer_error(b, c, &err);
}

static void answer_token(struct broker *b, struct caller *c, const struct aq_token *token,
                         const char *warning)
{
    if (c->request.source[0] && !text_is(token->source, c->request.source)) {
        answer_other(b, c, token);
        return;
    }
    log_grant(b, c, token);
    reply_token(&c->out, c->request.op, token, text_of(warning));
    send_answer(b, c);
}

/* ---- requests ---- */

static void start_request(struct broker *b, struct caller *c)
{
    struct aq_error err;
    c->grant = grants_ask(&b->grants, &c->request, now_us(), &err);
    if (c->grant) {
        caller_turn(c, CALLER_WAITING, now_us());
    } else {
        answer_error(b, c, &err);
    }
}

static void read_request(struct broker *b, struct caller *c)
{
    struct aq_error err;
    aq_status st = caller_read(c, &err);
    if (st == AQ_OK) {
        start_request(b, c);
    } else if (st == AQ_END) {
        end_caller(b, c);
    } else if (st < 0) {
        answer_error(b, c, &err);
    }
}

/* Go on with a caller, by one request at most: then it is the turn of the others. */
static void serve(struct broker *b, struct caller *c)
{
    if (c->state == CALLER_WRITING) {
        send_answer(b, c);
    } else if (c->state == CALLER_READING) {
        read_request(b, c);
    } else { /* it has gone, and will not read what it waits for */
        end_caller(b, c);
    }
}

static void log_look(const struct broker *b, const struct aq_token *token,
                     const struct aq_error *err)
{
    if (!token) {
        journal("no token: %s", err->text);
    } else if (!b->session.quiet) {
        char valid[32];
        journal("login source=%.*s valid_s=%s", AQ_STR_ARG(token->source),
                valid_text(token, valid));
    }
}

/* Answer everybody who waits for this grant. True: it is over. */
static bool run_grant(struct broker *b, struct grant *grant)
{
    const struct aq_token *token = NULL;
    struct aq_error err;
    aq_status st = grants_next(&b->grants, grant, now_us(), &token, &err);
    if (st == AQ_AGAIN || st == AQ_END) {
        return st == AQ_END;
    }
    if (grant == b->look) {
        log_look(b, token, &err);
    }
    for (int i = 0; i < BROKER_CALLERS; i++) {
        struct caller *c = &b->callers[i];
        if (c->state == CALLER_WAITING && c->grant == grant) {
            c->grant = NULL;
            if (st == AQ_OK) {
                answer_token(b, c, token, grant->warning);
            } else {
                answer_error(b, c, &err);
            }
        }
    }
    return true; /* what was sent meanwhile is finished in the background */
}

static void run_grants(struct broker *b)
{
    struct grant *next;
    for (struct grant *grant = b->grants.running; grant; grant = next) {
        next = grant->next;
        if (run_grant(b, grant)) {
            end_grant(b, grant);
        }
    }
}

static void look_ahead(struct broker *b)
{
    const struct request request = { .op = REQUEST_LOGIN };
    struct aq_error err;
    if (!b->look) {
        b->look = grants_ask(&b->grants, &request, now_us(), &err);
        if (!b->look) {
            journal("no token: %s", err.text);
            ahead_failed(&b->grants.ahead, false);
        }
    }
}

/* ---- connections ---- */

/* It is its turn to ask or to read, and nobody waits for anything but that. */
static bool is_silent(const struct caller *c)
{
    return c->state == CALLER_READING || c->state == CALLER_WRITING;
}

/* The caller that has been silent longest; NULL: none is. */
static struct caller *find_silent(struct broker *b)
{
    struct caller *silent = NULL;
    for (int i = 0; i < BROKER_CALLERS; i++) {
        struct caller *c = &b->callers[i];
        if (is_silent(c) && (!silent || c->since_us < silent->since_us)) {
            silent = c;
        }
    }
    return silent;
}

/* A free place, if need be that of a silent caller. */
static struct caller *find_place(struct broker *b)
{
    for (int i = 0; i < b->places; i++) {
        if (b->callers[i].state == CALLER_FREE) {
            return &b->callers[i];
        }
    }
    return find_silent(b);
}

/* Callers must leave enough descriptors to get them a token with. */
static int count_places(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS + BROKER_CALLERS) {
        return BROKER_CALLERS;
    }
    return limit.rlim_cur > DESCRIPTORS ? (int)limit.rlim_cur - DESCRIPTORS : 1;
}

static void refuse(struct broker *b, int fd, const struct peer *peer, const struct aq_error *err)
{
    AUTO(text) struct text out = { 0 };
    log_failure(&b->refused, "refused", peer, err);
    reply_error(&out, err);
    (void)send(fd, out.ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
}

static void welcome(struct broker *b, int fd, struct caller *place)
{
    struct aq_error err;
    struct peer peer;
    if (peers_check(&b->peers, fd, &peer, &err) != AQ_OK) {
        b->fatal = peer.pid == getpid() ? err : b->fatal;
        refuse(b, fd, &peer, &err);
        return;
    }
    end_caller(b, place);
    caller_begin(place, fd, peer, now_us());
    serve(b, place);
}

/* One at a time: poll() comes back at once if there are more. */
static void accept_one(struct broker *b)
{
    struct caller *place = find_place(b);
    if (!place) {
        return;
    }
    int fd = accept4(b->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        welcome(b, fd, place);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        journal("socket: nobody can be let in: %s", strerror(errno));
        b->deaf_until_us = now_us() + SECOND_US;
    }
}

static void drop_silent(struct broker *b, uint64_t now)
{
    for (int i = 0; i < BROKER_CALLERS; i++) {
        struct caller *c = &b->callers[i];
        if (is_silent(c) && now >= c->since_us + PATIENCE_US) {
            end_caller(b, c);
        }
    }
}

/* ---- the loop ---- */

static bool has_work(const struct broker *b)
{
    bool work = b->grants.running != NULL;
    for (int i = 0; i < BROKER_CALLERS && !work; i++) {
        work = b->callers[i].state != CALLER_FREE;
    }
    return work;
}

static bool is_idle(struct broker *b, uint64_t now)
{
    if (has_work(b)) {
        b->busy_us = now;
    }
    return b->idle_us > 0 && now >= b->busy_us + b->idle_us;
}

static void sooner(uint64_t *until, uint64_t other)
{
    if (other < *until) {
        *until = other;
    }
}

/* Milliseconds until there is something to do although nothing happened; -1: for ever. */
static int timeout_ms(const struct broker *b, uint64_t now)
{
    uint64_t until = UINT64_MAX;
    if (grants_are_ahead(&b->grants)) {
        return 0;
    }
    for (int i = 0; i < BROKER_CALLERS; i++) {
        const struct caller *c = &b->callers[i];
        if (caller_is_ahead(c)) {
            return 0;
        }
        if (is_silent(c)) {
            sooner(&until, c->since_us + PATIENCE_US);
        }
    }
    if (b->idle_us > 0) {
        sooner(&until, b->busy_us + b->idle_us);
    }
    if (b->deaf_until_us > now) {
        sooner(&until, b->deaf_until_us);
    }
    if (until == UINT64_MAX) {
        return -1;
    }
    uint64_t left_ms = until > now ? (until - now) / 1000 + 1 : 0;
    return left_ms < POLL_MAX_MS ? (int)left_ms : POLL_MAX_MS;
}

static void fill(struct broker *b, uint64_t now, struct watch *w)
{
    struct pollfd *fds = w->fds;
    bool hears = now >= b->deaf_until_us && find_place(b);
    fds[FD_SIGNAL] = (struct pollfd){ .fd = interrupt_fd(), .events = POLLIN };
    fds[FD_CLIENT] = (struct pollfd){ .fd = aq_client_fd(b->session.client), .events = POLLIN };
    fds[FD_TIMER] = (struct pollfd){ .fd = b->grants.ahead.timer_fd, .events = POLLIN };
    fds[FD_LISTENER] = (struct pollfd){ .fd = hears ? b->listener.fd : -1, .events = POLLIN };
    w->count = FD_CALLERS;
    for (int i = 0; i < BROKER_CALLERS; i++) {
        struct caller *c = &b->callers[i];
        if (c->state != CALLER_FREE) {
            w->callers[w->count - FD_CALLERS] = c;
            fds[w->count++] = (struct pollfd){ .fd = c->fd, .events = caller_events(c) };
        }
    }
}

static void serve_callers(struct broker *b, const struct watch *w)
{
    for (nfds_t i = FD_CALLERS; i < w->count; i++) {
        struct caller *c = w->callers[i - FD_CALLERS];
        if (w->fds[i].revents != 0 || caller_is_ahead(c)) {
            serve(b, c);
        }
    }
}

static void print_log(struct broker *b)
{
    int32_t level;
    struct aq_str line;
    while (aq_client_next_log(b->session.client, &level, &line) == AQ_OK) {
        if (b->session.verbose || !b->session.quiet) {
            journal("%.*s", AQ_STR_ARG(line));
        }
    }
}

static aq_status turn(struct broker *b, uint64_t now, struct aq_error *err)
{
    struct watch w;
    fill(b, now, &w);
    if (poll(w.fds, w.count, timeout_ms(b, now)) < 0) {
        return errno == EINTR ? AQ_OK
                              : fault_set(err, AQ_E_IO, "poll: %s, try again", strerror(errno));
    }
    if (interrupt_signal()) {
        return AQ_OK;
    }
    if (w.fds[FD_CLIENT].revents) { /* an error here has ended the operations: they will say so */
        (void)aq_client_step(b->session.client, NULL);
        run_grants(b); /* so that who asks now is judged by what is known by now */
    }
    if (w.fds[FD_TIMER].revents && ahead_is_due(&b->grants.ahead)) {
        look_ahead(b);
    }
    serve_callers(b, &w);
    if (w.fds[FD_LISTENER].revents) {
        accept_one(b);
    }
    run_grants(b);
    drop_silent(b, now_us());
    print_log(b);
    *err = b->fatal;
    return b->fatal.status;
}

aq_status broker_run(struct broker *b, struct aq_error *err)
{
    aq_status st = AQ_OK;
    uint64_t now = now_us();
    b->busy_us = now;
    b->places = count_places();
    look_ahead(b);
    run_grants(b);
    while (st == AQ_OK && !interrupt_signal() && !is_idle(b, now)) {
        st = turn(b, now, err);
        now = now_us();
    }
    for (int i = 0; i < BROKER_CALLERS; i++) {
        end_caller(b, &b->callers[i]);
    }
    return st;
}
