/* SPDX-License-Identifier: Apache-2.0 */
/* The login operation: its states, and what comes after the tokens. */
#include "client/login.h"

#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "client/profiles.h"

enum { PROFILES_US = 60 * 1000 * 1000 }; /* until the profiles are listed */

void login_enter(struct login_op *l, enum login_state state)
{
    l->state = state;
    l->announced = false;
    l->tries = 0;
    l->again_us = 0;
}

bool login_is_free(const struct login_op *l)
{
    return str_eq(buf_str(&l->start_url), AQ_STR(SIGNIN_BUILDER_ID_URL));
}

aq_status login_sleep(struct login_op *l, uint64_t until_us)
{
    op_wake_at(&l->op, until_us);
    return AQ_AGAIN;
}

aq_status login_read_back(struct login_op *l, struct aq_error *err)
{
    struct aq_str key = l->keep.source->token_key;
    token_done(&l->token);
    return token_parse(key, keep_row(&l->keep, key), &l->token, err);
}

/* ---- save, choose, tell ---- */

static aq_status login_save(struct login_op *l, struct aq_error *err)
{
    aq_status st = keep_run(&l->keep, err);
    if (st == AQ_AGAIN) {
        return login_sleep(l, l->keep.again_us);
    }
    loopback_done(&l->loopback);
    l->until_us = clock_now_us() + PROFILES_US;
    login_enter(l, login_is_free(l) ? LOGIN_TELL : LOGIN_PROFILE);
    return st;
}

/* The login is good without; what went wrong here may be mended later. */
static aq_status login_without_profile(struct login_op *l, const struct aq_event **ret,
                                       const struct aq_error *why)
{
    struct aq_event *event = op_event(&l->op, AQ_EVENT_WARNING);
    error_set(&l->op.error, why->status,
              "login: made, but no profile was chosen, %s; choose one later (q profile)",
              why->text);
    event->text = str_from(l->op.error.text);
    *ret = event;
    return AQ_OK;
}

static void login_end_profiles(struct login_op *l, bool forked)
{
    if (l->profiles) {
        op_destroy(l->profiles, forked);
        l->profiles = NULL;
    }
}

static bool login_wants_profile(const struct aq_op *op)
{
    const struct aq_op *profiles = ((const struct login_op *)op)->profiles;
    return profiles && profiles->class->wants_profile(profiles);
}

static aq_status login_profile(struct login_op *l, const struct aq_event **ret,
                               struct aq_error *err)
{
    aq_status st = AQ_OK;
    if (!l->profiles) {
        const struct profiles_wish wish = { l->keep.source, l->keep.store, l->token.access_token,
                                            buf_str(&l->profile_arn) };
        st = profiles_start(l->op.client, &wish, &l->op, &l->profiles, err);
    }
    if (st == AQ_OK) {
        st = aq_op_next(l->profiles, ret, err);
    }
    if (st == AQ_AGAIN && !login_wants_profile(&l->op)) {
        st = clock_now_us() < l->until_us
                 ? login_sleep(l, l->until_us)
                 : error_set(err, AQ_E_TIMEOUT, "service: did not list the profiles in time");
    }
    if (st == AQ_OK || st == AQ_AGAIN) {
        return st;
    }
    if (st == AQ_END) {
        buf_add(&l->chosen, profiles_chosen(l->profiles));
    }
    login_end_profiles(l, false);
    login_enter(l, LOGIN_TELL);
    if (st == AQ_END) {
        return buf_status(&l->chosen) == AQ_OK ? AQ_OK : error_nomem(err, "login");
    }
    if (l->profile_arn.len) { /* it was wished for */
        const struct aq_error why = *err;
        return error_set(
            err, st, "%s; the login is kept, choose a profile later (q profile use ARN)", why.text);
    }
    const struct aq_error why = *err;
    return login_without_profile(l, ret, &why);
}

static aq_status login_give_profile(struct aq_op *op, struct aq_str arn, struct aq_error *err)
{
    struct login_op *l = (struct login_op *)op;
    aq_status st = aq_op_give_profile(l->profiles, arn, err);
    if (st == AQ_OK) {
        l->until_us = clock_now_us() + KEEP_LOCK_US; /* the choice is still to be saved */
    }
    return st;
}

