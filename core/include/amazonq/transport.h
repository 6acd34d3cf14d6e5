/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_TRANSPORT_H
#define AMAZONQ_TRANSPORT_H

/*
 * The table of a transport: HTTP requests out, responses in, without ever blocking.
 *
 * One instance serves all calls of one client, on that client's thread. It owns its connections and
 * reuses them.
 *
 *     start -> (host waits on interest, calls step; the plugin says ready) -> response -> read ...
 *           -> finish
 *
 * The host waits on one file descriptor for the whole instance, calls step when it is readable or
 * the deadline has passed, and pulls from every call that was reported ready until it answers
 * AQ_AGAIN. Nothing is pushed: a call that is not read stops reading from its peer.
 *
 * A transport is mechanical. It never follows a redirect, retries, decompresses, keeps cookies,
 * adds credentials, or logs a header or a body. It adds only the headers that framing needs (Host,
 * Content-Length). It verifies certificates and host names; there is no way to turn that off.
 */

#include <amazonq/status.h>
#include <amazonq/view.h>

#ifdef __cplusplus
extern "C" {
#endif

struct aq_open_args;

/** What the host must wait for. */
struct aq_interest {
    int32_t fd;        /* readable when step has work; the same until close; -1 if none */
    uint32_t reserved; /* 0 */
    uint64_t
        deadline_us; /* call step at this time at the latest (host->now_us); UINT64_MAX: never */
};

/** A header field. Names are compared without case; responses give them in lower case. */
struct aq_header {
    struct aq_str name;
    struct aq_str value;
};

/* Bits of aq_request.flags. */
#define AQ_REQUEST_LINK_LOCAL \
    0x2u /* plain http may also go to a link-local address (169.254.0.0/16, fd00:ec2::/32), where \
            clouds hand out access keys; since minor 2. A transport that does not know it refuses \
          */
#define AQ_REQUEST_FACTS 0x1u /* facts will be asked for: note what costs something to look at */

/** A request. Everything in it is borrowed for the duration of start. */
struct aq_request {
    uint32_t struct_size;
    uint32_t header_count;
    uint32_t header_stride; /* bytes from one header to the next */
    uint32_t flags;         /* AQ_REQUEST_... */
    struct aq_str method;
    struct aq_str url; /* absolute, https or (loopback only) http, ASCII */
    const struct aq_header *headers;
    struct aq_bytes body;

    /* Deadlines of the phases, in milliseconds from the start of the phase; 0 means none. */
    uint32_t connect_timeout_ms;    /* name, connection and TLS together */
    uint32_t first_byte_timeout_ms; /* from the last byte of the request to the response headers */
    uint32_t idle_timeout_ms;       /* between two pieces of the body, while the host is reading */
    uint32_t total_timeout_ms;      /* from start to the last byte */

    uint32_t max_header_bytes; /* of the response head; 0 means 65536 */
    uint32_t reserved2;
};

/** The head of a response. Valid until finish. */
struct aq_response {
    uint32_t struct_size;
    int32_t status; /* 200 ... 599; interim 1xx responses are skipped */
    uint32_t header_count;
    uint32_t header_stride;
    const struct aq_header *headers;
    struct aq_str protocol; /* "HTTP/1.1" or "HTTP/2" */
};

/**
 * What a request has met on its way, for people who look for a fault: nothing depends on it. Texts
 * are printable, without secrets, and empty where nothing is known; times are from start, 0 if it
 * did not come that far. Valid until finish.
 */
struct aq_facts {
    uint32_t struct_size;
    uint32_t flags; /* 0 */
    struct aq_str
        address;         /* "192.0.2.1:443": what it is connected to; the proxy's if there is one */
    struct aq_str proxy; /* "http://HOST:PORT", without user and password; empty: none */
    struct aq_str trust; /* file or directory of the certificates that are trusted */
    struct aq_str tls;   /* "TLSv1.3" */
    struct aq_str subject; /* of the peer's certificate, also of one that was refused */
    struct aq_str issuer;
    int64_t not_after_s;   /* until when that is valid, seconds since 1970; 0: not known */
    uint32_t connected_us; /* name, connection, proxy and TLS were done */
    uint32_t answered_us;  /* the head of the answer was there */
};

/**
 * Functions of a transport; all required but where it says so. `call` is the plugin's own object
 * for one request.
 *
 * Errors of response and read are AQ_E_NETWORK, AQ_E_TLS, AQ_E_TIMEOUT, AQ_E_PROTOCOL,
 * AQ_E_TRUNCATED, AQ_E_LIMIT, AQ_E_NOMEM, or AQ_E_INVALID for what turns out to be unusable when a
 * connection is made: the certificates to trust cannot be read any more, or plain http would leave
 * this machine. They end the call: every later response or read gives the same answer. err->flags
 * has AQ_ERROR_NOT_SENT if, and only if, the peer cannot have acted on any byte of the request.
 *
 * In a forked child start, step and read are AQ_E_FORKED, which ends nothing.
 */
struct aq_transport_ops {
    uint32_t struct_size;
    uint32_t flags; /* 0 */

    /** Make an instance. No connection is opened. */
    aq_status (*open)(const struct aq_open_args *args, void **ret_self, struct aq_error *err);

    /** End an instance; every call has been finished before. Accepts NULL. Never blocks. */
    void (*close)(void *self);

    /** Say what to wait for. Asked again after each start, read, finish and step. */
    void (*interest)(void *self, struct aq_interest *ret);

    /**
     * Do what can be done without blocking. The only function that calls host->ready(cookie): once
     * per call that has become readable, and then not again until the host has read that call down
     * to AQ_AGAIN.
     *
     * @return AQ_OK, or an error that ends every call of the instance
     */
    aq_status (*step)(void *self, struct aq_error *err);

    /**
     * Start a request. Sends nothing yet if that could block; makes the fd readable instead.
     *
     * @param cookie    handed back to host->ready, never dereferenced
     * @param ret_call  written on success only; the host ends it with finish
     */
    aq_status (*start)(void *self, const struct aq_request *request, void *cookie, void **ret_call,
                       struct aq_error *err);

    /**
     * Get the head of the response.
     *
     * @param ret  struct_size is set by the host
     * @return AQ_OK, AQ_AGAIN, or an error
     */
    aq_status (*response)(void *call, struct aq_response *ret, struct aq_error *err);

    /**
     * Get the next bytes of the body.
     *
     * @param ret_len  1 ... cap on AQ_OK
     * @return AQ_OK, AQ_AGAIN, AQ_END (complete as HTTP counts it), or an error
     */
    aq_status (*read)(void *call, uint8_t *buf, size_t cap, size_t *ret_len, struct aq_error *err);

    /**
     * End a call at any time and forget it; cancels it if it is not complete. host->ready is not
     * called for it any more. Never blocks, not even while a name is being resolved. Accepts NULL.
     */
    void (*finish)(void *call);

    /**
     * Optional, since minor 2. Tell what is known of a call by now, also of one that has failed.
     *
     * @param ret  zeroed by the host but for struct_size
     * @return AQ_OK, AQ_E_UNSUPPORTED (the request did not say AQ_REQUEST_FACTS)
     */
    aq_status (*facts)(void *call, struct aq_facts *ret);
};

#define AQ_TRANSPORT_OPS .struct_size = sizeof(struct aq_transport_ops)

#ifdef __cplusplus
}
#endif

#endif
