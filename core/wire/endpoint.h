/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hosts there are, which of them may be shown a secret, and which of them answers what. Host
 * names are built from a validated region and compared exactly, never by suffix.
 */
#ifndef AQ_WIRE_ENDPOINT_H
#define AQ_WIRE_ENDPOINT_H

#include "base/buf.h"

#include <amazonq/status.h>
#include <stdbool.h>

/* ^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$, at most 32 bytes. */
bool endpoint_region_valid(struct aq_str region);

/* Fourth field of an ARN ("arn:aws:codewhisperer:us-east-1:..."); empty if there is none or it is
 * not a valid region. */
struct aq_str endpoint_region_of_arn(struct aq_str arn);

/* Append the sign-in service: the URL that the user named, if any, else
 * "https://oidc.REGION.amazonaws.com". AQ_E_INVALID if the one or the other is not valid; object
 * names what the region belongs to, for the error text. */
aq_status endpoint_oidc(struct aq_str object, struct aq_str named, struct aq_str region,
                        struct buf *out, struct aq_error *err);

/*
 * The service can be reached at several sites, each of which takes some logins and not others
 * (docs/adr/0020-endpoints.md). They are numbered in the order in which they are asked.
 */
enum { ENDPOINT_SITES = 2 };

/* The short name of a site; ENDPOINT_SITES for one that nobody has. */
struct aq_str endpoint_site_name(uint32_t site);
uint32_t endpoint_site_find(struct aq_str name);

/* Is the service there; in which region it is for a profile: that of the ARN, or the usual one. The
 * region of the sign-in service says nothing about it. */
bool endpoint_region_known(struct aq_str region);
struct aq_str endpoint_region(struct aq_str profile_arn);

/* The region in the name of a host of AWS, whichever it is; empty if there is none. It says what to
 * sign for, not whom to trust. */
struct aq_str endpoint_region_of_host(struct aq_str url);

/* Append the URL of the host at a site that answers what streams, or the rest. AQ_E_INVALID if the
 * region is not valid. */
aq_status endpoint_service(uint32_t site, bool streams, struct aq_str region, struct buf *out,
                           struct aq_error *err);

/*
 * Check a base URL that is about to be sent a secret, and append it to out without a trailing
 * slash.
 *
 * https is required, except to a loopback address literal (127.0.0.0/8, [::1]) or "localhost".
 * Without `named` (the user did not name this URL), only the hosts above pass. No user info, query
 * or fragment; at most 2048 bytes of printable ASCII.
 */
aq_status endpoint_check(struct aq_str object, struct aq_str url, bool named, struct buf *out,
                         struct aq_error *err);

/* True for a URL that a person may be told to open: https, or http on this machine; no user info.
 */
bool endpoint_is_page(struct aq_str url);

#endif
