/* SPDX-License-Identifier: Apache-2.0 */
#include "timing.h"

#include "fault.h"

static uint64_t deadline_after(uint64_t now_us, uint32_t timeout_ms)
{
    return timeout_ms ? now_us + (uint64_t)timeout_ms * 1000u : TIMING_NEVER;
}

void timing_init(struct timing *timing, const struct aq_request *request, uint64_t now_us)
{
    *timing = (struct timing){
        .phase = CALL_WAITING,
        .phase_deadline_us = TIMING_NEVER,
        .total_deadline_us = deadline_after(now_us, request->total_timeout_ms),
        .connect_timeout_ms = request->connect_timeout_ms,
        .first_byte_timeout_ms = request->first_byte_timeout_ms,
        .idle_timeout_ms = request->idle_timeout_ms,
    };
}

void timing_enter(struct timing *timing, enum call_phase phase, uint64_t now_us)
{
    timing->phase = phase;
    timing->phase_deadline_us = TIMING_NEVER;
    switch (phase) {
    case CALL_CONNECTING:
        timing->phase_deadline_us = deadline_after(now_us, timing->connect_timeout_ms);
        break;
    case CALL_SENDING:
        timing->phase_deadline_us = deadline_after(now_us, timing->first_byte_timeout_ms);
        break;
    case CALL_OVER:
        timing->total_deadline_us = TIMING_NEVER;
        break;
    default:
        break;
    }
}

void timing_sent_some(struct timing *timing, uint64_t now_us)
{
    if (timing->phase == CALL_SENDING) {
        timing->phase_deadline_us = deadline_after(now_us, timing->first_byte_timeout_ms);
    }
}

void timing_wait(struct timing *timing, uint64_t now_us)
{
    if (timing->phase == CALL_RECEIVING) {
        timing->phase_deadline_us = deadline_after(now_us, timing->idle_timeout_ms);
    }
}

void timing_hold(struct timing *timing)
{
    timing->phase_deadline_us = TIMING_NEVER;
}

uint64_t timing_deadline_us(const struct timing *timing)
{
    return timing->phase_deadline_us < timing->total_deadline_us ? timing->phase_deadline_us
                                                                 : timing->total_deadline_us;
}

const char *timing_missed(const struct timing *timing, bool proxied)
{
    if (timing->total_deadline_us <= timing->phase_deadline_us) {
        return "the answer took too long as a whole, try again (total timeout)";
    }
    switch (timing->phase) {
    case CALL_CONNECTING:
        return proxied ? FAULT_NOT_CONNECTED_BY_PROXY " (connect timeout)"
                       : FAULT_NOT_CONNECTED " (connect timeout)";
    case CALL_SENDING:
        return "connected, but no answer in time, try again (first byte timeout)";
    default:
        return "the answer stopped in the middle, try again (idle timeout)";
    }
}
