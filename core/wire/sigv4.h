/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4: how a request proves that its sender has an access key.
 *
 * Source: AWS, "Create a signed AWS API request" (IAM user guide, AWS Signature Version 4 for API
 * requests). Of its two forms this is the one with headers; a path is encoded once more than it is
 * on the wire, as every service but S3 wants it.
 */
#ifndef AQ_WIRE_SIGV4_H
#define AQ_WIRE_SIGV4_H

#include "base/buf.h"

enum {
    SIGV4_DATE_LEN = 16,   /* "20150830T123600Z" */
    SIGV4_HEADERS_MAX = 64 /* and as many parameters of a query */
};

struct sigv4_credentials {
    struct aq_str access_key_id;
    struct aq_str secret_access_key;
};

/* Where and when a signature counts: a service takes it for a quarter of an hour. */
struct sigv4_scope {
    struct aq_str region;
    struct aq_str service;
    int64_t time_s;      /* seconds since 1970-01-01 UTC */
    bool normalize_path; /* take "." and "..", and "/" after "/", out of the path; S3 does not */
};

struct sigv4_header {
    struct aq_str name; /* in any case */
    struct aq_str value;
};

/* What is signed. Among the headers must be host and x-amz-date (sigv4_date), and
 * x-amz-security-token if the credentials have one. */
struct sigv4_request {
    struct aq_str method;
    struct aq_str target; /* path and query, as in the request line */
    const struct sigv4_header *headers;
    uint32_t header_count;
    struct aq_bytes body;
};

/* The value of x-amz-date; false for years outside 0000..9999. */
bool sigv4_date(int64_t time_s, char ret[SIGV4_DATE_LEN + 1]);

/*
 * The steps, each on its own because the published tests have them one by one: the request in its
 * one canonical form with the names of its headers, as "host;x-amz-date"; what is signed of it; and
 * the signature, as hexadecimal. What they are given is appended to; ask buf_status.
 */
void sigv4_canonical_request(const struct sigv4_request *request, const struct sigv4_scope *scope,
                             struct buf *ret, struct buf *ret_names);
void sigv4_string_to_sign(struct aq_str canonical_request, const struct sigv4_scope *scope,
                          struct buf *ret);
void sigv4_signature(const struct sigv4_credentials *credentials, const struct sigv4_scope *scope,
                     struct aq_str string_to_sign, struct buf *ret);

/*
 * All of them: append the value of the header authorization.
 *
 * Returns AQ_OK; AQ_E_INVALID: the time cannot be written; AQ_E_LIMIT: too many headers or
 * parameters; AQ_E_NOMEM.
 */
aq_status sigv4_authorization(const struct sigv4_request *request,
                              const struct sigv4_credentials *credentials,
                              const struct sigv4_scope *scope, struct buf *ret);

#endif
