/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/signer.h"

#include "base/error.h"
#include "base/str.h"
#include "wire/fault.h"

enum { SKEW_S = 4 * 60 }; /* the service takes five minutes */

/* How the service calls itself in a signature (docs/protocol.md). */
#define SERVICE AQ_STR("q")

static aq_status keep(struct buf *ret, struct aq_str text, const char *what, struct aq_error *err)
{
    if (!str_is_token(text)) {
        return error_set(err, AQ_E_INVALID,
                         "access key: its %s is not 1 to 16384 printable ASCII characters, see "
                         "where it comes from",
                         what);
    }
    buf_add(ret, text);
    return buf_status(ret) == AQ_OK ? AQ_OK : error_nomem(err, "access key");
}

aq_status signer_init(struct signer *signer, const struct aq_access_key *key, struct aq_str region,
                      int64_t time_s, struct aq_error *err)
{
    if (!sigv4_date(time_s, signer->date)) {
        return error_set(err, AQ_E_INVALID, "exchange: time_s must be set for an access key");
    }
    signer->time_s = time_s;
    buf_add(&signer->region, region);
    aq_status st = keep(&signer->access_key_id, key->access_key_id, "id", err);
    if (st == AQ_OK) {
        st = keep(&signer->secret_access_key, key->secret_access_key, "secret", err);
    }
    if (st == AQ_OK && key->session_token.len) {
        st = keep(&signer->session_token, key->session_token, "session token", err);
    }
    return st;
}

void signer_done(struct signer *signer)
{
    buf_done(&signer->access_key_id);
    buf_done(&signer->secret_access_key);
    buf_done(&signer->session_token);
    buf_done(&signer->region);
}

bool signer_is_set(const struct signer *signer)
{
    return signer->access_key_id.len > 0;
}

bool signer_correct(struct signer *signer, int64_t service_s)
{
    int64_t behind_s = service_s - signer->time_s;
    if (signer->behind_s || (behind_s >= -SKEW_S && behind_s <= SKEW_S)) {
        return false;
    }
    signer->behind_s = behind_s;
    return true;
}

uint32_t signer_headers(struct signer *signer, struct aq_exchange_header *ret)
{
    uint32_t count = 0;
    sigv4_date(signer->time_s, signer->date);
    ret[count++] = (struct aq_exchange_header){ AQ_STR("x-amz-date"), str_from(signer->date) };
    if (signer->session_token.len) {
        ret[count++] = (struct aq_exchange_header){ AQ_STR("x-amz-security-token"),
                                                    buf_str(&signer->session_token) };
    }
    return count;
}

/* These may change on the way, or are what is being made. */
static bool is_signed(struct aq_str name)
{
    return !str_eq(name, AQ_STR("authorization")) && !str_eq(name, AQ_STR("user-agent"));
}

/* As it is sent: a port that everybody expects is left out. */
static struct aq_str host_of(struct aq_str authority, bool https)
{
    const struct aq_str usual = https ? AQ_STR(":443") : AQ_STR(":80");
    if (str_ends(authority, usual)) {
        authority.len -= usual.len;
    }
    return authority;
}

aq_status signer_sign(const struct signer *signer, const struct aq_exchange_request *request,
                      struct buf *ret)
{
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    struct aq_str target = request->url;
    uint32_t count = 0;

    const struct aq_str scheme = str_cut(&target, ':');
    target = str_from_offset(target, 2);
    struct aq_str authority = target;
    authority = str_cut(&authority, '/');
    headers[count++] = (struct sigv4_header){ AQ_STR("host"),
                                              host_of(authority, str_eq(scheme, AQ_STR("https"))) };
    for (uint32_t i = 0; i < request->header_count && count < SIGV4_HEADERS_MAX; i++) {
        if (is_signed(request->headers[i].name)) {
            headers[count++] =
                (struct sigv4_header){ request->headers[i].name, request->headers[i].value };
        }
    }
    const struct sigv4_request signed_request = {
        .method = request->method,
        .target = str_from_offset(target, authority.len),
        .headers = headers,
        .header_count = count,
        .body = request->body,
    };
    const struct sigv4_credentials credentials = { buf_str(&signer->access_key_id),
                                                   buf_str(&signer->secret_access_key) };
    const struct sigv4_scope scope = { buf_str(&signer->region), SERVICE, signer->time_s, true };
    buf_clear(ret);
    return sigv4_authorization(&signed_request, &credentials, &scope, ret);
}

bool signer_reveals(const struct signer *signer, struct aq_str s)
{
    return fault_reveals(s, buf_str(&signer->secret_access_key)) ||
           fault_reveals(s, buf_str(&signer->session_token));
}
