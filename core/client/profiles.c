/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profiles operation: a token, then the lists of all regions, page by page, then the choice,
 * which is saved beside the login.
 */
#include "client/profiles.h"

#include "base/error.h"
#include "base/str.h"
#include "client/selection.h"
#include "client/stream.h"
#include "client/token.h"
#include "wire/profiles.h"
#include "wire/signin.h"

#include <amazonq/stream.h>

/* Where the service has profiles; if the user named an endpoint, only that one is asked. */
static const struct aq_str regions[] = { AQ_STR_INIT("us-east-1"), AQ_STR_INIT("eu-central-1") };

enum { REGION_COUNT = sizeof(regions) / sizeof(regions[0]) };

enum profiles_state {
    PROFILES_TOKEN, /* find the login */
    PROFILES_BEGIN, /* see whose profiles they will be */
    PROFILES_ASK,   /* start to get the next page */
    PROFILES_WAIT,  /* for the page */
    PROFILES_LISTED,
    PROFILES_ASKED, /* until one is given */
    PROFILES_SAVE,
    PROFILES_SAVED,
};

struct profiles_op {
    struct aq_op op;
    struct profiles_wish wish;
    enum profiles_state state;
    struct aq_op *token, *stream;
    struct buf access_token;
    enum token_kind kind; /* of it; the service wants to be told */
    struct buf current;   /* the ARN that is in use */
    struct profiles profiles;
    size_t region;
    uint32_t pages;
    struct aq_error problem; /* of the first region that could not be asked */
    struct selection selection;
    const struct aq_profile *profile; /* of the list: the one to be saved */
    struct buf chosen;                /* its ARN */
    struct aq_login_step step;
};

/* ---- the token ---- */

static void profiles_end_token(struct profiles_op *p, bool forked)
{
    if (p->token) {
        p->token->parent = NULL; /* if it must finish in the background, it does so by itself */
        if (forked) {
            op_destroy(p->token, true);
        } else {
            aq_op_free(p->token);
        }
        p->token = NULL;
    }
}

/* Whose login it is, if such a one has no profiles; else NULL. A token that was handed in may be
 * anybody's, so the service decides. */
static const char *profiles_who_has_none(enum token_kind kind, const struct aq_token *token)
{
    struct aq_str url = token->start_url;
    bool is_builder_id = url.len == 0 || str_eq(url, AQ_STR(SIGNIN_BUILDER_ID_URL));
    switch (kind) {
    case TOKEN_SOCIAL:
        return "a social account";
    case TOKEN_API_KEY:
        return "an API key";
    case TOKEN_OIDC:
        return is_builder_id ? "a Builder ID" : NULL;
    default:
        return NULL;
    }
}

static aq_status profiles_take_login(struct profiles_op *p, const struct aq_token *token,
                                     struct aq_error *err)
{
    const struct source_login *login = token_login(p->token);
    p->kind = token_kind_find(token->kind);
    const char *without = profiles_who_has_none(p->kind, token);
    if (without) {
        return error_set(err, AQ_E_STATE,
                         "profile: %s has none to choose from, log in with your organisation's "
                         "account",
                         without);
    }
    p->wish.source = login->source;
    p->wish.store = login->store;
    buf_add(&p->access_token, token->access_token);
    buf_add(&p->current, token->profile_arn);
    if (buf_status(&p->access_token) != AQ_OK || buf_status(&p->current) != AQ_OK) {
        return error_nomem(err, "profiles");
    }
    p->state = PROFILES_BEGIN;
    return AQ_OK;
}

static aq_status profiles_token(struct profiles_op *p, const struct aq_event **ret,
                                struct aq_error *err)
{
    static const struct aq_token_options any = AQ_TOKEN_OPTIONS_INIT;
    const struct aq_event *event;
    if (!p->token) {
        aq_status st = token_start(p->op.client, &any, AQ_STR(""), &p->op, &p->token, err);
        if (st != AQ_OK) {
            return st;
        }
    }
    aq_status st = aq_op_next(p->token, &event, err);
    if (st == AQ_OK && event->type == AQ_EVENT_TOKEN) {
        st = profiles_take_login(p, event->token, err);
        profiles_end_token(p, false);
    } else if (st == AQ_OK) {
        *ret = event;
    }
    return st;
}

static aq_status profiles_begin(struct profiles_op *p, struct aq_error *err)
{
    p->state = PROFILES_ASK;
    return selection_begin(&p->selection, p->wish.source, p->wish.store, err);
}

/* ---- the lists ---- */

static bool profiles_has_region(const struct profiles_op *p)
{
    return p->region < (stream_endpoint_is_named(p->op.client) ? 1 : REGION_COUNT);
}