/* The login as it was saved. */
static const struct aq_token *login_view(struct login_op *l)
{
    source_view(l->op.client, l->keep.source, l->keep.store, &l->token, buf_str(&l->chosen),
                &l->view);
    return &l->view;
}

static aq_status login_tell(struct login_op *l, const struct aq_event **ret)
{
    struct aq_event *event = op_event(&l->op, AQ_EVENT_LOGGED_IN);
    event->token = login_view(l);
    login_enter(l, LOGIN_TOLD);
    *ret = event;
    return AQ_OK;
}

/* ---- what is waited for ---- */

static const struct {
    const char *what; /* NULL: nothing worth to be told */
    uint32_t ms;      /* at most; 0: until the person's time is over */
} waits[] = {
    [LOGIN_REFRESH] = { "the sign-in service, to refresh the login that is there",
                        LOGIN_ASK_US / 1000 },
    [LOGIN_PREPARE] = { "the store", KEEP_LOCK_US / 1000 },
    [LOGIN_RECOVER] = { "the sign-in service, for the login that could not be saved",
                        LOGIN_ASK_US / 1000 },
    [LOGIN_REGISTER] = { "the sign-in service, to register", LOGIN_ASK_US / 1000 },
    [LOGIN_DEVICE] = { "the sign-in service, for a code", LOGIN_ASK_US / 1000 },
    [LOGIN_POLL] = { "the code to be confirmed in a browser", 0 },
    [LOGIN_LISTEN] = { "the login to be confirmed in the browser", 0 },
    [LOGIN_EXCHANGE] = { "the sign-in service, for the tokens", LOGIN_ASK_US / 1000 },
    [LOGIN_SAVE] = { "the store, to save the login", LOGIN_SAVE_US / 1000 },
    [LOGIN_PROFILE] = { "the service, for the list of profiles", PROFILES_US / 1000 },
    [LOGIN_TOLD] = { NULL, 0 },
};

/* Before the first wait of a state. NULL: there is nothing to be said. */
static const struct aq_event *login_announce(struct login_op *l)
{
    bool silent = l->announced || !waits[l->state].what;
    l->announced = true;
    if (silent) {
        return NULL;
    }
    uint64_t now_us = clock_now_us();
    struct aq_event *event = op_event(&l->op, AQ_EVENT_WAITING);
    event->text = str_from(waits[l->state].what);
    event->delay_ms = waits[l->state].ms;
    if (l->state == LOGIN_POLL || l->state == LOGIN_LISTEN) {
        event->delay_ms = l->until_us > now_us ? (uint32_t)((l->until_us - now_us) / 1000) : 0;
    }
    if (l->state == LOGIN_PROFILE) { /* whoever goes now leaves a login behind */
        event->token = login_view(l);
    }
    return event;
}

/* ---- the operation ---- */

static aq_status login_step(struct login_op *l, const struct aq_event **ret, struct aq_error *err)
{
    switch (l->state) {
    case LOGIN_CHECK:
        return login_check(l, err);
    case LOGIN_REFRESH:
        return login_refresh(l, err);
    case LOGIN_PREPARE:
        return login_prepare(l, ret, err);
    case LOGIN_RECOVER:
        return login_recover(l, err);
    case LOGIN_REGISTER:
        return login_register(l, err);
    case LOGIN_DEVICE:
        return login_device(l, err);
    case LOGIN_VISIT:
        return login_visit(l, ret, err);
    case LOGIN_POLL:
        return login_poll(l, err);
    case LOGIN_LISTEN:
        return login_listen(l, err);
    case LOGIN_EXCHANGE:
        return login_exchange(l, err);
    case LOGIN_SAVE:
        return login_save(l, err);
    case LOGIN_PROFILE:
        return login_profile(l, ret, err);
    case LOGIN_TELL:
        return login_tell(l, ret);
    case LOGIN_TOLD:
        break;
    }
    return AQ_END;
}

