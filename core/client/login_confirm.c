/* SPDX-License-Identifier: Apache-2.0 */
/* A login from the client registration to the tokens. */
#include "client/login.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"

#define CUSTOMIZATION_KEY AQ_STR("api.selectedCustomization")

enum {
    TRIES = 3,                          /* of one request */
    RETRY_US = 1000 * 1000,             /* after the first that failed; then twice as long */
    RETRY_MAX_US = 60 * 1000 * 1000,    /* at most */
    BROWSER_US = 10 * 60 * 1000 * 1000, /* for a person, where the service does not say */
};

/* ---- requests: sent, awaited, and sent again after what may pass ---- */

/* One kind of request: where it goes, what is in it, and what the answer means. */
struct login_request {
    struct aq_str path;
    aq_status (*body)(struct login_op *l, struct buf *out, struct aq_error *err);
    enum signin_outcome (*judge)(struct login_op *l, const struct signin_answer *answer,
                                 struct aq_error *err);
};

static aq_status login_send(struct login_op *l, const struct login_request *r, struct aq_error *err)
{
    AUTO(buf) struct buf url = BUF(4096);
    AUTO(buf) struct buf body = BUF(AQ_STORE_VALUE_MAX);
    buf_add(&url, buf_str(&l->url));
    buf_add(&url, r->path);
    aq_status st = r->body(l, &body, err);
    if (st == AQ_OK) {
        st = buf_status(&url) == AQ_OK
                 ? answer_post(&l->answer, &l->op, "sign-in service", buf_str(&url),
                               AQ_STR(OIDC_CONTENT_TYPE), buf_bytes(&body), err)
                 : error_nomem(err, "login");
    }
    return st;
}

/* Something between us and the service. */
static bool login_may_pass(aq_status st)
{
    return st == AQ_E_NETWORK || st == AQ_E_TIMEOUT || st == AQ_E_TRUNCATED;
}

/* Send it unless it is under way, and judge the answer. AQ_OK: look at *ret; err says why it is not
 * SIGNIN_OK. */
static aq_status login_exchange_once(struct login_op *l, const struct login_request *r,
                                     enum signin_outcome *ret, struct aq_error *err)
{
    aq_status st = AQ_OK;
    if (!answer_is_awaited(&l->answer)) {
        if (clock_now_us() < l->again_us) {
            return login_sleep(l, l->again_us);
        }
        st = login_send(l, r, err);
    }
    if (st == AQ_OK) {
        st = answer_wait(&l->answer, err);
    }
    if (st == AQ_AGAIN) {
        return st;
    }
    if (st == AQ_OK) {
        const struct signin_answer answer = { l->answer.http, buf_str(&l->answer.error_type),
                                              buf_str(&l->answer.body) };
        *ret = r->judge(l, &answer, err);
    } else {
        *ret = login_may_pass(st) ? SIGNIN_TEMPORARY : SIGNIN_REFUSED;
    }
    answer_done(&l->answer, false);
    return AQ_OK;
}

/* Twice as long each time. */
static uint64_t login_backoff(const struct login_op *l, uint64_t first_us)
{
    uint64_t pause_us = first_us;
    for (int i = 1; i < l->tries && pause_us < RETRY_MAX_US; i++) {
        pause_us *= 2;
    }
    return pause_us < RETRY_MAX_US ? pause_us : RETRY_MAX_US;
}

/* What may pass is asked again, a few times. */
static bool login_asks_again(struct login_op *l, enum signin_outcome outcome,
                             const struct aq_error *why)
{
    bool again = outcome == SIGNIN_TEMPORARY || outcome == SIGNIN_SLOW_DOWN;
    if (!again || ++l->tries >= TRIES) {
        return false;
    }
    log_printf(&l->op.client->log, LOG_INFO, "login: trying again, %s", why->text);
    l->again_us = clock_now_us() + login_backoff(l, RETRY_US);
    return true;
}

