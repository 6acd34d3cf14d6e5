/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All logins there are, looked at one after the other. Stores are opened for this alone, so that
 * none of them asks anybody anything.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "client/place.h"
#include "client/source.h"

#include <amazonq/sources.h>
#include <dirent.h>
#include <limits.h>
#include <string.h>

enum {
    MARGIN_S = 60, /* a token this close to its end counts as expired */
    LOGIN_MAX = 64 /* bytes of a name */
};

struct entry {
    struct entry *next;
    const struct source *source;
    struct source_login found; /* its store is closed by now */
    const char *store;
    struct buf place;
    struct buf profile_arn;
    char login[LOGIN_MAX + 1];
    bool ours; /* this client may use it */
    uint32_t flags;
    int32_t state;
    enum token_kind kind;
    struct aq_error problem;
    struct buf reason;
};

struct aq_sources {
    struct entry *first;
    struct entry **end;
    const struct entry *at; /* the next one to be shown */
};

/* One place at a time. */
struct visit {
    struct aq_sources *sources;
    struct aq_client *client;
    const struct plugin *plugin;
    char login[LOGIN_MAX + 1];
    bool ours;
    struct place place;
    struct store store;
    struct aq_error problem; /* why the store is not open */
};

void aq_sources_free(struct aq_sources *sources)
{
    while (sources && sources->first) {
        struct entry *entry = sources->first;
        sources->first = entry->next;
        source_login_done(&entry->found);
        buf_done(&entry->place);
        buf_done(&entry->profile_arn);
        buf_done(&entry->reason);
        alloc_free(entry, sizeof(*entry));
    }
    alloc_free(sources, sizeof(*sources));
}

/* ---- one login ---- */

static int32_t entry_state(const struct entry *entry, aq_status st)
{
    switch (st) {
    case AQ_OK:
        return source_remaining_s(&entry->found) > MARGIN_S ? AQ_SOURCE_VALID : AQ_SOURCE_EXPIRED;
    case AQ_E_NOTFOUND:
        return AQ_SOURCE_EMPTY;
    default:
        return AQ_SOURCE_UNREADABLE;
    }
}

/* Look at one key; the store may be closed. */
static aq_status entry_read(struct entry *entry, struct visit *v)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    if (!store_is_open(&v->store)) {
        entry->problem = v->problem;
        return v->problem.status;
    }
    entry->found.store = &v->store;
    entry->found.json = (struct buf)BUF(AQ_STORE_VALUE_MAX);
    aq_status st = store_get(&v->store, entry->source->token_key, &json, &entry->problem);
    if (st == AQ_OK) {
        st = source_take(&entry->found, &json, &entry->problem);
    }
    if (st == AQ_OK) {
        st = source_profile(&entry->found, &entry->profile_arn, NULL, &entry->problem);
        entry->kind = source_kind(entry->source, &v->store, &entry->found.token);
    }
    if (st == AQ_OK && entry->found.token.refresh_token.len && store_can_refresh(&v->store)) {
        entry->flags |= AQ_SOURCE_REFRESHABLE;
    }
    return st;
}

static aq_status visit_login(struct visit *v, const struct source *source, struct aq_error *err)
{
    struct entry *entry = ALLOC(struct entry);
    if (!entry) {
        return error_nomem(err, "sources");
    }
    *v->sources->end = entry;
    v->sources->end = &entry->next;
    entry->source = entry->found.source = source;
    entry->kind = source->kind;
    entry->store = v->plugin->info.name;
    entry->ours = v->ours;
    memcpy(entry->login, v->login, sizeof(entry->login));
    buf_add(&entry->place, source_is_borrowed(source) ? source->place : v->place.path.text);
    aq_status st = entry_read(entry, v);
    bool waited = st != AQ_OK && st != AQ_E_NOTFOUND && st != AQ_E_CORRUPT;
    if (waited && !source_is_borrowed(source)) { /* not again, of the same place */
        v->problem = entry->problem;
        store_close(&v->store);
    }
    if (st == AQ_OK || st == AQ_E_NOTFOUND) {
        entry->problem = (struct aq_error){ 0 };
    }
    entry->state = v->place.exists ? entry_state(entry, st) : AQ_SOURCE_ABSENT;
    entry->found.store = NULL;
    return st == AQ_E_NOMEM || buf_status(&entry->place) != AQ_OK ? error_nomem(err, "sources")
                                                                  : AQ_OK;
}

/* ---- one place ---- */

static void visit_done(struct visit *v)
{
    store_close(&v->store);
    place_done(&v->place);
}

/* Go to where this source is. Only memory and settings can fail; what is wrong with the place is
 * said for each login in it. */
