/* SPDX-License-Identifier: Apache-2.0 */
#include "client/feed.h"

#include "base/alloc.h"
#include "base/error.h"

/* ---- chunks: an answer has one only while there are bytes of it, so that waiting costs nothing */

static bool feed_take_chunk(struct feed *feed)
{
    struct aq_client *client = feed->client;
    feed->chunk = client->spare.ptr ? client->spare.ptr : alloc_array(FEED_SIZE, 1);
    feed->used = client->spare.used;
    client->spare = (struct spare){ NULL, 0 };
    return feed->chunk != NULL;
}

static void feed_give_chunk(struct feed *feed)
{
    if (feed->chunk) {
        struct spare *spare = &feed->client->spare;
        alloc_free(spare->ptr, spare->used);
        *spare = (struct spare){ feed->chunk, feed->used };
        feed->chunk = NULL;
    }
}

/* When an answer ends. With each of its pauses every second byte of a fast one would be wiped. */
static void feed_wipe_spare(struct aq_client *client)
{
    alloc_wipe(client->spare.ptr, client->spare.used);
    client->spare.used = 0;
}

/* ---- the request ---- */

aq_status feed_request(struct aq_exchange *x, struct aq_request *ret, struct aq_error *err)
{
    struct aq_exchange_request out = { .struct_size = sizeof(out) };
    aq_status st = aq_exchange_request(x, &out, err);
    if (st == AQ_OK) {
        *ret = (struct aq_request){
            .method = out.method,
            .url = out.url,
            .headers = (const struct aq_header *)(const void *)out.headers, /* same members */
            .header_count = out.header_count,
            .header_stride = out.header_stride,
            .body = out.body,
        };
    }
    return st;
}

/* ---- reading ---- */

aq_status feed_read(struct feed *feed, struct aq_bytes *ret, struct aq_error *err)
{
    size_t len = 0;
    if (!feed->chunk && !feed_take_chunk(feed)) {
        return error_nomem(err, "request");
    }
    aq_status st = transport_read(&feed->call, feed->chunk, FEED_SIZE, &len, err);
    feed->used = len > feed->used ? len : feed->used;
    if (st != AQ_OK) {
        feed_give_chunk(feed);
        return st;
    }
    *ret = (struct aq_bytes){ feed->chunk, len };
    return AQ_OK;
}

aq_status feed_pull(struct feed *feed, struct aq_exchange *x, struct aq_error *err)
{
    struct aq_bytes bytes = { NULL, 0 };
    switch (feed_read(feed, &bytes, err)) {
    case AQ_OK:
        return aq_exchange_feed(x, bytes.ptr, bytes.len, err);
    case AQ_AGAIN:
        return AQ_AGAIN;
    case AQ_END:
        transport_finish(&feed->call);
        return aq_exchange_finish(x, err);
    default:
        return feed_break(feed, x, err);
    }
}

aq_status feed_break(struct feed *feed, struct aq_exchange *x, struct aq_error *err)
{
    const struct aq_error why = *err;
    transport_finish(&feed->call);
    return aq_exchange_fail(x, &why, err);
}

void feed_done(struct feed *feed, bool forked)
{
    feed_give_chunk(feed);
    feed_wipe_spare(feed->client);
    if (forked) {
        transport_forget(&feed->call);
    }
    transport_finish(&feed->call);
}
