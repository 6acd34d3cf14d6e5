/* SPDX-License-Identifier: Apache-2.0 */
/* The operation that finds an AWS access key: environment and files first, then the network. */
#include "client/access_key.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "client/access_key_remote.h"
#include "host/aws.h"
#include "host/aws_command.h"
#include "host/aws_profile.h"
#include "wire/aws_reply.h"

enum access_key_state {
    ACCESS_KEY_LOCAL,   /* environment and files */
    ACCESS_KEY_COMMAND, /* until a program has ended */
    ACCESS_KEY_REMOTE,  /* until the network has answered */
    ACCESS_KEY_TELL,
    ACCESS_KEY_TOLD,
};

struct access_key_op {
    struct aq_op op;
    enum access_key_state state;
    struct aws_profile profile;
    struct aws_command command;
    struct buf printed; /* by it */
    struct access_key_remote remote;
    struct aws_key key;
    struct aq_str source;
    struct aq_access_key view;
};

/* ---- what needs no network ---- */

/* Both parts of a key, or none: AQ_E_NOTFOUND. */
static aq_status take_key(const char *object, struct aq_str id, struct aq_str secret,
                          struct aq_str session_token, struct aws_key *ret, struct aq_error *err)
{
    if (id.len == 0 && secret.len == 0) {
        return AQ_E_NOTFOUND;
    }
    if (id.len == 0 || secret.len == 0) {
        return error_set(err, AQ_E_INVALID,
                         "%s: has half of an access key, set both its id and its secret", object);
    }
    return aws_key_set(ret, id, secret, session_token, err);
}

static aq_status key_of_environment(const struct settings *settings, struct aws_key *ret,
                                    struct aq_error *err)
{
    return take_key("environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)",
                    aws_variable(settings, "AWS_ACCESS_KEY_ID"),
                    aws_variable(settings, "AWS_SECRET_ACCESS_KEY"),
                    aws_variable(settings, "AWS_SESSION_TOKEN"), ret, err);
}

/* ---- a program ---- */

static aq_status access_key_run(struct access_key_op *a, struct aq_str command,
                                struct aq_error *err)
{
    AUTO(buf) struct buf text = BUF(AWS_FILE_MAX);
    buf_add(&text, command);
    if (buf_status(&text) != AQ_OK) {
        return error_nomem(err, "credential_process");
    }
    aq_status st = aws_command_start(&a->command, (char *)text.ptr, err);
    a->state = ACCESS_KEY_COMMAND;
    return st == AQ_OK ? client_watch(&a->op, a->command.output, err) : st;
}

static aq_status access_key_wait_command(struct access_key_op *a, struct aq_error *err)
{
    aq_status st = aws_command_look(&a->command, &a->printed, err);
    if (st != AQ_AGAIN || a->command.output < 0) {
        client_unwatch(&a->op, false);
    }
    if (st == AQ_AGAIN) {
        op_wake_at(&a->op, a->command.again_us);
        return AQ_AGAIN;
    }
    op_wake_at(&a->op, CLOCK_NEVER);
    aws_command_done(&a->command, false);
    a->state = ACCESS_KEY_TELL;
    return st == AQ_OK
               ? aws_reply_json("credential_process", buf_str(&a->printed), true, &a->key, err)
               : st;
}

/* ---- the profile's own ---- */

/* Roles and sign-ins are left to the tool that has them all. */
static aq_status profile_wants(const struct aws_profile *p, const char *key, struct aq_error *err)
{
    return error_set(err, AQ_E_UNSUPPORTED,
                     "profile '%.*s': has %s, which is not supported here; add to another profile "
                     "credential_process = aws configure export-credentials --profile %.*s",
                     AQ_STR_ARG(p->name), key, AQ_STR_ARG(p->name));
}

/* A profile that assumes a role with a key may have the key beside it: that is not the one it wants
 * to be known by. AQ_OK: nothing of that. */
static aq_status check_role(const struct aws_profile *p, struct aq_error *err)
{
    static const char *const keys[] = { "source_profile", "credential_source" };
    bool has_role = aws_profile_value(p, "role_arn").len && !aws_profile_has_web_identity(p);
    for (size_t i = 0; has_role && i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (aws_profile_value(p, keys[i]).len) {
            return profile_wants(p, keys[i], err);
        }
    }
    return AQ_OK;
}

static aq_status check_sign_in(const struct aws_profile *p, struct aq_error *err)
{
    static const char *const keys[] = { "sso_session", "sso_start_url" };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (aws_profile_value(p, keys[i]).len) {
            return profile_wants(p, keys[i], err);
        }
    }
    return AQ_E_NOTFOUND;
}

