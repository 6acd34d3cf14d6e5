/* SPDX-License-Identifier: Apache-2.0 */
#include "client/access_key_remote.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/aws.h"
#include "host/paths.h"
#include "wire/percent.h"

enum {
    TEXT_MAX = 1 << 20,  /* of a path, a token in a file, what is said of a problem */
    FIRST_MS = 3 * 1000, /* of the first one to an instance: mostly nobody is there */
    NEAR_MS = 1000,      /* for a connection to a metadata service */
};

#define ROLES "/latest/meta-data/iam/security-credentials/"

enum { INSTANCE_TOKEN, INSTANCE_ROLE, INSTANCE_KEY }; /* steps */

static const char *place_name(const struct access_key_remote *r)
{
    return r->place == PLACE_STS ? "STS" : r->place == PLACE_CONTAINER ? "container" : "instance";
}

/* ---- one request ---- */

static aq_status send(struct access_key_remote *r, struct aq_op *op, const char *method,
                      const struct aq_header *headers, uint32_t count, struct aq_error *err)
{
    const bool near = r->place != PLACE_STS;
    const bool first = r->place == PLACE_INSTANCE && r->step == INSTANCE_TOKEN;
    const struct aq_request request = {
        .method = str_from(method),
        .url = buf_str(&r->url),
        .headers = headers,
        .header_count = count,
        .flags = near ? AQ_REQUEST_LINK_LOCAL : 0,
        .body = buf_bytes(&r->body),
        .connect_timeout_ms = near ? NEAR_MS : 0,
        .total_timeout_ms = first ? FIRST_MS : 0,
    };
    if (buf_status(&r->url) != AQ_OK || buf_status(&r->body) != AQ_OK ||
        buf_status(&r->token) != AQ_OK) {
        return error_nomem(err, "access key");
    }
    return answer_ask(&r->answer, op, place_name(r), &request, err);
}

/* What a file holds is mostly one line. */
static struct aq_str without_newline(struct aq_str s)
{
    while (str_ends(s, AQ_STR("\n")) || str_ends(s, AQ_STR("\r"))) {
        s.len--;
    }
    return s;
}

/* ---- STS ---- */

static void add_parameter(struct buf *body, const char *name, struct aq_str value)
{
    buf_add(body, str_from(name));
    percent_encode(value, body);
}

/* A token, what it is exchanged for, and what it is called there; all from one place. */
struct web_identity {
    struct aq_str file, role, session;
    const char *file_name, *role_name;
};

static struct web_identity profile_identity(const struct aws_profile *profile)
{
    return (struct web_identity){
        .file = aws_profile_value(profile, "web_identity_token_file"),
        .role = aws_profile_value(profile, "role_arn"),
        .session = aws_profile_value(profile, "role_session_name"),
        .file_name = "web_identity_token_file",
        .role_name = "role_arn",
    };
}

static struct web_identity environment_identity(const struct settings *settings)
{
    return (struct web_identity){
        .file = aws_variable(settings, "AWS_WEB_IDENTITY_TOKEN_FILE"),
        .role = aws_variable(settings, "AWS_ROLE_ARN"),
        .session = aws_variable(settings, "AWS_ROLE_SESSION_NAME"),
        .file_name = "AWS_WEB_IDENTITY_TOKEN_FILE",
        .role_name = "AWS_ROLE_ARN",
    };
}

