/* SPDX-License-Identifier: Apache-2.0 */
/* The store: what it is, whether it can be read and saved to; and the login in it. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "client/check.h"
#include "wire/endpoint.h"
#include "wire/signin.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { GRANT_US = 10 * 1000 * 1000 }; /* how long a token server is given */

void check_login_done(struct check_login *login)
{
    if (login->has_login) {
        source_login_done(&login->found);
    }
    buf_done(&login->profile_arn);
    *login = (struct check_login){ 0 };
}

/* ---- plugins ---- */

static void tell_plugin(const struct plugin *plugin, struct findings *f)
{
    findings_add(f, AQ_FINDING_OK, "plugin", NULL, "%s '%s' %s from %.*s",
                 loader_kind_name(plugin->info.kind), plugin->info.name,
                 plugin->info.version ? plugin->info.version : "without a version",
                 AQ_STR_ARG(buf_str(&plugin->path)));
}

void check_plugins(struct aq_client *client, struct findings *f)
{
    const struct plugin *store;
    struct aq_error err;
    if (client_store_plugin(client, &store, &err) == AQ_OK) {
        tell_plugin(store, f);
    } else {
        findings_add(f, AQ_FINDING_FAIL, "plugin", NULL, "%s", err.text);
    }
    aq_status st = client_transport(client, &err);
    if (client->has_transport_plugin) {
        tell_plugin(&client->transport_plugin, f);
    }
    if (st != AQ_OK) {
        findings_add(f, AQ_FINDING_FAIL, "plugin", NULL, "%s", err.text);
    }
}

/* ---- the file of a store that is one ---- */

/* Kinds of file systems on which locks or renames differ. */
static const char *mount_kind(const char *path)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } kinds[] = {
        { 0x6969, "NFS" },       { 0xff534d42, "CIFS" }, { 0xfe534d42, "SMB" },
        { 0x01021997, "9p" },    { 0x65735546, "FUSE" }, { 0x794c7630, "overlay" },
        { 0x01021994, "tmpfs" }, { 0x2fc12fc1, "ZFS" },  { 0x9123683e, "btrfs" },
        { 0xef53, "ext4" },      { 0x58465342, "XFS" },
    };
    struct statfs info;
    if (statfs(path, &info) != 0) {
        return "unknown";
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (((unsigned long)info.f_type & 0xffffffff) == kinds[i].magic) {
            return kinds[i].name;
        }
    }
    return "another kind";
}

static bool exists_beside(const char *path, const char *ending)
{
    char beside[PATH_MAX];
    struct stat info;
    snprintf(beside, sizeof(beside), "%s%s", path, ending);
    return stat(beside, &info) == 0 && info.st_size > 0;
}

static void check_file(const char *path, struct findings *f)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        findings_add(f, AQ_FINDING_WARN, "store.file", NULL, "%s: %s", path, strerror(errno));
        return;
    }
    bool open_to_others = info.st_mode & 077;
    char fix[PATH_MAX + 32];
    snprintf(fix, sizeof(fix), "Run: chmod 600 %s", path);
    findings_add(f, open_to_others ? AQ_FINDING_WARN : AQ_FINDING_OK, "store.file",
                 open_to_others ? fix : NULL, "%s: mode %04o, owner %u%s, on %s%s%s", path,
                 (unsigned)info.st_mode & 07777, (unsigned)info.st_uid,
                 info.st_uid == geteuid() ? " (this user)" : "", mount_kind(path),
                 exists_beside(path, "-wal") ? ", with a WAL" : "",
                 exists_beside(path, "-journal") ? ", with a journal of somebody who is saving, or "
                                                   "was killed"
                                                 : "");
}

/* The value of the store's setting `path`, if it has one. */
static struct aq_str path_of(const struct store *store)
{
    for (uint32_t i = 0; i < store->plugin->info.setting_count; i++) {
        if (str_eq(str_from(plugin_setting(store->plugin, i).key), AQ_STR("path"))) {
            return store->host.values[i].text;
        }
    }
    return (struct aq_str){ NULL, 0 };
}

/* ---- saving ---- */

/* Under the lock, as a refresh does it; nothing is changed. */
static void check_save(const struct source_login *login, struct findings *f)
{
    AUTO(buf) struct buf json = BUF(AQ_STORE_VALUE_MAX);
    struct aq_error err;
    struct store *store = login->store;
    if (store_grants(store) || !store_can_refresh(store)) {
        findings_add(f, AQ_FINDING_OK, "store.save", NULL,
                     "store '%s': somebody else keeps its tokens fresh, nothing is saved here",
                     store->plugin->info.name);
        return;
    }
    aq_status st = store_lock(store, &err);
    if (st == AQ_AGAIN) {
        findings_add(f, AQ_FINDING_OK, "store.save", NULL,
                     "store '%s': another process is refreshing the login at this moment",
                     store->plugin->info.name);
        return;
    }
    if (st == AQ_OK) {
        st = store_get(store, login->source->token_key, &json, &err);
    }
    if (st == AQ_OK) {
        st = store_can_save(store, &err);
    }
    store_unlock(store);
    if (st == AQ_OK) {
        findings_add(f, AQ_FINDING_OK, "store.save", NULL,
                     "store '%s': its lock is free, and a refreshed login could be saved",
                     store->plugin->info.name);
    } else {
        findings_add(f, AQ_FINDING_FAIL, "store.save",
                     "Until then the login is not refreshed here: it ends with its token.", "%s",
                     err.text);
    }
}

/* ---- the login ---- */

