/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange driven by hand, with frames made by hand. */
#ifndef AQ_TESTS_WIRE_EXCHANGE_SUPPORT_H
#define AQ_TESTS_WIRE_EXCHANGE_SUPPORT_H

#include "base/alloc.h"
#include "base/buf.h"
#include "cmocka_all.h"

#include <amazonq/exchange.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CANARY "canary-token-0123456789abcdef" /* the token of every question */
#define RENEWED "canary-renewed-0123456789abcdef"
#define ARN "arn:aws:codewhisperer:eu-central-1:1:profile/P"
#define SECOND UINT64_C(1000000)
#define EVENT_STREAM "content-type: application/vnd.amazon.eventstream\n"

/* --- the caller --- */

/* What is asked, "hello" with CANARY, and how; both to be changed before make. */
struct aq_stream_options question(void);
struct aq_exchange_options options_of(const struct aq_stream_options *request);
struct aq_exchange *make(const struct aq_exchange_options *options);

/* An exchange that asks that, and one for a call (AQ_CALL_...) without a prompt. */
struct aq_exchange *ask(void);
struct aq_exchange *ask_for(int32_t call);

/* The request that is to be sent now; a header of it, which must not be there twice. */
struct aq_exchange_request request_of(struct aq_exchange *x);
struct aq_str header_of(const struct aq_exchange_request *request, const char *name);

/* The next result must be an event of this type, or this status. */
const struct aq_event *expect(struct aq_exchange *x, uint64_t now_us, int32_t type);
void expect_status(struct aq_exchange *x, uint64_t now_us, aq_status want);

/* The error that ends x; the same however often one asks, and never with a token in it. */
struct aq_error expect_error(struct aq_exchange *x, aq_status want);

/* Append what there is to be told: one line per event, and one for the end. */
void collect(struct aq_exchange *x, struct buf *log);

void assert_text(struct aq_str got, const char *want);

/* --- the service --- */

/* The head of an answer. Headers are lines of "name: value". */
void respond(struct aq_exchange *x, int32_t status, const char *lines);

void feed(struct aq_exchange *x, struct aq_str data);

/* One whole answer that is no stream. */
void answer(struct aq_exchange *x, int32_t status, const char *lines, const char *body);

/* The request is sent, and refused because there are too many. */
void throttle(struct aq_exchange *x);

/* Append a frame with :message-type and one more header, or one that is an event. */
void add_frame(struct buf *out, const char *message_type, const char *name, const char *value,
               const char *payload);
void add_event(struct buf *out, const char *type, const char *payload);

/* Append a stream of events; what collect makes of it, with request id r-1. */
void add_answer(struct buf *body);
extern const char answer_log[];

#endif
