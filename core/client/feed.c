/* SPDX-License-Identifier: Apache-2.0 */
#include "client/feed.h"

#include "base/alloc.h"
#include "base/error.h"

aq_status feed_init(struct feed *feed, struct aq_error *err)
{
    feed->chunk = alloc_array(FEED_SIZE, 1);
    return feed->chunk ? AQ_OK : error_nomem(err, "request");
}

aq_status feed_read(struct feed *feed, size_t *ret_len, struct aq_error *err)
{
    return call_read(&feed->call, feed->chunk, FEED_SIZE, ret_len, err);
}

aq_status feed_pull(struct feed *feed, struct aq_exchange *x, struct aq_error *err)
{
    size_t len = 0;
    switch (feed_read(feed, &len, err)) {
    case AQ_OK:
        return aq_exchange_feed(x, feed->chunk, len, err);
    case AQ_AGAIN:
        return AQ_AGAIN;
    case AQ_END:
        call_finish(&feed->call, false);
        return aq_exchange_finish(x, err);
    default:
        return feed_break(feed, x, err);
    }
}

aq_status feed_break(struct feed *feed, struct aq_exchange *x, struct aq_error *err)
{
    const struct aq_error why = *err;
    call_finish(&feed->call, false);
    return aq_exchange_fail(x, &why, err);
}

void feed_done(struct feed *feed, bool forked)
{
    call_finish(&feed->call, forked);
    alloc_free(feed->chunk, feed->chunk ? FEED_SIZE : 0);
}