static aq_status login_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    struct login_op *l = (struct login_op *)op;
    const struct aq_event *event = NULL;
    aq_status st;
    do {
        st = login_step(l, &event, err);
    } while (st == AQ_OK && !event);
    if (st == AQ_AGAIN && (event = login_announce(l))) {
        op_ready(op); /* there was more to look at than this event */
        st = AQ_OK;
    }
    if (st == AQ_OK) {
        *ret = event;
        return AQ_OK;
    }
    if (st == AQ_AGAIN) {
        return AQ_AGAIN;
    }
    client_unwatch(op, false); /* nobody is let in any more */
    loopback_done(&l->loopback);
    return op_end(op, st, err);
}

/* What the service has given is saved, whoever asks for it. */
static bool login_must_finish(const struct aq_op *op)
{
    const struct login_op *l = (const struct login_op *)op;
    return op->ended == AQ_OK &&
           (refresh_must_finish(&l->refresh) || (l->state == LOGIN_SAVE && l->keep.op));
}

static void login_work(struct aq_op *op)
{
    struct login_op *l = (struct login_op *)op;
    struct aq_error err;
    aq_status st = l->state == LOGIN_SAVE ? login_save(l, &err) : login_refresh(l, &err);
    if (st < 0) {
        op_end(op, st, &err);
    }
}

static void login_done(struct aq_op *op, bool forked)
{
    struct login_op *l = (struct login_op *)op;
    login_end_profiles(l, forked);
    refresh_done(&l->refresh, forked);
    answer_done(&l->answer, forked);
    client_unwatch(op, forked);
    loopback_done(&l->loopback);
    keep_done(&l->keep, forked);
    source_login_done(&l->login);
    registration_done(&l->registration);
    signin_device_done(&l->device);
    pkce_done(&l->pkce);
    token_done(&l->token);
    struct buf *texts[] = { &l->start_url, &l->region, &l->profile_arn, &l->url,
                            &l->visit,     &l->code,   &l->chosen };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        buf_done(texts[i]);
    }
}

static const struct op_class login_class = {
    .may_block = true,
    .next = login_next,
    .give_profile = login_give_profile,
    .wants_profile = login_wants_profile,
    .must_finish = login_must_finish,
    .work = login_work,
    .done = login_done,
    .size = sizeof(struct login_op),
};

/* ---- starting one ---- */

static aq_status login_check_options(const struct aq_login_options *o, struct aq_error *err)
{
    bool builder_id = o->start_url.len == 0 || str_eq(o->start_url, AQ_STR(SIGNIN_BUILDER_ID_URL));
    if (o->flow != AQ_LOGIN_DEVICE && o->flow != AQ_LOGIN_BROWSER) {
        return error_set(err, AQ_E_INVALID, "login options: there is no flow %d", (int)o->flow);
    }
    aq_status st = login_check_place(o->start_url, o->region, err);
    if (st != AQ_OK) {
        return st;
    }
    if (o->profile_arn.len && builder_id && !(o->flags & AQ_LOGIN_ORGANISATION)) {
        return error_set(err, AQ_E_INVALID,
                         "profile: a Builder ID has none, leave it out or give the start URL of "
                         "your organisation");
    }
    return AQ_OK;
}

aq_status aq_login_start(struct aq_client *client, const struct aq_login_options *options,
                         struct aq_op **ret, struct aq_error *err)
{
    struct aq_login_options known = AQ_LOGIN_OPTIONS_INIT;
    aq_status st = client_usable(client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (options && !options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "login options: struct_size is not set");
    }
    st = login_check_options(&known, err);
    if (st != AQ_OK) {
        return st;
    }
    struct login_op *l = (struct login_op *)op_new(client, &login_class, NULL);
    if (!l) {
        return error_nomem(err, "login operation");
    }
    l->flags = known.flags;
    l->flow = known.flow == AQ_LOGIN_BROWSER ? TOKEN_FLOW_PKCE : TOKEN_FLOW_DEVICE_CODE;
    buf_add(&l->start_url, known.start_url);
    buf_add(&l->region, known.region);
    buf_add(&l->profile_arn, known.profile_arn);
    if (buf_status(&l->start_url) != AQ_OK || buf_status(&l->region) != AQ_OK ||
        buf_status(&l->profile_arn) != AQ_OK) {
        op_destroy(&l->op, false);
        return error_nomem(err, "login operation");
    }
    op_ready(&l->op);
    *ret = &l->op;
    return AQ_OK;
}
