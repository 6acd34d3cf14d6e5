/* SPDX-License-Identifier: Apache-2.0 */
/* A login before anybody is sent to a browser. */
#include "client/login.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "client/place.h"
#include "wire/endpoint.h"

#include <errno.h>
#include <limits.h>
#include <sys/random.h>

/* ---- is somebody logged in? ---- */

static aq_status login_is_there(const struct login_op *l, struct aq_error *err)
{
    struct aq_str at = l->login.token.expires_at;
    struct aq_str name = place_login(l->op.client, l->keep.store->plugin);
    return error_set(
        err, AQ_E_STATE,
        "login: there is one already, valid until %.*s; log out first (q logout%s%.*s)",
        at.len < 40 ? (int)at.len : 40, at.ptr ? at.ptr : "", name.len ? " --login " : "",
        AQ_STR_ARG(name));
}

/* A program may keep a login to itself; one that is to last must be there after its end. */
static aq_status login_check_lasts(const struct login_op *l, const struct plugin *plugin,
                                   struct aq_error *err)
{
    bool lasts = plugin->store.traits & AQ_STORE_PERSISTENT;
    return lasts || !(l->flags & AQ_LOGIN_LASTING)
               ? AQ_OK
               : error_set(err, AQ_E_UNSUPPORTED,
                           "store '%s': forgets a login when the program ends, name another one "
                           "(--store sqlite)",
                           plugin->info.name);
}

