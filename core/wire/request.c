/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/request.h"

#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "wire/endpoint.h"
#include "wire/token.h"

#include <amazonq/version.h>
#include <stdio.h>
#include <string.h>

enum { USER_AGENT_MAX = 1024 };

/* The one call that takes a signature is another service's of the same host. */
#define SIGNED_TARGET AQ_STR("AmazonQDeveloperStreamingService.SendMessage")

/* --- the token --- */

static aq_status set_token(struct request *r, struct aq_str token, struct aq_error *err)
{
    if (!str_is_token(token)) {
        return error_set(
            err, AQ_E_INVALID,
            "access token: not 1 to 16384 printable ASCII characters, export it again");
    }
    buf_done(&r->authorization);
    buf_add(&r->authorization, AQ_STR("Bearer "));
    buf_add(&r->authorization, token);
    return buf_status(&r->authorization) == AQ_OK ? AQ_OK : error_nomem(err, "access token");
}

struct aq_str request_token(const struct request *r)
{
    return signer_is_set(&r->signer)
               ? AQ_STR("")
               : str_from_offset(buf_str(&r->authorization), sizeof("Bearer ") - 1);
}

aq_status request_renew_token(struct request *r, struct aq_str token, struct aq_error *err)
{
    buf_clear(&r->rejected);
    buf_add(&r->rejected, request_token(r));
    return set_token(r, token, err);
}

bool request_reveals_token(const struct request *r, struct aq_str s)
{
    return fault_reveals(s, request_token(r)) || fault_reveals(s, buf_str(&r->rejected)) ||
           signer_reveals(&r->signer, s);
}

/* A signature is for one region: the caller says which, or the endpoint's name does. */
static struct aq_str signing_region(const struct aq_exchange_options *options)
{
    struct aq_str region =
        options->region.len ? options->region : endpoint_region_of_host(options->endpoint);
    return region.len ? region : endpoint_region(options->request->profile_arn);
}

/* What proves who asks: a token, or an access key. */
static aq_status set_proof(struct request *r, const struct aq_exchange_options *options,
                           struct aq_error *err)
{
    const struct aq_stream_options *request = options->request;
    struct aq_access_key key = { 0 };
    if (!request->access_key) {
        return set_token(r, request->access_token, err);
    }
    if (!options_copy(&key, sizeof(key), request->access_key)) {
        return error_set(err, AQ_E_INVALID, "access key: struct_size is not set");
    }
    if (request->access_token.len) {
        return error_set(err, AQ_E_INVALID, "request: has an access token and an access key");
    }
    if (request->call != AQ_CALL_SEND_MESSAGE) {
        return error_set(err, AQ_E_INVALID,
                         "access key: only SendMessage is taken with one, use a login");
    }
    return signer_init(&r->signer, &key, signing_region(options), options->time_s, err);
}

/* --- where it goes --- */

static aq_status set_host(struct request *r, uint32_t site, struct aq_error *err)
{
    buf_clear(&r->url);
    r->site = site;
    r->asked |= 1u << site;
    return endpoint_service(site, r->call->streams, buf_str(&r->region), &r->url, err);
}

static aq_status set_path(struct request *r, struct aq_error *err)
{
    buf_add_char(&r->url, '/');
    chat_query(r->call, buf_str(&r->body), &r->url);
    return buf_status(&r->url) == AQ_OK ? AQ_OK : error_nomem(err, "request");
}

/* In a region that is not in the table nobody knows of more than the first site, and no other takes
 * a signature. */
static aq_status set_site(struct request *r, const struct aq_exchange_options *options,
                          struct aq_error *err)
{
    struct aq_str region =
        options->region.len ? options->region : endpoint_region(options->request->profile_arn);
    uint32_t site = endpoint_site_find(options->site);
    bool several = endpoint_region_known(region) && !signer_is_set(&r->signer);
    buf_add(&r->region, region);
    if (buf_status(&r->region) != AQ_OK) {
        return error_nomem(err, "request");
    }
    r->asked = several ? 0 : ~0u;
    return set_host(r, several && site < ENDPOINT_SITES ? site : 0, err);
}

static aq_status set_url(struct request *r, const struct aq_exchange_options *options,
                         struct aq_error *err)
{
    bool named = options->flags & AQ_EXCHANGE_ENDPOINT_NAMED;
    aq_status st = options->endpoint.len
                       ? endpoint_check(AQ_STR("endpoint"), options->endpoint, named, &r->url, err)
                       : set_site(r, options, err);
    return st == AQ_OK ? set_path(r, err) : st;
}

struct aq_str request_site(const struct request *r)
{
    return r->region.len ? endpoint_site_name(r->site) : AQ_STR("");
}

struct aq_str request_host(const struct request *r)
{
    struct aq_str rest = str_from_offset(buf_str(&r->url), sizeof("https://") - 1);
    return str_cut(&rest, '/');
}

bool request_elsewhere(struct request *r)
{
    struct aq_error ignored;
    uint32_t site = 0;
    while (site < ENDPOINT_SITES && r->asked & 1u << site) {
        site++;
    }
    return r->region.len && site < ENDPOINT_SITES && set_host(r, site, &ignored) == AQ_OK &&
           set_path(r, &ignored) == AQ_OK;
}

/* What the service wants to be told of a token before it takes it; nothing of most. */
static struct aq_str token_type(struct aq_str kind)
{
    switch (token_kind_find(kind)) {
    case TOKEN_API_KEY:
        return AQ_STR("API_KEY");
    case TOKEN_EXTERNAL_IDP:
        return AQ_STR("EXTERNAL_IDP");
    default:
        return (struct aq_str){ NULL, 0 };
    }
}

