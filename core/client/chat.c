/* SPDX-License-Identifier: Apache-2.0 */
/* The chat operation: a token operation, then a stream operation with what it yielded. If the
 * service rejects the token before it has answered, one more token operation, which refreshes. With
 * the setting `sigv4` it is an access key that is found, and signed with. */
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "client/access_key.h"
#include "client/stream.h"
#include "client/token.h"

struct chat_op {
    struct aq_op op;
    struct aq_stream_options options; /* views into text */
    struct buf text;
    struct buf access_token; /* the one that was sent */
    struct aq_op *token;     /* while a token, or an access key, is being fetched */
    struct aq_op *stream;    /* once there was a first token */
};

static void chat_end_token(struct chat_op *c)
{
    if (c->token) {
        c->token->parent = NULL; /* if it must finish in the background, it does so by itself */
        aq_op_free(c->token);
        c->token = NULL;
    }
}

static aq_status chat_got_token(struct chat_op *c, const struct aq_token *token,
                                struct aq_error *err)
{
    buf_clear(&c->access_token);
    buf_add(&c->access_token, token->access_token);
    if (c->stream) {
        return aq_op_give_token(c->stream, token->access_token, err);
    }
    struct aq_stream_options options = c->options;
    options.access_token = token->access_token;
    options.token_kind = token->kind;
    if (options.profile_arn.len == 0) {
        options.profile_arn = token->profile_arn;
    }
    return stream_start(c->op.client, &options, token, AQ_STR(""), &c->op, &c->stream, err);
}

static aq_status chat_got_key(struct chat_op *c, const struct aq_access_key *key,
                              struct aq_error *err)
{
    struct aq_stream_options options = c->options;
    options.access_key = key;
    return stream_start(c->op.client, &options, NULL, AQ_STR(""), &c->op, &c->stream, err);
}

/* AQ_OK with *ret: a warning to pass on. AQ_OK without: there is a token now. */
static aq_status chat_fetch_token(struct chat_op *c, const struct aq_event **ret,
                                  struct aq_error *err)
{
    const struct aq_event *event;
    aq_status st;
    *ret = NULL;
    while ((st = aq_op_next(c->token, &event, err)) == AQ_OK) {
        if (event->type == AQ_EVENT_WARNING) {
            *ret = event;
            return AQ_OK;
        }
        if (event->type == AQ_EVENT_TOKEN || event->type == AQ_EVENT_ACCESS_KEY) {
            st = event->token ? chat_got_token(c, event->token, err)
                              : chat_got_key(c, event->access_key, err);
            chat_end_token(c);
            return st;
        }
    }
    return st;
}

static aq_status chat_start_token(struct chat_op *c, uint32_t flags, struct aq_error *err)
{
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    options.flags = flags;
    return token_start(c->op.client, &options, buf_str(&c->access_token), &c->op, &c->token, err);
}

static aq_status chat_step(struct chat_op *c, const struct aq_event **ret, struct aq_error *err)
{
    if (c->token) {
        return chat_fetch_token(c, ret, err);
    }
    aq_status st = aq_op_next(c->stream, ret, err);
    if (st == AQ_OK && (*ret)->type == AQ_EVENT_NEED_TOKEN) {
        *ret = NULL;
        st = chat_start_token(c, AQ_TOKEN_FORCE_REFRESH, err);
    }
    return st;
}

static aq_status chat_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    const struct aq_event *event = NULL;
    aq_status st;
    do {
        st = chat_step((struct chat_op *)op, &event, err);
    } while (st == AQ_OK && !event);
    if (st == AQ_OK) {
        *ret = event;
        return AQ_OK;
    }
    return st == AQ_AGAIN ? AQ_AGAIN : op_end(op, st, err);
}

static void chat_done(struct aq_op *op, bool forked)
{
    struct chat_op *c = (struct chat_op *)op;
    if (forked) {
        if (c->token) {
            op_destroy(c->token, true);
        }
    } else {
        chat_end_token(c);
    }
    if (c->stream) {
        op_destroy(c->stream, forked);
    }
    buf_done(&c->text);
    buf_done(&c->access_token);
}

static const struct op_class chat_class = {
    .may_block = true,
    .next = chat_next,
    .done = chat_done,
    .size = sizeof(struct chat_op),
};

/* The stream starts later, so its options are kept. */
static aq_status chat_keep(struct chat_op *c, const struct aq_stream_options *options,
                           struct aq_error *err)
{
    const struct aq_str body = str_of_bytes(options->body);
    const struct aq_str parts[] = { options->profile_arn, body, options->prompt,
                                    options->conversation_id, options->model_id };
    struct aq_str kept[sizeof(parts) / sizeof(parts[0])];
    size_t total = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        total += parts[i].len;
    }
    if (!buf_reserve(&c->text, total)) { /* once: the views point into it */
        return error_nomem(err, "stream options");
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        kept[i] = (struct aq_str){ (const char *)c->text.ptr + c->text.len, parts[i].len };
        buf_add(&c->text, parts[i]);
    }
    c->options = *options;
    c->options.profile_arn = kept[0];
    c->options.body = str_bytes(kept[1]);
    c->options.prompt = kept[2];
    c->options.conversation_id = kept[3];
    c->options.model_id = kept[4];
    c->options.access_key = NULL;
    c->options.token_kind = (struct aq_str){ NULL, 0 }; /* the login's own, once there is one */
    return AQ_OK;
}

/* The service takes signed requests for one of its calls only, which does what the first does. */
static aq_status chat_sign(struct aq_stream_options *options, struct aq_error *err)
{
    if (options->call != AQ_CALL_GENERATE_ASSISTANT_RESPONSE &&
        options->call != AQ_CALL_SEND_MESSAGE) {
        return error_set(err, AQ_E_UNSUPPORTED,
                         "access key: only chat is taken with one, unset AMAZON_Q_SIGV4 to use a "
                         "login");
    }
    options->call = AQ_CALL_SEND_MESSAGE;
    return AQ_OK;
}

aq_status aq_chat_start(struct aq_client *client, const struct aq_stream_options *options,
                        struct aq_op **ret, struct aq_error *err)
{
    struct aq_stream_options known;
    aq_status st = client_usable(client, err);
    if (st == AQ_OK) {
        st = stream_options(options, &known, err);
    }
    if (st == AQ_OK && (known.access_token.len || known.access_key)) {
        st = error_set(err, AQ_E_INVALID,
                       "chat options: access_token and access_key must be empty, use "
                       "aq_stream_start");
    }
    const bool is_signed = st == AQ_OK && settings_sign(&client->settings);
    if (is_signed) {
        st = chat_sign(&known, err);
    }
    if (st == AQ_OK) {
        st = stream_check(client, &known, err); /* before a store is opened for nothing */
    }
    if (st != AQ_OK) {
        return st;
    }
    struct chat_op *c = (struct chat_op *)op_new(client, &chat_class, NULL);
    if (!c) {
        return error_nomem(err, "chat operation");
    }
    st = chat_keep(c, &known, err);
    if (st == AQ_OK) {
        st = is_signed ? access_key_start(client, &c->op, &c->token, err)
                       : chat_start_token(c, 0, err);
    }
    if (st != AQ_OK) {
        op_destroy(&c->op, false);
        return st;
    }
    *ret = &c->op;
    op_ready(&c->op);
    return AQ_OK;
}