static aq_status profiles_ask(struct profiles_op *p, struct aq_error *err)
{
    struct buf body = BUF(4096);
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    if (!profiles_has_region(p)) {
        p->state = PROFILES_LISTED;
        return AQ_OK;
    }
    profiles_body(&p->profiles, &body);
    options.call = AQ_CALL_LIST_AVAILABLE_PROFILES;
    options.access_token = buf_str(&p->access_token);
    options.token_kind = token_kind_name(p->kind);
    options.body = buf_bytes(&body);
    aq_status st = buf_status(&body) == AQ_OK
                       ? stream_start(p->op.client, &options, NULL, regions[p->region], &p->op,
                                      &p->stream, err)
                       : error_nomem(err, "profiles");
    buf_done(&body);
    p->state = st == AQ_OK ? PROFILES_WAIT : p->state;
    return st;
}

static void profiles_end_stream(struct profiles_op *p, bool forked)
{
    if (p->stream) {
        op_destroy(p->stream, forked);
        p->stream = NULL;
    }
}

static void profiles_next_region(struct profiles_op *p)
{
    p->region++;
    p->pages = 0;
    buf_clear(&p->profiles.next_token);
}

/* A region that cannot be asked does not hide the profiles of another. */
static aq_status profiles_skip_region(struct profiles_op *p, const struct aq_event **ret,
                                      const struct aq_error *why)
{
    struct aq_event *event = op_event(&p->op, AQ_EVENT_WARNING);
    struct aq_str region = regions[p->region];
    if (!p->problem.status) {
        p->problem = *why;
    }
    error_set(&p->op.error, why->status, "profiles of %.*s: not listed, %s", AQ_STR_ARG(region),
              why->text);
    event->text = str_from(p->op.error.text);
    profiles_next_region(p);
    p->state = PROFILES_ASK;
    *ret = profiles_has_region(p) || p->profiles.count ? event : NULL; /* else it is the error */
    return AQ_OK;
}

static aq_status profiles_wait(struct profiles_op *p, const struct aq_event **ret,
                               struct aq_error *err)
{
    const struct aq_event *event;
    aq_status st = aq_op_next(p->stream, &event, err);
    if (st == AQ_OK && event->type == AQ_EVENT_REPLY) {
        st = profiles_add_page(&p->profiles, str_of_bytes(event->payload), err);
    } else if (st == AQ_OK && event->type == AQ_EVENT_NEED_TOKEN) {
        st = error_set(err, AQ_E_AUTH, "service: the access token was rejected, log in again");
    } else if (st == AQ_OK) {
        *ret = event->type == AQ_EVENT_RETRY ? event : NULL;
        return AQ_OK;
    }
    if (st == AQ_AGAIN || st == AQ_E_NOMEM) {
        return st;
    }
    if (st < 0) {
        const struct aq_error why = *err;
        profiles_end_stream(p, false);
        return profiles_skip_region(p, ret, &why);
    }
    if (st == AQ_END) { /* the page has come before */
        profiles_end_stream(p, false);
        if (p->profiles.next_token.len == 0 || ++p->pages == PROFILES_PAGES_MAX) {
            profiles_next_region(p);
        }
        p->state = PROFILES_ASK;
    }
    return AQ_OK;
}

/* ---- the choice ---- */

static aq_status profiles_choose(struct profiles_op *p, const struct aq_profile *profile,
                                 struct aq_error *err)
{
    buf_clear(&p->chosen);
    buf_add(&p->chosen, profile->arn);
    p->profile = profile;
    p->state = PROFILES_SAVE;
    return buf_status(&p->chosen) == AQ_OK ? AQ_OK : error_nomem(err, "profile");
}

static aq_status profiles_unknown(struct aq_str arn, struct aq_error *err)
{
    return error_set(err, AQ_E_INVALID,
                     "profile '%.*s': not one of this account's, list them (q profile list)",
                     arn.len < 200 ? (int)arn.len : 200, arn.ptr);
}

static aq_status profiles_report(struct profiles_op *p, const struct aq_event **ret)
{
    struct aq_event *event = op_event(&p->op, AQ_EVENT_PROFILES);
    struct aq_profile *current = profiles_find(&p->profiles, buf_str(&p->current));
    if (current) {
        current->flags |= AQ_PROFILE_CURRENT;
    }
    p->step = (struct aq_login_step){
        .struct_size = sizeof(p->step),
        .profiles = p->profiles.list,
        .profile_count = p->profiles.count,
        .profile_stride = sizeof(*p->profiles.list),
    };
    event->login = &p->step;
    p->state = PROFILES_ASKED;
    *ret = event;
    return AQ_OK;
}