static aq_status visit_enter(struct visit *v, const struct source *source, struct aq_error *err)
{
    aq_status st = AQ_OK;
    visit_done(v);
    if (source_is_borrowed(source)) {
        v->place = (struct place){ .plugin = v->plugin, .exists = true };
    } else if (v->ours) {
        st = place_find(v->client, v->plugin, source->app, &v->place, err);
    } else {
        st = place_of_login(v->plugin, source->app, str_from(v->login), &v->place, err);
    }
    v->place.silent = true;
    v->problem = (struct aq_error){ .status = AQ_E_NOTFOUND };
    if (st == AQ_OK && v->place.exists) {
        place_open(v->client, &v->place, &v->store, &v->problem);
    }
    return st;
}

/* An old name that another source has in the same place is that one's. */
static bool visit_has_seen(const struct visit *v, const struct source *source)
{
    for (const struct entry *e = v->sources->first; e; e = e->next) {
        if (str_eq(e->source->token_key, source->token_key) && e->ours == v->ours &&
            strcmp(e->login, v->login) == 0 && str_eq(buf_str(&e->place), v->place.path.text)) {
            return true;
        }
    }
    return false;
}

/* All that this store has; or with `borrowed`, what other programs keep. */
static aq_status visit_store(struct visit *v, bool borrowed, struct aq_error *err)
{
    const struct source *source;
    aq_status st = AQ_OK;
    struct aq_str app = { NULL, 0 };
    for (size_t i = 0; st == AQ_OK && (source = source_at(i)); i++) {
        if (source_is_borrowed(source) != borrowed) {
            continue;
        }
        if (!v->place.plugin || (!v->place.shared && !str_eq(app, source->app))) {
            st = visit_enter(v, source, err);
            app = source->app;
        }
        if (st == AQ_OK && (borrowed || !visit_has_seen(v, source))) {
            st = visit_login(v, source, err);
        }
    }
    visit_done(v);
    return st;
}

/* ---- logins with other names ---- */

/* The next name in order, so that there is no list to keep. False: that was the last. */
static bool next_name(const char *dir, const char *after, char ret[LOGIN_MAX + 1])
{
    const struct dirent *entry;
    DIR *names = opendir(dir);
    bool found = false;
    while (names && (entry = readdir(names)) != NULL) {
        struct aq_str name = str_from(entry->d_name);
        if (place_name_is_valid(name) && strcmp(name.ptr, after) > 0 &&
            (!found || strcmp(name.ptr, ret) < 0)) {
            memcpy(ret, name.ptr, name.len + 1);
            found = true;
        }
    }
    if (names) {
        closedir(names);
    }
    return found;
}

static aq_status sources_of_others(struct visit *v, struct aq_error *err)
{
    AUTO(buf) struct buf dir = BUF(PATH_MAX);
    char after[LOGIN_MAX + 1] = "";
    char own[LOGIN_MAX + 1];
    memcpy(own, v->login, sizeof(own));
    aq_status st = place_logins(&dir, err);
    v->ours = false;
    if (st == AQ_OK && own[0] != '\0') { /* the usual ones, which have no name */
        v->login[0] = '\0';
        st = visit_store(v, false, err);
    }
    while (st == AQ_OK && next_name((const char *)dir.ptr, after, v->login)) {
        memcpy(after, v->login, sizeof(after));
        if (strcmp(v->login, own) != 0) {
            st = visit_store(v, false, err);
        }
    }
    return st;
}

/* ---- judging ---- */

static bool entry_is_login(const struct entry *entry)
{
    return entry->state == AQ_SOURCE_VALID || entry->state == AQ_SOURCE_EXPIRED;
}

static bool entry_is_beside(const struct entry *a, const struct entry *b)
{
    return a != b && a->store == b->store && strcmp(a->login, b->login) == 0 &&
           str_eq(buf_str(&a->place), buf_str(&b->place));
}

/* The same login under another key of the same place: the one that is used is shown, or the first.
 */
static bool entry_is_copy(const struct aq_sources *sources, const struct entry *entry)
{
    bool before = true;
    for (const struct entry *e = sources->first; e; e = e->next) {
        before = before && e != entry;
        if (entry_is_beside(e, entry) && entry_is_login(e) &&
            str_eq(e->found.token.access_token, entry->found.token.access_token) &&
            !(entry->flags & AQ_SOURCE_CHOSEN) && (before || e->flags & AQ_SOURCE_CHOSEN)) {
            return true;
        }
    }
    return false;
}

/* A place without any login, or that cannot be looked at, is shown once, and one with logins for
 * those alone. */
static bool entry_is_noise(const struct aq_sources *sources, const struct entry *entry)
{
    bool nothing = entry->state == AQ_SOURCE_EMPTY || entry->state == AQ_SOURCE_ABSENT;
    bool before = true;
    if (source_is_borrowed(entry->source)) {
        return false;
    }
    if (entry_is_login(entry)) {
        return entry_is_copy(sources, entry);
    }
    for (const struct entry *e = sources->first; e; e = e->next) {
        before = before && e != entry;
        bool same = e->state == entry->state && strcmp(e->problem.text, entry->problem.text) == 0;
        if (entry_is_beside(e, entry) && (same ? before : nothing)) {
            return true;
        }
    }
    return false;
}