/* The whole of it, for what a login cannot do without. */
static aq_status login_ask(struct login_op *l, const struct login_request *r, enum login_state next,
                           struct aq_error *err)
{
    enum signin_outcome outcome = SIGNIN_OK;
    aq_status st = login_exchange_once(l, r, &outcome, err);
    if (st != AQ_OK) {
        return st;
    }
    if (outcome == SIGNIN_OK) {
        login_enter(l, next);
        return AQ_OK;
    }
    if (outcome == SIGNIN_CLIENT_UNKNOWN && l->reused) {
        l->reused = false;
        login_enter(l, LOGIN_REGISTER);
        return AQ_OK;
    }
    return login_asks_again(l, outcome, err) ? AQ_OK : err->status;
}

/* ---- the client registration ---- */

static aq_status register_body(struct login_op *l, struct buf *out, struct aq_error *err)
{
    return signin_register_body(buf_str(&l->start_url), buf_str(&l->loopback.redirect_uri), out,
                                err);
}

static enum signin_outcome register_judge(struct login_op *l, const struct signin_answer *answer,
                                          struct aq_error *err)
{
    registration_done(&l->registration);
    enum signin_outcome outcome = signin_registered(answer, &l->registration, err);
    l->registration.region = buf_str(&l->region);
    l->registration.flow = l->flow;
    return outcome;
}

static const struct login_request register_request = { AQ_STR_INIT(SIGNIN_REGISTER_PATH),
                                                       register_body, register_judge };

/* The stored one, if it is of this kind and of this region. */
static bool login_reuse(struct login_op *l)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error ignored;
    struct aq_str key = l->keep.source->registration_key;
    registration_done(&l->registration);
    return l->flow == TOKEN_FLOW_DEVICE_CODE &&
           store_get(l->keep.store, key, &json, &ignored) == AQ_OK &&
           registration_parse(key, buf_str(&json), &l->registration, &ignored) == AQ_OK &&
           signin_registration_fits(&l->registration, buf_str(&json), buf_str(&l->region),
                                    clock_wall_s());
}

static enum login_state login_after_registration(const struct login_op *l)
{
    return l->flow == TOKEN_FLOW_PKCE ? LOGIN_VISIT : LOGIN_DEVICE;
}

aq_status login_register(struct login_op *l, struct aq_error *err)
{
    bool first = !l->registration.client_id.len && !answer_is_awaited(&l->answer) && !l->tries;
    if (first && login_reuse(l)) {
        l->reused = true;
        login_enter(l, login_after_registration(l));
        return AQ_OK;
    }
    return login_ask(l, &register_request, login_after_registration(l), err);
}

/* ---- the visit ---- */

static aq_status device_body(struct login_op *l, struct buf *out, struct aq_error *err)
{
    return signin_device_body(&l->registration, buf_str(&l->start_url), out, err);
}

static enum signin_outcome device_judge(struct login_op *l, const struct signin_answer *answer,
                                        struct aq_error *err)
{
    signin_device_done(&l->device);
    return signin_device_granted(answer, &l->device, err);
}

static const struct login_request device_request = { AQ_STR_INIT(SIGNIN_DEVICE_PATH), device_body,
                                                     device_judge };

aq_status login_device(struct login_op *l, struct aq_error *err)
{
    return login_ask(l, &device_request, LOGIN_VISIT, err);
}

static aq_status login_visit_page(struct login_op *l, struct aq_error *err)
{
    uint64_t now_us = clock_now_us();
    l->step = (struct aq_login_step){ .struct_size = sizeof(l->step) };
    if (l->flow == TOKEN_FLOW_DEVICE_CODE) {
        l->step.url = l->device.url;
        l->step.short_url = l->device.short_url;
        l->step.user_code = l->device.user_code;
        l->until_us = now_us + (uint64_t)l->device.lifetime_s * 1000000;
        l->interval_us = (uint64_t)l->device.interval_s * 1000000;
        return AQ_OK;
    }
    buf_clear(&l->visit);
    aq_status st = signin_authorize_url(buf_str(&l->url), l->registration.client_id,
                                        buf_str(&l->loopback.redirect_uri), buf_str(&l->pkce.state),
                                        buf_str(&l->pkce.challenge), &l->visit, err);
    l->step.url = buf_str(&l->visit);
    l->step.callback_url = buf_str(&l->loopback.redirect_uri);
    l->until_us = now_us + BROWSER_US;
    return st == AQ_OK ? client_watch(&l->op, l->loopback.epoll_fd, err) : st;
}

