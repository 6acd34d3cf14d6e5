/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the login operation share. Its order is what loses nothing and leaves nothing:
 * see that nobody is logged in, prove that a login can be saved (login_begin.c), register, send a
 * person to a browser, exchange what came back (login_confirm.c), save all of it at once, choose a
 * profile (login.c).
 */
#ifndef AQ_CLIENT_LOGIN_H
#define AQ_CLIENT_LOGIN_H

#include "client/answer.h"
#include "client/keep.h"
#include "client/loopback.h"
#include "client/refresh.h"
#include "wire/pkce.h"
#include "wire/signin.h"

#include <amazonq/login.h>

#define LOGIN_START_URL_KEY AQ_STR("auth.idc.start-url")
#define LOGIN_REGION_KEY AQ_STR("auth.idc.region")

enum {
    LOGIN_MIN_VALID_S = 60,           /* a token this close to its end counts as expired */
    LOGIN_SAVE_US = 15 * 1000 * 1000, /* until the last try to save */
    LOGIN_ASK_US = 45 * 1000 * 1000,  /* the longest that the tries of one request take */
};

enum login_state {
    LOGIN_CHECK,    /* is somebody logged in? */
    LOGIN_REFRESH,  /* somebody is, if this works */
    LOGIN_PREPARE,  /* prove that a login can be saved */
    LOGIN_RECOVER,  /* one that could not be saved, if it can be refreshed */
    LOGIN_REGISTER, /* get a client registration, or go on with the one that is stored */
    LOGIN_DEVICE,   /* get a code */
    LOGIN_VISIT,    /* send a person to a browser */
    LOGIN_POLL,     /* until the code is confirmed */
    LOGIN_LISTEN,   /* until the browser comes back */
    LOGIN_EXCHANGE, /* its code for tokens */
    LOGIN_SAVE,
    LOGIN_PROFILE,
    LOGIN_TELL,
    LOGIN_TOLD,
};

struct login_op {
    struct aq_op op;
    enum login_state state;
    bool announced; /* what the state waits for has been reported */
    uint32_t flags;
    enum token_flow flow;
    struct buf start_url, region, profile_arn; /* as they were asked for, or remembered */

    struct source_login login; /* the one that is there; source and store: where it goes */
    struct refresh refresh;
    struct keep keep;

    struct buf url; /* of the sign-in service */
    struct answer answer;
    int tries;         /* of the request that has to be made now */
    uint64_t again_us; /* not sent before */
    uint64_t until_us; /* the person's time is over */
    struct registration registration;
    bool reused; /* it was stored, so it may not be accepted any more */
    struct signin_device device;
    uint64_t interval_us; /* between two polls */
    struct loopback loopback;
    struct pkce pkce;
    struct buf visit, code;

    struct aq_op *profiles;
    struct buf chosen; /* ARN */
    struct aq_login_step step;
    struct token token; /* as it was saved */
    struct aq_token view;
};

/* Begin another state. */
void login_enter(struct login_op *l, enum login_state state);

/* AQ_AGAIN, at this time at the latest. */
aq_status login_sleep(struct login_op *l, uint64_t until_us);

/* A Builder ID, not the login of an organisation. */
bool login_is_free(const struct login_op *l);

/* AQ_E_INVALID unless a login can be made there. Empty: not known yet. */
aq_status login_check_place(struct aq_str start_url, struct aq_str region, struct aq_error *err);

/* Begin with the client registration: nothing that is there already is of use. */
aq_status login_begin_anew(struct login_op *l, struct aq_error *err);

/* Read what keep has to save: what is told about the login, and used of it. */
aq_status login_read_back(struct login_op *l, struct aq_error *err);

/* ---- the states, each in its file: AQ_OK (go on, or report *ret if it was set), AQ_AGAIN, or why
 * it ends ---- */

aq_status login_check(struct login_op *l, struct aq_error *err);
aq_status login_refresh(struct login_op *l, struct aq_error *err);
aq_status login_prepare(struct login_op *l, const struct aq_event **ret, struct aq_error *err);

aq_status login_recover(struct login_op *l, struct aq_error *err);
aq_status login_register(struct login_op *l, struct aq_error *err);
aq_status login_device(struct login_op *l, struct aq_error *err);
aq_status login_visit(struct login_op *l, const struct aq_event **ret, struct aq_error *err);
aq_status login_poll(struct login_op *l, struct aq_error *err);
aq_status login_listen(struct login_op *l, struct aq_error *err);
aq_status login_exchange(struct login_op *l, struct aq_error *err);

#endif