/* --- making one --- */

static aq_status set_user_agent(struct request *r, struct aq_str user_agent, struct aq_error *err)
{
    bool legal = user_agent.len <= USER_AGENT_MAX;
    for (size_t i = 0; i < user_agent.len; i++) {
        legal = legal && user_agent.ptr[i] >= 0x20 && user_agent.ptr[i] <= 0x7e;
    }
    if (!legal) {
        return error_set(err, AQ_E_INVALID,
                         "user agent: not printable ASCII of at most %d characters, change it",
                         USER_AGENT_MAX);
    }
    buf_add(&r->user_agent, user_agent.len ? user_agent : AQ_STR("libamazonq/" AQ_VERSION));
    return buf_status(&r->user_agent) == AQ_OK ? AQ_OK : error_nomem(err, "user agent");
}

static aq_status set_body(struct request *r, const struct aq_exchange_options *options,
                          struct random *random, struct aq_error *err)
{
    const struct aq_stream_options *request = options->request;
    char uuid[RANDOM_UUID_LEN + 1];
    random_uuid(random, uuid);

    bool send_profile = !(options->flags & AQ_EXCHANGE_NO_PROFILE) && !request->access_key;
    struct chat_parts parts = {
        .body = str_of_bytes(request->body),
        .prompt = request->prompt,
        .conversation_id = request->conversation_id.len ? request->conversation_id : str_from(uuid),
        .model_id = request->model_id,
        .profile_arn = send_profile ? request->profile_arn : AQ_STR(""),
        .client_token = str_from(uuid),
        .source = request->access_key ? AQ_STR("CLI") : AQ_STR(""),
    };
    r->model_named = request->model_id.len || str_contains(parts.body, AQ_STR("\"modelId\""));
    return chat_body(r->call, &parts, &r->body, err);
}

aq_status request_init(struct request *r, const struct aq_exchange_options *options,
                       struct random *random, struct aq_error *err)
{
    r->call = chat_call_find(options->request->call);
    if (!r->call) {
        return error_set(err, AQ_E_INVALID, "request: there is no call %d",
                         (int)options->request->call);
    }
    r->token_type = token_type(options->request->token_kind);
    r->opt_out = options->flags & AQ_EXCHANGE_OPT_OUT;
    random_uuid(random, r->invocation_id);

    aq_status st = set_proof(r, options, err);
    if (st == AQ_OK) {
        st = set_user_agent(r, options->user_agent, err);
    }
    if (st == AQ_OK) {
        st = set_body(r, options, random, err);
    }
    return st == AQ_OK ? set_url(r, options, err) : st;
}

void request_done(struct request *r)
{
    buf_done(&r->url);
    buf_done(&r->region);
    buf_done(&r->body);
    buf_done(&r->authorization);
    buf_done(&r->rejected);
    buf_done(&r->user_agent);
    signer_done(&r->signer);
}

void request_accepted(struct request *r)
{
    buf_done(&r->url);
    buf_done(&r->body);
    buf_done(&r->user_agent);
}

/* --- sending it --- */

aq_status request_show(struct request *r, const struct retry *retry,
                       struct aq_exchange_request *ret, struct aq_error *err)
{
    enum { ALWAYS = REQUEST_HEADERS - SIGNER_HEADERS - 1, AUTHORIZATION = 2 };

    snprintf(r->attempt_text, sizeof(r->attempt_text), "attempt=%u; max=%u",
             (unsigned)retry->attempt, (unsigned)retry->max_attempts);

    const struct aq_exchange_header headers[ALWAYS] = {
        { AQ_STR("content-type"), AQ_STR("application/x-amz-json-1.0") },
        { AQ_STR("x-amz-target"), signer_is_set(&r->signer) ? SIGNED_TARGET : r->call->target },
        { AQ_STR("authorization"), buf_str(&r->authorization) },
        { AQ_STR("x-amzn-codewhisperer-optout"), r->opt_out ? AQ_STR("true") : AQ_STR("false") },
        { AQ_STR("amz-sdk-invocation-id"), str_from(r->invocation_id) },
        { AQ_STR("amz-sdk-request"), str_from(r->attempt_text) },
        { AQ_STR("user-agent"), buf_str(&r->user_agent) },
        { AQ_STR("x-amz-user-agent"), buf_str(&r->user_agent) },
    };
    memcpy(r->headers, headers, sizeof(headers));

    struct aq_exchange_request request = {
        .struct_size = ret->struct_size,
        .header_count = ALWAYS,
        .header_stride = sizeof(struct aq_exchange_header),
        .method = AQ_STR("POST"),
        .url = buf_str(&r->url),
        .headers = r->headers,
        .body = buf_bytes(&r->body),
    };
    if (r->token_type.len) {
        r->headers[request.header_count++] =
            (struct aq_exchange_header){ AQ_STR("tokentype"), r->token_type };
    }
    if (signer_is_set(&r->signer)) {
        request.header_count += signer_headers(&r->signer, r->headers + request.header_count);
        if (signer_sign(&r->signer, &request, &r->authorization) != AQ_OK) {
            return error_nomem(err, "signature");
        }
        r->headers[AUTHORIZATION].value = buf_str(&r->authorization);
    }
    size_t size = ret->struct_size < sizeof(request) ? ret->struct_size : sizeof(request);
    memcpy(ret, &request, size);
    return AQ_OK;
}