aq_status login_visit(struct login_op *l, const struct aq_event **ret, struct aq_error *err)
{
    aq_status st = login_visit_page(l, err);
    if (st != AQ_OK) {
        return st;
    }
    struct aq_event *event = op_event(&l->op, AQ_EVENT_VISIT);
    l->step.valid_s = (uint32_t)((l->until_us - clock_now_us() + 999999) / 1000000);
    event->login = &l->step;
    login_enter(l, l->flow == TOKEN_FLOW_PKCE ? LOGIN_LISTEN : LOGIN_POLL);
    l->again_us = clock_now_us() + l->interval_us; /* of the first poll */
    *ret = event;
    return AQ_OK;
}

static aq_status login_is_late(struct aq_error *err)
{
    return error_set(err, AQ_E_TIMEOUT,
                     "login: was not confirmed in a browser in time, log in again");
}

/* ---- until it is confirmed ---- */

static aq_status poll_body(struct login_op *l, struct buf *out, struct aq_error *err)
{
    return signin_poll_body(&l->registration, l->device.device_code, out, err);
}

/* All that belongs to the login, as rows. What another login left behind beside it has to go. */
static aq_status login_rows(struct login_op *l, const struct oidc_tokens *tokens,
                            struct aq_error *err)
{
    AUTO(buf) struct buf token = BUF(AQ_STORE_VALUE_MAX);
    AUTO(buf) struct buf registration = BUF(AQ_STORE_VALUE_MAX);
    const struct source *source = l->keep.source;
    enum token_flow flow = l->registration.flow;
    bool unnamed = login_is_free(l) && flow == TOKEN_FLOW_DEVICE_CODE; /* as the existing CLI */
    aq_status st =
        signin_token_row(tokens, clock_wall_s() + tokens->expires_in_s, buf_str(&l->region),
                         unnamed ? AQ_STR("") : buf_str(&l->start_url), flow, &token, err);
    if (st == AQ_OK) {
        st = signin_registration_row(&l->registration, &registration, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    keep_clear(&l->keep);
    keep_add(&l->keep, source->token_key, buf_str(&token));
    keep_add(&l->keep, source->registration_key, buf_str(&registration));
    keep_add(&l->keep, source->profile_key, AQ_STR(""));
    keep_add(&l->keep, CUSTOMIZATION_KEY, AQ_STR(""));
    if (!login_is_free(l)) {
        keep_add_text(&l->keep, LOGIN_START_URL_KEY, buf_str(&l->start_url));
        keep_add_text(&l->keep, LOGIN_REGION_KEY, buf_str(&l->region));
    }
    l->keep.until_us = clock_now_us() + LOGIN_SAVE_US;
    return buf_status(&l->keep.rows) == AQ_OK ? login_read_back(l, err) : error_nomem(err, "login");
}

static enum signin_outcome tokens_judge(struct login_op *l, const struct signin_answer *answer,
                                        struct aq_error *err)
{
    AUTO(oidc_tokens) struct oidc_tokens tokens = { 0 };
    enum signin_outcome outcome = signin_granted(answer, &tokens, err);
    if (outcome != SIGNIN_OK) {
        return outcome;
    }
    return login_rows(l, &tokens, err) == AQ_OK ? SIGNIN_OK : SIGNIN_REFUSED;
}

static const struct login_request poll_request = { AQ_STR_INIT(OIDC_TOKEN_PATH), poll_body,
                                                   tokens_judge };

/* When to ask again: RFC 8628, 3.5. */
static void login_plan_poll(struct login_op *l, enum signin_outcome outcome)
{
    l->tries = outcome == SIGNIN_TEMPORARY ? l->tries + 1 : 0;
    if (outcome == SIGNIN_SLOW_DOWN) {
        l->interval_us += (uint64_t)SIGNIN_SLOW_DOWN_S * 1000000;
    }
    uint64_t pause_us = login_backoff(l, l->interval_us);
    pause_us = pause_us < l->interval_us ? l->interval_us : pause_us;
    l->again_us = clock_now_us() + pause_us;
    l->again_us = l->again_us < l->until_us ? l->again_us : l->until_us;
}

aq_status login_poll(struct login_op *l, struct aq_error *err)
{
    enum signin_outcome outcome = SIGNIN_OK;
    if (!answer_is_awaited(&l->answer) && clock_now_us() >= l->until_us) {
        return login_is_late(err);
    }
    aq_status st = login_exchange_once(l, &poll_request, &outcome, err);
    if (st != AQ_OK) {
        return st;
    }
    switch (outcome) {
    case SIGNIN_OK:
        login_enter(l, LOGIN_SAVE);
        return AQ_OK;
    case SIGNIN_TEMPORARY:
        log_printf(&l->op.client->log, LOG_INFO, "login: asking again, %s", err->text);
        break;
    case SIGNIN_PENDING:
    case SIGNIN_SLOW_DOWN:
        break;
    case SIGNIN_CLIENT_UNKNOWN: /* too late for another one: the person has been sent away */
    case SIGNIN_REFUSED:
        return err->status;
    }
    login_plan_poll(l, outcome);
    return AQ_OK;
}

/* ---- until the browser comes back ---- */

aq_status login_listen(struct login_op *l, struct aq_error *err)
{
    if (clock_now_us() >= l->until_us) {
        return login_is_late(err);
    }
    aq_status st = loopback_run(&l->loopback, buf_str(&l->pkce.state), &l->code, err);
    if (st == AQ_AGAIN) {
        uint64_t next_us = loopback_deadline(&l->loopback);
        return login_sleep(l, next_us < l->until_us ? next_us : l->until_us);
    }
    client_unwatch(&l->op, false);
    loopback_close(&l->loopback); /* one is enough, and it has its answer */
    if (st == AQ_OK) {
        login_enter(l, LOGIN_EXCHANGE);
    }
    return st;
}

static aq_status code_body(struct login_op *l, struct buf *out, struct aq_error *err)
{
    return signin_code_body(&l->registration, buf_str(&l->code), buf_str(&l->loopback.redirect_uri),
                            buf_str(&l->pkce.verifier), out, err);
}

static const struct login_request code_request = { AQ_STR_INIT(OIDC_TOKEN_PATH), code_body,
                                                   tokens_judge };

aq_status login_exchange(struct login_op *l, struct aq_error *err)
{
    return login_ask(l, &code_request, LOGIN_SAVE, err);
}

/* ---- an earlier one that could not be saved ---- */

static aq_status kept_body(struct login_op *l, struct buf *out, struct aq_error *err)
{
    return oidc_refresh_body(&l->registration, l->token.refresh_token, out, err);
}

static enum signin_outcome kept_judge(struct login_op *l, const struct signin_answer *answer,
                                      struct aq_error *err)
{
    AUTO(oidc_tokens) struct oidc_tokens tokens = { 0 };
    enum signin_outcome outcome = signin_granted(answer, &tokens, err);
    if (outcome != SIGNIN_OK) {
        return outcome;
    }
    if (tokens.refresh_token.len == 0) {
        tokens.refresh_token = l->token.refresh_token;
    }
    return login_rows(l, &tokens, err) == AQ_OK ? SIGNIN_OK : SIGNIN_REFUSED;
}

static const struct login_request kept_request = { AQ_STR_INIT(OIDC_TOKEN_PATH), kept_body,
                                                   kept_judge };

/* Only the service knows whether it is still good for anything. If not, a new one is made. */
aq_status login_recover(struct login_op *l, struct aq_error *err)
{
    enum signin_outcome outcome = SIGNIN_OK;
    aq_status st = login_exchange_once(l, &kept_request, &outcome, err);
    if (st != AQ_OK) {
        return st;
    }
    if (outcome == SIGNIN_OK) {
        log_add(&l->op.client->log, LOG_INFO, AQ_STR("login: saving what could not be saved"));
        login_enter(l, LOGIN_SAVE);
        return AQ_OK;
    }
    if (login_asks_again(l, outcome, err)) {
        return AQ_OK;
    }
    log_printf(&l->op.client->log, LOG_INFO, "login: the one that was kept is of no use: %s",
               err->text);
    return login_begin_anew(l, err);
}