static const char *kind_of(const struct source_login *login)
{
    const struct token *token = &login->token;
    switch (source_kind(login->source, login->store, token)) {
    case TOKEN_SOCIAL:
        return "social (Google, GitHub)";
    case TOKEN_EXTERNAL_IDP:
        return "of an organisation (its own identity provider)";
    case TOKEN_API_KEY:
        return "an API key";
    default:
        break;
    }
    bool organisation =
        token->start_url.len && !str_eq(token->start_url, AQ_STR(SIGNIN_BUILDER_ID_URL));
    return organisation                 ? "of an organisation (IAM Identity Center)"
           : token->expires_at.len == 0 ? "a token that was handed in"
                                        : "of a Builder ID";
}

static void check_expiry(struct check_login *login, struct findings *f)
{
    const struct source_login *found = &login->found;
    const struct token *token = &found->token;
    long long left_s = source_remaining_s(found);
    bool renewable = store_can_refresh(found->store) && token->refresh_token.len;
    login->usable = left_s > 0;
    if (token->expires_at.len == 0) {
        findings_add(f, AQ_FINDING_OK, "login.token", NULL, "nothing says until when it is valid");
    } else if (login->usable) {
        findings_add(f, AQ_FINDING_OK, "login.token", NULL, "valid until %.*s (%lld min)",
                     AQ_STR_ARG(token->expires_at), left_s / 60);
    } else if (renewable || store_grants(found->store)) {
        findings_add(f, AQ_FINDING_WARN, "login.token",
                     "To have it refreshed now, which this check does not do, run: q user "
                     "export-token --access-only --quiet > /dev/null",
                     "expired at %.*s; the next command that needs it refreshes it",
                     AQ_STR_ARG(token->expires_at));
    } else {
        findings_add(f, AQ_FINDING_FAIL, "login.token", "Log in again.",
                     "expired at %.*s, and there is nothing to refresh it with",
                     AQ_STR_ARG(token->expires_at));
    }
}

/* Where it belongs: the region of the sign-in service is one thing, that of the service another. */
static void check_regions(struct check_login *login, struct findings *f)
{
    struct aq_str arn = buf_str(&login->profile_arn);
    struct aq_str region = endpoint_region_of_arn(arn);
    struct aq_str sign_in = login->found.token.region;
    struct aq_str service = endpoint_region(arn);
    findings_add(f, AQ_FINDING_OK, "login.region", NULL, "sign-in: %.*s; service: %.*s (%s)",
                 AQ_STR_ARG(sign_in.len ? sign_in : AQ_STR("not stored")), AQ_STR_ARG(service),
                 !arn.len                        ? "by default: there is no profile"
                 : endpoint_region_known(region) ? "of the profile"
                                                 : "by default");
    if (region.len && !endpoint_region_known(region)) {
        findings_add(f, AQ_FINDING_WARN, "login.region",
                     "If the service is there by now, name its URL with --endpoint.",
                     "the profile belongs to %.*s, where no endpoint is known", AQ_STR_ARG(region));
    }
}

/* The row that it was chosen in, and where the login belongs. */
static void check_profile(struct check_login *login, struct findings *f)
{
    struct aq_error err;
    bool odd;
    if (source_profile(&login->found, &login->profile_arn, &odd, &err) != AQ_OK) {
        findings_add(f, AQ_FINDING_FAIL, "login.region", NULL, "%s", err.text);
        return;
    }
    if (odd) {
        findings_add(f, AQ_FINDING_WARN, "login.profile",
                     "Choose one (q profile use ARN), or log out and in again.",
                     "the row '%.*s' is no object with a text arn, so no profile is used",
                     AQ_STR_ARG(login->found.source->profile_key));
    }
    check_regions(login, f);
}

/* What was found. */
static void tell_login(struct check_login *login, struct findings *f)
{
    struct aq_str path = path_of(login->found.store);
    findings_add(f, AQ_FINDING_OK, "login", NULL, "%.*s, in store '%s': %s",
                 AQ_STR_ARG(login->found.source->name), login->found.store->plugin->info.name,
                 kind_of(&login->found));
    if (path.len) {
        check_file(path.ptr, f);
    }
    check_save(&login->found, f);
    check_expiry(login, f);
    check_profile(login, f);
}

aq_status check_login(struct aq_client *client, struct check_login *login, struct findings *f)
{
    const struct aq_token_wish wish = { .struct_size = sizeof(wish), .flags = AQ_WISH_NO_REFRESH };
    struct aq_error err;
    if (!client->has_store_plugin) {
        return AQ_OK;
    }
    if (login->granted_until_us == 0) {
        login->granted_until_us = clock_now_us() + GRANT_US;
    }
    aq_status st = source_find(client, &wish, &login->found, &err);
    if (st == AQ_AGAIN && clock_now_us() < login->granted_until_us) {
        return AQ_AGAIN;
    }
    if (st == AQ_AGAIN) {
        findings_add(f, AQ_FINDING_FAIL, "store", "Look at what keeps the tokens.",
                     "store '%s': did not hand a token over within 10 s",
                     client->store_plugin.info.name);
    } else if (st == AQ_E_NOT_LOGGED_IN && settings_sign(&client->settings)) {
        findings_add(f, AQ_FINDING_OK, "login", NULL,
                     "none: chat, which is signed, needs none; other commands do");
    } else if (st != AQ_OK) {
        findings_add(f, AQ_FINDING_FAIL, st == AQ_E_NOT_LOGGED_IN ? "login" : "store", NULL, "%s",
                     err.text);
    } else {
        login->has_login = true;
        tell_login(login, f);
    }
    return AQ_OK;
}