/* As source_find does; a token server hands out the first. */
static struct entry *sources_choose(const struct aq_sources *sources,
                                    const struct aq_client *client, bool first_is_enough)
{
    struct entry *best = NULL;
    for (struct entry *e = sources->first; e; e = e->next) {
        if (e->ours && entry_is_login(e) && source_is_wanted(client, e->source) &&
            (!best || e->found.token.expires_at_s > best->found.token.expires_at_s)) {
            best = e;
        }
        if (best && first_is_enough) {
            break;
        }
    }
    return best;
}

static void entry_explain(struct entry *entry, const struct aq_client *client)
{
    struct buf *out = &entry->reason;
    struct aq_str name = entry->source->name;
    if (entry->state == AQ_SOURCE_UNREADABLE) {
        buf_add(out, str_from(entry->problem.text));
    } else if (entry->flags & AQ_SOURCE_CHOSEN) {
        buf_add(out,
                entry->state == AQ_SOURCE_VALID ? AQ_STR("used") : AQ_STR("used once refreshed"));
    } else if (entry->state == AQ_SOURCE_ABSENT) {
        buf_add(out, AQ_STR("there is no such file"));
    } else if (entry->state == AQ_SOURCE_EMPTY) {
        buf_add(out, entry->kind == TOKEN_API_KEY ? AQ_STR("it is not set")
                                                  : AQ_STR("nobody is signed in"));
    } else if (!entry->ours) {
        buf_printf(out, "only when it is named, --login %s",
                   entry->login[0] ? entry->login : "default");
    } else if (!source_is_wanted(client, entry->source)) {
        buf_printf(out, "only when it is named, --source %.*s", AQ_STR_ARG(name));
    } else {
        buf_add(out, AQ_STR("another one is valid longer"));
    }
}

static aq_status sources_judge(struct visit *v, struct aq_error *err)
{
    const struct plugin *plugin = &v->client->store_plugin;
    struct entry *chosen = sources_choose(v->sources, v->client, plugin->store.grant != NULL);
    if (chosen) {
        chosen->flags |= AQ_SOURCE_CHOSEN;
    }
    for (struct entry *e = v->sources->first; e; e = e->next) {
        entry_explain(e, v->client);
        if (buf_status(&e->reason) != AQ_OK) {
            return error_nomem(err, "sources");
        }
    }
    return AQ_OK;
}

/* ---- the face ---- */

static aq_status sources_look(struct visit *v, struct aq_error *err)
{
    aq_status st = client_store_plugin(v->client, &v->plugin, err);
    if (st != AQ_OK) {
        return st;
    }
    struct aq_str name = place_login(v->client, v->plugin);
    v->ours = true;
    if (place_name_is_valid(name)) {
        memcpy(v->login, name.ptr, name.len + 1);
    }
    st = visit_store(v, false, err);
    if (st == AQ_OK && place_has_logins(v->plugin)) {
        st = sources_of_others(v, err);
    }
    v->ours = true;
    v->login[0] = '\0';
    if (st == AQ_OK) {
        st = client_borrowed_plugin(v->client, &v->plugin, err);
    }
    return st == AQ_OK ? visit_store(v, true, err) : st;
}

aq_status aq_sources_open(struct aq_client *client, struct aq_sources **ret, struct aq_error *err)
{
    AUTO(visit) struct visit v = { .client = client };
    aq_status st = client_usable(client, err);
    if (st != AQ_OK) {
        return st;
    }
    v.sources = ALLOC(struct aq_sources);
    if (!v.sources) {
        return error_nomem(err, "sources");
    }
    v.sources->end = &v.sources->first;
    st = sources_look(&v, err);
    if (st == AQ_OK) {
        st = sources_judge(&v, err);
    }
    if (st != AQ_OK) {
        aq_sources_free(v.sources);
        return st;
    }
    v.sources->at = v.sources->first;
    *ret = v.sources;
    return AQ_OK;
}

aq_status aq_sources_next(struct aq_sources *sources, struct aq_source *ret)
{
    const struct entry *e = sources->at;
    if (ret->struct_size < sizeof(*ret)) {
        return AQ_E_INVALID;
    }
    while (e && entry_is_noise(sources, e)) {
        e = e->next;
    }
    if (!e) {
        return AQ_END;
    }
    const struct token *token = &e->found.token;
    bool found = entry_is_login(e) || source_is_borrowed(e->source);
    *ret = (struct aq_source){
        .struct_size = ret->struct_size,
        .flags = e->flags,
        .state = e->state,
        .source = e->source->name,
        .kind = found ? token_kind_name(e->kind) : AQ_STR(""),
        .login = str_from(e->login),
        .store = str_from(e->store),
        .place = buf_str(&e->place),
        .expires_at = token->expires_at,
        .expires_at_s = token->expires_at_s,
        .region = token->region,
        .start_url = token->start_url,
        .profile_arn = buf_str(&e->profile_arn),
        .reason = buf_str(&e->reason),
    };
    sources->at = e->next;
    return AQ_OK;
}
