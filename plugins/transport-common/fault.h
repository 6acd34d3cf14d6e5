/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: "https://host: what is wrong, what to do". Never a URL's path or query, a header or a
 * body. */
#ifndef TRANSPORT_COMMON_FAULT_H
#define TRANSPORT_COMMON_FAULT_H

#include <amazonq/plugin.h>

/* What the transports say in the same words. */
#define FAULT_CUT_OFF "the answer was cut off, try again"
#define FAULT_LOST "connection lost before an answer came, try again"
#define FAULT_RESET "the peer reset the request, try again"
#define FAULT_BROKEN_HTTP2 "broken HTTP/2 from the peer"
#define FAULT_NO_HTTP2 "the peer does not offer HTTP/2, use --transport curl"
#define FAULT_NO_NAME "name does not resolve, check the endpoint and the network"
#define FAULT_NO_PROXY_NAME "the proxy's name does not resolve, check https_proxy"
#define FAULT_NO_CONNECTION "cannot connect, check the endpoint and the network"
#define FAULT_NO_CONNECTION_BY_PROXY "cannot connect, check the network and https_proxy"
#define FAULT_NOT_CONNECTED "no connection in time, check the network"
#define FAULT_NOT_CONNECTED_BY_PROXY "no connection in time, check the network and https_proxy"
#define FAULT_NOT_HERE "plain http is for this machine alone, use https"
#define FAULT_PROXY "the proxy does not let us through, check https_proxy"
#define FAULT_NO_CIPHER "no common TLS cipher, the peer must offer a modern one"
#define FAULT_HANDSHAKE "TLS handshake broke off, the peer must speak TLS 1.2 or later"
#define FAULT_HEAD_TOO_LARGE "the header of the answer is too large"
#define FAULT_HEAD_TOO_MANY "the header of the answer has too many fields"
#define FAULT_ENCODED "the answer is encoded, which was not asked for"

/* Fill err and return status. object is the origin of a request, or the name of a plugin. */
aq_status fault_set(struct aq_error *err, aq_status status, const char *object, const char *what);

/* A forked child has asked. object is the name of a plugin. */
aq_status fault_forked(struct aq_error *err, const char *object);

/* The same for what the peer, or a proxy, should not have answered. */
aq_status fault_in_answer(struct aq_error *err, aq_status status, const char *origin,
                          const char *what);

/* A proxy answered CONNECT with something other than 2xx. */
aq_status fault_tunnel(struct aq_error *err, const char *origin, long status);

enum { FAULT_VERIFY_SIGNATURE = 7 }; /* X509_V_ERR_CERT_SIGNATURE_FAILURE */

/* OpenSSL rejected the certificate for this reason (X509_V_ERR_...); X509_V_OK: the chain is good,
 * so it is the name. trust names the trusted files and directories, trust_count of them. */
aq_status fault_certificate(struct aq_error *err, const char *origin, long reason,
                            const char *trust, int trust_count);

/* No certificate can be read from them. */
aq_status fault_trust(struct aq_error *err, const char *origin, const char *trust, int trust_count);

#endif
