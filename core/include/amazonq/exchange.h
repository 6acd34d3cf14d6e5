/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_EXCHANGE_H
#define AMAZONQ_EXCHANGE_H

/*
 * One request to the service and its answer, as a state machine without I/O.
 *
 * Which endpoint, which headers, what may be retried and when, what an error means, how frames
 * become events: all of that lives here and nowhere else. aq_stream_start drives an exchange with a
 * transport plugin; a program with its own HTTP client can drive one itself:
 *
 *     loop: aq_exchange_next(x, now_us, &event, &err)
 *           AQ_OK, AQ_EVENT_SEND   send aq_exchange_request(); when its answer comes call
 *                                  aq_exchange_response(), then _feed() for each piece of the body
 *                                  and _finish() after the last; or _fail() when it broke
 *           AQ_OK, AQ_EVENT_RETRY  the next AQ_EVENT_SEND comes after delay_ms; as with
 *                                  AQ_EVENT_NEED_TOKEN, the answer so far is of no more use: end it
 *           AQ_OK, anything else   as with aq_op_next
 *           AQ_AGAIN               wants bytes, a token, or the time aq_exchange_deadline() says
 *           AQ_END or negative     over
 *
 * Threads: an exchange is used by one thread at a time. It holds no descriptors and survives a
 * fork.
 */

#include <amazonq/client.h>
#include <amazonq/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

struct aq_exchange;

/* Bits of aq_exchange_options.flags. */
#define AQ_EXCHANGE_OPT_OUT 0x1u    /* do not let the service use the content */
#define AQ_EXCHANGE_NO_PROFILE 0x2u /* never send profileArn (custom endpoint in settings) */
#define AQ_EXCHANGE_ENDPOINT_NAMED \
    0x4u /* the user named the endpoint: any https host, and http \
            to a loopback address, may get the token */

/**
 * How to make an exchange. Zero-initialise, then set struct_size. Everything is copied.
 *
 * Where no endpoint is named the service can be reached at several sites, and each takes some
 * logins and refuses others. One is asked; only if it refuses the login the next one is, before the
 * first event of an answer, and AQ_EVENT_RETRY names its host. AQ_EVENT_RESPONSE names the site
 * that accepted.
 */
struct aq_exchange_options {
    uint32_t struct_size;
    uint32_t flags;                          /* AQ_EXCHANGE_... */
    const struct aq_stream_options *request; /* what to ask */
    struct aq_str endpoint;                  /* URL; empty: one of those the library knows */
    struct aq_str user_agent;
    uint32_t max_attempts; /* 0 means 3 */
    uint32_t reserved;
    uint8_t seed[32];     /* random; makes ids and the jitter of delays */
    struct aq_str region; /* of the endpoint, if that is empty, and of an access key's signature;
                             empty: as the endpoint's host or profile_arn says */
    struct aq_str site;   /* to ask first, as AQ_EVENT_RESPONSE named it; empty: the usual one */
    int64_t time_s;       /* seconds since 1970-01-01 UTC when it is made, for an access key */
};

/** A header of aq_exchange_request. */
struct aq_exchange_header {
    struct aq_str name;
    struct aq_str value;
};

/** The HTTP request to send: POST, this URL, these headers, this body. */
struct aq_exchange_request {
    uint32_t struct_size;
    uint32_t header_count;
    uint32_t header_stride;
    uint32_t reserved;
    struct aq_str method;
    struct aq_str url;
    const struct aq_exchange_header *headers; /* one of them holds the token: do not log */
    struct aq_bytes body;
};

/**
 * Make an exchange.
 *
 * @return AQ_OK; AQ_E_INVALID: a token that is not a legal header value, an endpoint the token may
 *         not go to, a body that is not a JSON object; AQ_E_NOMEM
 * Threads: any.  Since: 0.1
 */
AQ_API aq_status aq_exchange_new(const struct aq_exchange_options *options,
                                 struct aq_exchange **ret, struct aq_error *err);

/**
 * Make an exchange with the settings of a client: where options say nothing of endpoint, site and
 * user agent, and of opt-out and profile in any case. The seed is made here. Opens no connection
 * and does not tie the exchange to the client.
 *
 * @return as aq_exchange_new; AQ_E_IO: no random numbers; AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_exchange_new_for(struct aq_client *client,
                                     const struct aq_exchange_options *options,
                                     struct aq_exchange **ret, struct aq_error *err);

/**
 * Remember which site accepted a login, so that exchanges of this client and of other processes of
 * this user ask it first. A small file in the cache directory ($XDG_CACHE_HOME/amazonq), which
 * holds no secret; what cannot be written is forgotten in silence. The operations of a client do so
 * themselves.
 *
 * @param profile_arn  as in the request
 * @param site         the name of AQ_EVENT_RESPONSE; empty: none accepts it any more
 * @return AQ_OK, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_exchange_remember(struct aq_client *client, struct aq_str profile_arn,
                                      struct aq_str site, struct aq_error *err);

/** End an exchange and wipe what it held. Accepts NULL. Threads: any.  Since: 0.1 */
AQ_API void aq_exchange_free(struct aq_exchange *x);

