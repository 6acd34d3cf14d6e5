/* SPDX-License-Identifier: Apache-2.0 */
/* A token server that needs a moment for each wish. */
#include "wrong.h"

#include <string.h>

enum { VALID_S = 3600 };

static const char token[] =
    "{\"access_token\": \"aoaGranted\", \"expires_at\": \"2099-01-01T00:00:00Z\"}";

static int is_same(const struct aq_token_wish *a, const struct aq_token_wish *b)
{
    return a->struct_size && a->flags == b->flags && a->min_valid_s == b->min_valid_s;
}

aq_status wrong_grant(void *self, struct aq_str key, const struct aq_token_wish *wish, void *sink,
                      struct aq_error *err)
{
    struct store *s = self;
    const char *text = does(s, "grant-plain") ? "aoaGranted" : token;
    if (does(s, "grant-blocks")) {
        wait_ms(10000);
    }
    if ((wish->flags & AQ_WISH_NO_REFRESH) && wish->min_valid_s > VALID_S &&
        !does(s, "grant-any")) {
        return fail(err, does(s, "grant-says-refresh") ? AQ_E_REFRESH : AQ_E_EXPIRED,
                    "the token does not last so long");
    }
    if (wish->flags & AQ_WISH_NO_REFRESH) {
        s->wish.struct_size = does(s, "grant-forgets") ? 1 : s->wish.struct_size;
    } else if (does(s, "grant-forgets") && s->wish.struct_size == 1) {
        return fail(err, AQ_E_REFRESH, "another wish came in between");
    } else if (!is_same(&s->wish, wish)) {
        s->wish = *wish;
        return AQ_AGAIN;
    }
    return s->host->put(s->host->ctx, sink, key,
                        (struct aq_bytes){ (const uint8_t *)text, strlen(text) });
}