static aq_status key_of_profile(struct access_key_op *a, struct aq_error *err)
{
    const struct aws_profile *p = &a->profile;
    aq_status st = check_role(p, err);
    if (st != AQ_OK) {
        return st;
    }
    if (aws_profile_has_web_identity(p)) {
        return AQ_E_NOTFOUND; /* the network has it */
    }
    a->source = AQ_STR("profile");
    st = take_key("profile", aws_profile_value(p, "aws_access_key_id"),
                  aws_profile_value(p, "aws_secret_access_key"),
                  aws_profile_value(p, "aws_session_token"), &a->key, err);
    if (st != AQ_E_NOTFOUND) {
        return st;
    }
    a->source = AQ_STR("process");
    struct aq_str command = aws_profile_value(p, "credential_process");
    return command.len ? access_key_run(a, command, err) : check_sign_in(p, err);
}

/* ---- the operation ---- */

static aq_status access_key_none(const struct access_key_op *a, struct aq_error *err)
{
    return error_set(err, AQ_E_NOT_LOGGED_IN,
                     "access key: none in the environment%s the profile '%.*s'%s; set "
                     "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or unset "
                     "AMAZON_Q_SIGV4 to use a login",
                     a->remote.needs_curl ? " or" : ",", AQ_STR_ARG(a->profile.name),
                     a->remote.needs_curl ? " (an instance is asked with --transport curl only)"
                                          : ", a container or an instance");
}

static aq_status access_key_look(struct access_key_op *a, struct aq_error *err)
{
    const struct settings *settings = &a->op.client->settings;
    a->state = ACCESS_KEY_TELL; /* unless somebody has to be waited for */
    a->source = AQ_STR("environment");
    aq_status st = key_of_environment(settings, &a->key, err);
    if (st == AQ_E_NOTFOUND) {
        st = aws_profile_read(&a->profile, settings, err);
        st = st == AQ_OK ? key_of_profile(a, err) : st;
    }
    if (st == AQ_E_NOTFOUND) {
        a->state = ACCESS_KEY_REMOTE;
        st = access_key_ask(&a->remote, &a->op, &a->profile, err);
    }
    return st;
}

static aq_status access_key_wait(struct access_key_op *a, struct aq_error *err)
{
    aq_status st = access_key_answer(&a->remote, &a->op, &a->key, &a->source, err);
    if (st == AQ_OK) {
        a->state = ACCESS_KEY_TELL;
    }
    return st;
}

static const struct aq_event *access_key_event(struct access_key_op *a)
{
    struct aq_event *event = op_event(&a->op, AQ_EVENT_ACCESS_KEY);
    aws_key_view(&a->key, a->source, &a->view);
    event->access_key = &a->view;
    a->state = ACCESS_KEY_TOLD;
    return event;
}

static aq_status access_key_next(struct aq_op *op, const struct aq_event **ret,
                                 struct aq_error *err)
{
    struct access_key_op *a = (struct access_key_op *)op;
    aq_status st = AQ_OK;
    while (st == AQ_OK) {
        switch (a->state) {
        case ACCESS_KEY_LOCAL:
            st = access_key_look(a, err);
            break;
        case ACCESS_KEY_COMMAND:
            st = access_key_wait_command(a, err);
            break;
        case ACCESS_KEY_REMOTE:
            st = access_key_wait(a, err);
            break;
        case ACCESS_KEY_TELL:
            *ret = access_key_event(a);
            return AQ_OK;
        case ACCESS_KEY_TOLD:
            st = AQ_END;
            break;
        }
    }
    if (st == AQ_AGAIN) {
        return AQ_AGAIN;
    }
    return op_end(op, st == AQ_E_NOTFOUND ? access_key_none(a, err) : st, err);
}

static void access_key_done(struct aq_op *op, bool forked)
{
    struct access_key_op *a = (struct access_key_op *)op;
    client_unwatch(op, forked);
    aws_command_done(&a->command, forked);
    buf_done(&a->printed);
    aws_profile_done(&a->profile);
    access_key_remote_done(&a->remote, forked);
    aws_key_done(&a->key);
}

static const struct op_class access_key_class = {
    .may_block = true,
    .next = access_key_next,
    .done = access_key_done,
    .size = sizeof(struct access_key_op),
};

aq_status access_key_start(struct aq_client *client, struct aq_op *parent, struct aq_op **ret,
                           struct aq_error *err)
{
    *ret = op_new(client, &access_key_class, parent);
    return *ret ? AQ_OK : error_nomem(err, "access key operation");
}

aq_status aq_access_key_start(struct aq_client *client, struct aq_op **ret, struct aq_error *err)
{
    aq_status st = client_usable(client, err);
    if (st == AQ_OK) {
        st = access_key_start(client, NULL, ret, err);
    }
    if (st == AQ_OK) {
        op_ready(*ret);
    }
    return st;
}
