/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a call has got, and until when it may take.
 *
 *     WAITING -> CONNECTING -> SENDING -> RECEIVING -> OVER
 *
 * Each phase has its deadline; WAITING (for a connection to have room) has only that of the whole.
 * Time is the host's, in microseconds.
 */
#ifndef TRANSPORT_COMMON_TIMING_H
#define TRANSPORT_COMMON_TIMING_H

#include <amazonq/plugin.h>
#include <stdbool.h>

#define TIMING_NEVER UINT64_MAX

enum call_phase { CALL_WAITING, CALL_CONNECTING, CALL_SENDING, CALL_RECEIVING, CALL_OVER };

struct timing {
    enum call_phase phase;
    uint64_t phase_deadline_us; /* TIMING_NEVER if there is none */
    uint64_t total_deadline_us;
    uint32_t connect_timeout_ms; /* 0: none */
    uint32_t first_byte_timeout_ms;
    uint32_t idle_timeout_ms;
};

/* WAITING, with the timeouts of a request. */
void timing_init(struct timing *timing, const struct aq_request *request, uint64_t now_us);

/* Go on to a phase, whose time begins; that of RECEIVING when the host waits. OVER has none. */
void timing_enter(struct timing *timing, enum call_phase phase, uint64_t now_us);

/* A piece of the request has left: the time to the first byte begins anew. */
void timing_sent_some(struct timing *timing, uint64_t now_us);

/* The host waits for more of the response, or need not. */
void timing_wait(struct timing *timing, uint64_t now_us);
void timing_hold(struct timing *timing);

/* The earlier of its deadlines. */
uint64_t timing_deadline_us(const struct timing *timing);

/* What has been missed when a deadline has passed, and what to do. proxied: the way leads through a
 * proxy. */
const char *timing_missed(const struct timing *timing, bool proxied);

#endif
