/* SPDX-License-Identifier: Apache-2.0 */
/* Where chat is signed: does a place have an access key, and which one. */
#include "base/clock.h"
#include "base/str.h"
#include "client/access_key.h"
#include "client/check.h"
#include "wire/timestamp.h"

#include <string.h>

#define SUBJECT "access-key"

static void tell_key(const struct aq_access_key *key, struct findings *f)
{
    char until[TIMESTAMP_TEXT_MAX] = "";
    bool says = key->expires_at_s && timestamp_format(key->expires_at_s, until);
    bool expired = says && key->expires_at_s <= clock_wall_s();
    findings_add(f, expired ? AQ_FINDING_FAIL : AQ_FINDING_OK, SUBJECT,
                 expired ? "Have it renewed where it comes from (docs/access-keys.md), or compare "
                           "the clock of this machine with another."
                         : NULL,
                 "from '%.*s'%s%s; chat is signed with it and uses no login",
                 AQ_STR_ARG(key->source),
                 expired ? ", expired at "
                 : says  ? ", valid until "
                         : "",
                 until);
}

/* What to do about none at all is worth a line of its own. */
static void tell_failure(aq_status st, struct aq_error *err, struct findings *f)
{
    char *advice = st == AQ_E_NOT_LOGGED_IN ? strchr(err->text, ';') : NULL;
    if (advice) {
        *advice = '\0';
    }
    findings_add(f, AQ_FINDING_FAIL, SUBJECT,
                 advice ? "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile that "
                          "has a key with AWS_PROFILE; or unset AMAZON_Q_SIGV4 to use a login."
                        : NULL,
                 "%s", err->text);
}

void check_access_key_done(struct check_access_key *k, bool forked)
{
    if (k->op) {
        op_destroy(k->op, forked);
        k->op = NULL;
    }
}

aq_status check_access_key(struct aq_client *client, struct check_access_key *k, struct aq_op *op,
                           struct findings *f)
{
    const struct aq_event *event;
    struct aq_error err;
    if (!settings_sign(&client->settings)) {
        return AQ_OK;
    }
    aq_status st = k->op ? AQ_OK : access_key_start(client, op, &k->op, &err);
    st = st == AQ_OK ? aq_op_next(k->op, &event, &err) : st;
    if (st == AQ_AGAIN) {
        return AQ_AGAIN;
    }
    if (st == AQ_OK) {
        tell_key(event->access_key, f);
    } else {
        f->no_memory = f->no_memory || st == AQ_E_NOMEM;
        tell_failure(st, &err, f);
    }
    check_access_key_done(k, false);
    return AQ_OK;
}
