/* SPDX-License-Identifier: Apache-2.0 */
/* The access key of an exchange: what signs each attempt anew, for a signature names its time. */
#ifndef AQ_WIRE_SIGNER_H
#define AQ_WIRE_SIGNER_H

#include "base/buf.h"
#include "wire/sigv4.h"

#include <amazonq/access_key.h>
#include <amazonq/exchange.h>

struct signer {
    struct buf access_key_id; /* empty: nothing is signed */
    struct buf secret_access_key;
    struct buf session_token;
    struct buf region;
    int64_t time_s;   /* of the next signature */
    int64_t behind_s; /* our clock, as the service's shows; 0: it is not known to be wrong */
    char date[SIGV4_DATE_LEN + 1];
};

/* Keep a copy, in zeroed memory. AQ_E_INVALID: a part of it can be none, or time_s is no time. */
aq_status signer_init(struct signer *signer, const struct aq_access_key *key, struct aq_str region,
                      int64_t time_s, struct aq_error *err);
void signer_done(struct signer *signer);

bool signer_is_set(const struct signer *signer);

/* After a refusal at service_s, by the service's clock: the next signature is for that clock. False
 * if ours agrees, or was corrected before: the clock is not why. */
bool signer_correct(struct signer *signer, int64_t service_s);

/* Add the headers that are signed along, x-amz-date and x-amz-security-token; how many. At most
 * SIGNER_HEADERS. */
enum { SIGNER_HEADERS = 2 };
uint32_t signer_headers(struct signer *signer, struct aq_exchange_header *ret);

/* The value of the header authorization for this request, in place of what is in *ret. */
aq_status signer_sign(const struct signer *signer, const struct aq_exchange_request *request,
                      struct buf *ret);

/* True if s repeats a secret. */
bool signer_reveals(const struct signer *signer, struct aq_str s);

#endif