aq_status login_check(struct login_op *l, struct aq_error *err)
{
    const struct aq_token_wish wish = { .struct_size = sizeof(wish) };
    const struct source *source;
    struct store *store;
    aq_status st = source_for_login(l->op.client, &source, &store, err);
    if (st == AQ_OK) {
        st = login_check_lasts(l, store->plugin, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    keep_begin(&l->keep, &l->op, source, store);
    st = l->flags & AQ_LOGIN_REPLACE ? AQ_E_NOTFOUND
                                     : source_load(source, store, &wish, &l->login, err);
    if (st == AQ_OK && source_remaining_s(&l->login) > LOGIN_MIN_VALID_S) {
        return login_is_there(l, err);
    }
    if (st == AQ_OK && l->login.token.refresh_token.len) {
        refresh_begin(&l->refresh, &l->op, &l->login, LOGIN_MIN_VALID_S, true);
        login_enter(l, LOGIN_REFRESH);
        return AQ_OK;
    }
    login_enter(l, LOGIN_PREPARE);
    return st == AQ_OK || st == AQ_E_NOTFOUND || st == AQ_E_CORRUPT ? AQ_OK : st;
}

/* Whatever is wrong with it, a new login mends it. */
aq_status login_refresh(struct login_op *l, struct aq_error *err)
{
    aq_status st = refresh_run(&l->refresh, err);
    if (st == AQ_OK) {
        return login_is_there(l, err);
    }
    if (st == AQ_AGAIN) {
        return AQ_AGAIN;
    }
    log_printf(&l->op.client->log, LOG_INFO, "login: the one that is there is of no use: %s",
               err->text);
    l->keep.until_us = clock_now_us() + KEEP_LOCK_US;
    login_enter(l, LOGIN_PREPARE);
    return AQ_OK;
}

/* ---- before anybody is sent to a browser ---- */

/* A row that is a JSON string, unless out has a value already. */
static aq_status login_remember(struct login_op *l, struct aq_str key, struct buf *out,
                                struct aq_error *err)
{
    AUTO(buf) struct buf row = BUF(AQ_STORE_VALUE_MAX);
    AUTO(buf) struct buf object = BUF(0);
    struct json_member m;
    aq_status st = out->len ? AQ_E_NOTFOUND : store_get(l->keep.store, key, &row, err);
    if (st != AQ_OK) {
        return st == AQ_E_NOTFOUND ? AQ_OK : st;
    }
    buf_printf(&object, "{\"v\":%.*s}", AQ_STR_ARG(buf_str(&row)));
    if (json_find(buf_str(&object), AQ_STR("v"), &m) && m.type == JSON_STRING &&
        buf_reserve(out, m.value.len)) {
        out->len = json_string_decode(&m, (char *)out->ptr);
    }
    return buf_status(&object) == AQ_OK && buf_status(out) == AQ_OK ? AQ_OK
                                                                    : error_nomem(err, "login");
}

aq_status login_check_place(struct aq_str start_url, struct aq_str region, struct aq_error *err)
{
    if (start_url.len && (start_url.len > SIGNIN_URL_MAX || !str_is_token(start_url) ||
                          !str_starts(start_url, AQ_STR("https://")))) {
        return error_set(err, AQ_E_INVALID,
                         "start URL: is not one, write it as https://NAME.awsapps.com/start");
    }
    if (region.len && !endpoint_region_valid(region)) {
        return error_set(err, AQ_E_INVALID,
                         "region '%.*s': is not a name such as us-east-1, compare it",
                         region.len < 40 ? (int)region.len : 40, region.ptr);
    }
    return AQ_OK;
}

/* What the caller left open. */
static aq_status login_fill_in(struct login_op *l, struct aq_error *err)
{
    aq_status st = AQ_OK;
    if (l->flags & AQ_LOGIN_ORGANISATION) {
        st = login_remember(l, LOGIN_START_URL_KEY, &l->start_url, err);
        if (st == AQ_OK) {
            st = login_remember(l, LOGIN_REGION_KEY, &l->region, err);
        }
        if (st == AQ_OK && l->start_url.len == 0) {
            st = error_set(err, AQ_E_INVALID,
                           "login: no start URL of your organisation is known, give one "
                           "(--identity-provider)");
        }
    }
    if (l->start_url.len == 0) {
        buf_add(&l->start_url, AQ_STR(SIGNIN_BUILDER_ID_URL));
    }
    if (l->region.len == 0) {
        buf_add(&l->region, AQ_STR("us-east-1"));
    }
    if (st == AQ_OK) { /* others may have written what is remembered */
        st = login_check_place(buf_str(&l->start_url), buf_str(&l->region), err);
    }
    if (st == AQ_OK) {
        st = buf_status(&l->start_url) == AQ_OK && buf_status(&l->region) == AQ_OK
                 ? endpoint_oidc(AQ_STR("login"), source_endpoint(l->op.client, TOKEN_OIDC),
                                 buf_str(&l->region), &l->url, err)
                 : error_nomem(err, "login");
    }
    return st;
}

/* An earlier login of this account could not be saved: it need not be made again. */
static bool login_find_kept(struct login_op *l)
{
    struct aq_error ignored;
    struct aq_str key = l->keep.source->registration_key;
    registration_done(&l->registration);
    if (keep_recover(&l->keep, &ignored) != AQ_OK || login_read_back(l, &ignored) != AQ_OK ||
        registration_parse(key, keep_row(&l->keep, key), &l->registration, &ignored) != AQ_OK) {
        return false;
    }
    struct aq_str url = l->token.start_url.len ? l->token.start_url : AQ_STR(SIGNIN_BUILDER_ID_URL);
    return str_eq(url, buf_str(&l->start_url)) && str_eq(l->token.region, buf_str(&l->region)) &&
           l->token.refresh_token.len;
}

static aq_status login_random(struct login_op *l, struct aq_error *err)
{
    uint8_t random[PKCE_RANDOM_LEN];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return error_sys(err, AQ_E_IO, errno, "login: no random numbers");
    }
    return pkce_begin(&l->pkce, random, err);
}

static aq_status login_listen_first(struct login_op *l, struct aq_error *err)
{
    aq_status st = l->flow == TOKEN_FLOW_PKCE ? loopback_open(&l->loopback, err) : AQ_OK;
    return st == AQ_OK && l->flow == TOKEN_FLOW_PKCE ? login_random(l, err) : st;
}

aq_status login_begin_anew(struct login_op *l, struct aq_error *err)
{
    registration_done(&l->registration);
    keep_clear(&l->keep);
    login_enter(l, LOGIN_REGISTER);
    return login_listen_first(l, err);
}

/* Said before anybody goes to a browser for a login that chat will not use. */
static const struct aq_event *login_warn_of_key(struct login_op *l)
{
    const struct settings *settings = &l->op.client->settings;
    const struct settings_value sigv4 = settings_get(settings, SETTINGS_SIGV4);
    AUTO(buf) struct buf place = BUF(PATH_MAX);
    struct aq_event *event = op_event(&l->op, AQ_EVENT_WARNING);
    settings_place(settings, &sigv4, &place);
    error_set(&l->op.error, AQ_OK,
              "setting 'sigv4': is on (%.*s), so chat goes on signing with an access key and does "
              "not use this login; to use it, %s",
              AQ_STR_ARG(buf_str(&place)),
              sigv4.origin == SETTINGS_FILE ? "run: q settings --delete sigv4" : "unset that");
    event->text = str_from(l->op.error.text);
    return event;
}

aq_status login_prepare(struct login_op *l, const struct aq_event **ret, struct aq_error *err)
{
    aq_status st = keep_prove(&l->keep, err);
    if (st == AQ_AGAIN) {
        return login_sleep(l, l->keep.again_us);
    }
    if (st == AQ_OK && l->url.len == 0) {
        st = login_fill_in(l, err);
        if (st == AQ_OK && settings_sign(&l->op.client->settings)) {
            *ret = login_warn_of_key(l);
            return AQ_OK; /* and on with the next call */
        }
    }
    if (st == AQ_OK && login_find_kept(l)) {
        login_enter(l, LOGIN_RECOVER);
        return AQ_OK;
    }
    return st == AQ_OK ? login_begin_anew(l, err) : st;
}