static aq_status ask_sts(struct access_key_remote *r, struct aq_op *op,
                         const struct aws_profile *profile, struct aq_error *err)
{
    static const struct aq_header headers[] = {
        { AQ_STR_INIT("content-type"), AQ_STR_INIT("application/x-www-form-urlencoded") },
    };
    const struct settings *settings = &op->client->settings;
    const struct web_identity who = aws_profile_has_web_identity(profile)
                                        ? profile_identity(profile)
                                        : environment_identity(settings);
    if (who.file.len == 0) {
        return AQ_E_NOTFOUND;
    }
    if (who.role.len == 0) {
        return error_set(err, AQ_E_INVALID, "%s: not set, which role is the token in %.*s for?",
                         who.role_name, AQ_STR_ARG(who.file));
    }
    AUTO(buf) struct buf path = BUF(TEXT_MAX);
    AUTO(buf) struct buf token = BUF(TEXT_MAX);
    r->place = PLACE_STS;
    aq_status st = paths_expand(str_from(who.file_name), who.file, &path, err);
    if (st == AQ_OK) {
        st = aws_file_read((const char *)path.ptr, &token, err);
        st = st == AQ_E_NOTFOUND ? AQ_E_UNAVAILABLE : st;
        err->status = st;
    }
    if (st == AQ_OK) {
        st = access_key_sts_url(settings, profile, &r->url, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    buf_add(&r->body, AQ_STR("Action=AssumeRoleWithWebIdentity&Version=2011-06-15"));
    add_parameter(&r->body, "&RoleArn=", who.role);
    add_parameter(&r->body,
                  "&RoleSessionName=", who.session.len ? who.session : AQ_STR("libamazonq"));
    add_parameter(&r->body, "&WebIdentityToken=", without_newline(buf_str(&token)));
    return send(r, op, "POST", headers, 1, err);
}

/* ---- what hands out keys in plain http ---- */

/* What hands out keys there speaks HTTP/1.1, which not every transport does. */
static aq_status explain(struct access_key_remote *r, const struct aq_op *op, aq_status st,
                         struct aq_error *err)
{
    const char *transport = op->client->transport_plugin.info.name;
    bool mute = st == AQ_E_INVALID || st == AQ_E_PROTOCOL || st == AQ_E_UNSUPPORTED;
    if (!mute || r->place == PLACE_STS || str_eq(str_from(transport), AQ_STR("curl"))) {
        return st;
    }
    r->needs_curl = true;
    return error_set(err, AQ_E_UNSUPPORTED,
                     "%s: speaks HTTP/1.1 in plain, which the transport '%s' does not, use "
                     "--transport curl",
                     place_name(r), transport);
}

static aq_status send_near(struct access_key_remote *r, struct aq_op *op, const char *method,
                           const struct aq_header *headers, uint32_t count, struct aq_error *err)
{
    return explain(r, op, send(r, op, method, headers, count, err), err);
}

/* ---- containers ---- */

static aq_status container_token(const struct settings *settings, struct buf *ret,
                                 struct aq_error *err)
{
    struct aq_str file = aws_variable(settings, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (file.len == 0) {
        buf_add(ret, aws_variable(settings, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
        return AQ_OK;
    }
    aq_status st = aws_file_read(file.ptr, ret, err);
    ret->len = without_newline(buf_str(ret)).len;
    err->status = st = st == AQ_E_NOTFOUND ? AQ_E_UNAVAILABLE : st;
    return st;
}

/* It is sent as it is: mostly two words, as in "Basic ...". */
static bool is_header_value(struct aq_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static aq_status ask_container(struct access_key_remote *r, struct aq_op *op, struct aq_error *err)
{
    aq_status st = access_key_container_url(&op->client->settings, &r->url, err);
    if (st == AQ_OK) {
        r->place = PLACE_CONTAINER;
        st = container_token(&op->client->settings, &r->token, err);
    }
    if (st != AQ_OK) {
        return st;
    }
    const struct aq_header headers[] = { { AQ_STR_INIT("authorization"), buf_str(&r->token) } };
    if (!is_header_value(buf_str(&r->token))) {
        return error_set(err, AQ_E_INVALID,
                         "AWS_CONTAINER_AUTHORIZATION_TOKEN: has characters that no header can "
                         "carry, set it again");
    }
    return send_near(r, op, "GET", headers, r->token.len ? 1 : 0, err);
}

/* ---- an instance ---- */

/* Its URL with this path in place of another. */
static void instance_path(struct access_key_remote *r, const char *path)
{
    r->url.len = r->origin_len;
    buf_add(&r->url, str_from(path));
}

static aq_status ask_instance(struct access_key_remote *r, struct aq_op *op,
                              const struct aws_profile *profile, struct aq_error *err)
{
    static const struct aq_header headers[] = {
        { AQ_STR_INIT("x-aws-ec2-metadata-token-ttl-seconds"), AQ_STR_INIT("60") },
    };
    const struct settings *settings = &op->client->settings;
    if (str_eq_nocase(aws_variable(settings, "AWS_EC2_METADATA_DISABLED"), AQ_STR("true"))) {
        return AQ_E_NOTFOUND;
    }
    r->place = PLACE_INSTANCE;
    r->step = INSTANCE_TOKEN;
    aq_status st = access_key_instance_origin(settings, profile, &r->url, err);
    r->origin_len = r->url.len;
    instance_path(r, "/latest/api/token");
    return st == AQ_OK ? send_near(r, op, "PUT", headers, 1, err) : st;
}

/* The next request, for the name of the role or its key. */
static aq_status instance_next(struct access_key_remote *r, struct aq_op *op, struct aq_error *err)
{
    if (r->step == INSTANCE_TOKEN) {
        buf_add(&r->token, buf_str(&r->answer.body));
    }
    if (buf_status(&r->token) != AQ_OK) {
        return error_nomem(err, "access key");
    }
    if (!str_is_token(buf_str(&r->token))) {
        return error_set(err, AQ_E_CORRUPT, "instance: its metadata service gave no token");
    }
    instance_path(r, ROLES);
    if (r->step == INSTANCE_ROLE) {
        struct aq_str role = buf_str(&r->answer.body);
        role = str_cut(&role, '\n');
        if (role.len == 0) {
            return AQ_E_NOTFOUND; /* the instance has no role */
        }
        percent_encode(role, &r->url);
    }
    r->step++;
    const struct aq_header headers[] = { { AQ_STR_INIT("x-aws-ec2-metadata-token"),
                                           buf_str(&r->token) } };
    return send_near(r, op, "GET", headers, 1, err);
}

/* ---- the places ---- */

/* Most machines are no instance: nobody answers at its address, or not as an instance would. */
static bool is_nowhere(const struct access_key_remote *r, aq_status st)
{
    return r->place == PLACE_INSTANCE && r->step == INSTANCE_TOKEN && st != AQ_OK &&
           st != AQ_AGAIN && st != AQ_E_NOMEM && st != AQ_E_INVALID;
}

aq_status access_key_ask(struct access_key_remote *r, struct aq_op *op,
                         const struct aws_profile *profile, struct aq_error *err)
{
    aq_status st = ask_sts(r, op, profile, err);
    if (st == AQ_E_NOTFOUND) {
        st = ask_container(r, op, err);
    }
    st = st == AQ_E_NOTFOUND ? ask_instance(r, op, profile, err) : st;
    return is_nowhere(r, st) ? AQ_E_NOTFOUND : st;
}

/* What an answer without a key means. */
static aq_status refused(const struct access_key_remote *r, struct aq_error *err)
{
    AUTO(buf) struct buf problem = BUF(TEXT_MAX);
    const bool busy = r->answer.http == 429, failed = r->answer.http >= 500;
    aws_reply_problem(buf_str(&r->answer.body), &problem);
    if (r->place == PLACE_INSTANCE && !busy && !failed &&
        (r->step == INSTANCE_TOKEN || r->answer.http == 404)) {
        return AQ_E_NOTFOUND; /* other clouds have something at this address, too; or no role */
    }
    error_set(err,
              busy     ? AQ_E_THROTTLED
              : failed ? AQ_E_SERVICE
                       : AQ_E_ACCESS,
              "%s: gave no access key (HTTP %d%s%.*s), %s", place_name(r), (int)r->answer.http,
              problem.len ? " " : "", AQ_STR_ARG(buf_str(&problem)),
              busy || failed          ? "try again later"
              : r->place == PLACE_STS ? "check the role, who it trusts, and the token"
                                      : "check the role");
    err->http = r->answer.http;
    return err->status;
}

static aq_status read_key(const struct access_key_remote *r, struct aws_key *ret_key,
                          struct aq_str *ret_source, struct aq_error *err)
{
    AUTO(buf) struct buf problem = BUF(TEXT_MAX);
    struct aq_str text = buf_str(&r->answer.body);
    *ret_source = r->place == PLACE_STS         ? AQ_STR("web-identity")
                  : r->place == PLACE_CONTAINER ? AQ_STR("container")
                                                : AQ_STR("instance");
    aq_status st = r->place == PLACE_STS ? aws_reply_sts(text, ret_key, err)
                                         : aws_reply_json(place_name(r), text, false, ret_key, err);
    aws_reply_problem(text, &problem);
    return st == AQ_E_CORRUPT && problem.len ? refused(r, err) : st; /* it may say so with a 200 */
}

aq_status access_key_answer(struct access_key_remote *r, struct aq_op *op, struct aws_key *ret_key,
                            struct aq_str *ret_source, struct aq_error *err)
{
    for (;;) {
        aq_status st = explain(r, op, answer_wait(&r->answer, err), err);
        if (is_nowhere(r, st)) {
            return AQ_E_NOTFOUND;
        }
        if (st != AQ_OK) {
            return st;
        }
        if (r->answer.http != 200) {
            return refused(r, err);
        }
        if (r->place != PLACE_INSTANCE || r->step == INSTANCE_KEY) {
            return read_key(r, ret_key, ret_source, err);
        }
        st = instance_next(r, op, err);
        if (st != AQ_OK) {
            return st;
        }
    }
}

void access_key_remote_done(struct access_key_remote *r, bool forked)
{
    answer_done(&r->answer, forked);
    buf_done(&r->url);
    buf_done(&r->body);
    buf_done(&r->token);
}