/**
 * Get the next event.
 *
 * @param now_us  a monotonic clock, in microseconds
 * @param ret     valid until the next call on x
 * @return AQ_OK, AQ_AGAIN, AQ_END, or the error that ended it (again on every call)
 * Threads: one at a time.  Since: 0.1
 */
AQ_API aq_status aq_exchange_next(struct aq_exchange *x, uint64_t now_us,
                                  const struct aq_event **ret, struct aq_error *err);

/**
 * The time at which aq_exchange_next has something to do although nothing arrived.
 *
 * @return on the clock of now_us; UINT64_MAX when there is none
 * Threads: one at a time.  Since: 0.1
 */
AQ_API uint64_t aq_exchange_deadline(const struct aq_exchange *x);

/**
 * The request of the current attempt; valid until the next call on x other than this one.
 *
 * @param ret  set ret->struct_size first
 * @return AQ_OK, AQ_E_STATE (no AQ_EVENT_SEND is pending), AQ_E_NOMEM
 * Threads: one at a time.  Since: 0.1
 */
AQ_API aq_status aq_exchange_request(struct aq_exchange *x, struct aq_exchange_request *ret,
                                     struct aq_error *err);

/**
 * Report the head of the answer.
 *
 * @param headers  count elements, stride bytes apart, names in any case
 * @return AQ_OK, AQ_E_STATE
 * Threads: one at a time.  Since: 0.1
 */
AQ_API aq_status aq_exchange_response(struct aq_exchange *x, int32_t status,
                                      const struct aq_exchange_header *headers, uint32_t count,
                                      uint32_t stride, struct aq_error *err);

/**
 * Report bytes of the body. They are borrowed until aq_exchange_next returns something other than
 * AQ_OK; feed again only after that.
 *
 * @return AQ_OK, AQ_E_STATE, AQ_E_NOMEM
 * Threads: one at a time.  Since: 0.1
 */
AQ_API aq_status aq_exchange_feed(struct aq_exchange *x, const uint8_t *data, size_t len,
                                  struct aq_error *err);

/** Report the end of the body. @return AQ_OK, AQ_E_STATE. Threads: one at a time.  Since: 0.1 */
AQ_API aq_status aq_exchange_finish(struct aq_exchange *x, struct aq_error *err);

/**
 * Report that the attempt broke before the end of the body.
 *
 * @param why  what happened; AQ_ERROR_NOT_SENT in its flags allows a repetition
 * @return AQ_OK, AQ_E_STATE
 * Threads: one at a time.  Since: 0.1
 */
AQ_API aq_status aq_exchange_fail(struct aq_exchange *x, const struct aq_error *why,
                                  struct aq_error *err);

/** What the service said when it refused a request or broke off its answer. */
struct aq_exchange_fault {
    uint32_t struct_size;
    int32_t http;             /* status of the answer; 0 inside a stream */
    struct aq_str code;       /* "ThrottlingException"; as sent, without its namespace */
    struct aq_str reason;     /* "INSUFFICIENT_MODEL_CAPACITY"; mostly absent */
    struct aq_str message;    /* whatever the service sent: filter it before a terminal sees it */
    struct aq_str request_id; /* also of an answer that was not refused */
};

/**
 * Tell what the service said, in parts; the error's text says it for people. What would reveal an
 * access token is left out. Parts that are not known are empty.
 *
 * @param ret  set ret->struct_size first; valid until the next call on x other than this one
 * @return AQ_OK, AQ_E_INVALID (struct_size is not set)
 * Threads: one at a time.  Since: 0.1
 */
AQ_API aq_status aq_exchange_fault(const struct aq_exchange *x, struct aq_exchange_fault *ret);

/**
 * Answer AQ_EVENT_NEED_TOKEN.
 *
 * @return AQ_OK, AQ_E_INVALID, AQ_E_STATE
 * Threads: one at a time.  Since: 0.1
 */
AQ_API aq_status aq_exchange_give_token(struct aq_exchange *x, struct aq_str access_token,
                                        struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