static aq_status profiles_listed(struct profiles_op *p, const struct aq_event **ret,
                                 struct aq_error *err)
{
    const struct aq_profile *named = profiles_find(&p->profiles, p->wish.arn);
    if (p->wish.arn.len) {
        return named               ? profiles_choose(p, named, err)
               : p->problem.status ? error_copy(err, &p->problem)
                                   : profiles_unknown(p->wish.arn, err);
    }
    if (p->profiles.count == 0 && p->problem.status) {
        return error_copy(err, &p->problem);
    }
    if (!p->op.parent || p->profiles.count > 1) {
        return profiles_report(p, ret);
    }
    if (p->profiles.count == 1) {
        return profiles_choose(p, &p->profiles.list[0], err);
    }
    p->state = PROFILES_SAVED; /* none: the account is used without */
    return AQ_OK;
}

static aq_status profiles_give(struct aq_op *op, struct aq_str arn, struct aq_error *err)
{
    struct profiles_op *p = (struct profiles_op *)op;
    const struct aq_profile *named = profiles_find(&p->profiles, arn);
    if (arn.len == 0) {
        p->state = PROFILES_SAVED;
        return AQ_OK;
    }
    return named ? profiles_choose(p, named, err) : profiles_unknown(arn, err);
}

static bool profiles_wants(const struct aq_op *op)
{
    return ((const struct profiles_op *)op)->state == PROFILES_ASKED;
}

static aq_status profiles_save(struct profiles_op *p, struct aq_error *err)
{
    p->state = PROFILES_SAVED;
    return selection_save(&p->selection, p->profile, err);
}

/* ---- the operation ---- */

static aq_status profiles_step(struct profiles_op *p, const struct aq_event **ret,
                               struct aq_error *err)
{
    switch (p->state) {
    case PROFILES_TOKEN:
        return profiles_token(p, ret, err);
    case PROFILES_BEGIN:
        return profiles_begin(p, err);
    case PROFILES_ASK:
        return profiles_ask(p, err);
    case PROFILES_WAIT:
        return profiles_wait(p, ret, err);
    case PROFILES_LISTED:
        return profiles_listed(p, ret, err);
    case PROFILES_ASKED:
        return AQ_AGAIN;
    case PROFILES_SAVE:
        return profiles_save(p, err);
    case PROFILES_SAVED:
        break;
    }
    return AQ_END;
}

static aq_status profiles_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    const struct aq_event *event = NULL;
    aq_status st;
    do {
        st = profiles_step((struct profiles_op *)op, &event, err);
    } while (st == AQ_OK && !event);
    if (st == AQ_OK) {
        *ret = event;
    }
    return st < 0 || st == AQ_END ? op_end(op, st, err) : st;
}

static void profiles_op_done(struct aq_op *op, bool forked)
{
    struct profiles_op *p = (struct profiles_op *)op;
    profiles_end_token(p, forked);
    profiles_end_stream(p, forked);
    selection_done(&p->selection);
    profiles_done(&p->profiles);
    buf_done(&p->access_token);
    buf_done(&p->current);
    buf_done(&p->chosen);
}

static const struct op_class profiles_class = {
    .may_block = true,
    .next = profiles_next,
    .give_profile = profiles_give,
    .wants_profile = profiles_wants,
    .done = profiles_op_done,
    .size = sizeof(struct profiles_op),
};

struct aq_str profiles_chosen(const struct aq_op *op)
{
    return buf_str(&((const struct profiles_op *)op)->chosen);
}

aq_status profiles_start(struct aq_client *client, const struct profiles_wish *wish,
                         struct aq_op *parent, struct aq_op **ret, struct aq_error *err)
{
    struct profiles_op *p = (struct profiles_op *)op_new(client, &profiles_class, parent);
    if (!p) {
        return error_nomem(err, "profiles operation");
    }
    p->wish = *wish;
    p->state = wish->source ? PROFILES_BEGIN : PROFILES_TOKEN;
    p->kind = wish->source ? wish->source->kind : TOKEN_KIND_UNKNOWN;
    buf_add(&p->access_token, wish->access_token);
    if (buf_status(&p->access_token) != AQ_OK) {
        op_destroy(&p->op, false);
        return error_nomem(err, "profiles operation");
    }
    *ret = &p->op;
    return AQ_OK;
}

aq_status aq_profiles_start(struct aq_client *client, struct aq_op **ret, struct aq_error *err)
{
    static const struct profiles_wish any = { 0 };
    aq_status st = client_usable(client, err);
    if (st == AQ_OK) {
        st = profiles_start(client, &any, NULL, ret, err);
    }
    if (st == AQ_OK) {
        op_ready(*ret);
    }
    return st;
}
