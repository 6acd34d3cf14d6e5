/* SPDX-License-Identifier: Apache-2.0 */
/* A store that breaks its contract in the way its setting "deed" says; "none" is a sound store of
 * every key, with the value "v". test_contract.c has the list. */
#include <amazonq/plugin.h>
#include <stdlib.h>
#include <string.h>

struct evil {
    const struct aq_host *host;
    const char *deed;
    void *old_sink;
};

static const uint8_t value[AQ_STORE_VALUE_MAX + 1] = "v";

static int does(const struct evil *self, const char *deed)
{
    return strcmp(self->deed, deed) == 0;
}

static aq_status fail(struct aq_error *err, aq_status status, const char *text)
{
    strcpy(err->text, text);
    return err->status = status;
}

static aq_status evil_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct evil made = { .host = args->host, .deed = args->values[0].text.ptr };
    if (does(&made, "open-again")) {
        return AQ_AGAIN;
    }
    if (does(&made, "open-nothing")) {
        return AQ_OK;
    }
    if (does(&made, "open-fails-with-an-instance")) {
        *ret_self = err; /* close would take it for one */
        return fail(err, AQ_E_IO, "evil: no");
    }
    if (does(&made, "open-ready")) {
        made.host->ready(made.host->ctx, &made);
    }
    struct evil *self = malloc(sizeof(*self));
    *self = made;
    *ret_self = self;
    return AQ_OK;
}

static void evil_close(void *self)
{
    free(self);
}

static aq_status evil_put(const struct evil *self, void *sink, struct aq_str key, size_t len)
{
    return self->host->put(self->host->ctx, sink, key, (struct aq_bytes){ value, len });
}

/* What it hands over; AQ_OK also where it should not be. */
static void evil_hand_over(struct evil *self, struct aq_str key, void *sink)
{
    const struct aq_host *host = self->host;
    if (does(self, "get-nothing")) {
        return;
    }
    if (does(self, "get-null")) {
        host->put(host->ctx, sink, key, (struct aq_bytes){ NULL, 5 });
    } else if (does(self, "get-null-key")) {
        evil_put(self, sink, (struct aq_str){ NULL, key.len }, 1);
    } else if (does(self, "get-other-key")) {
        evil_put(self, sink, AQ_STR("other"), 1);
    } else if (does(self, "get-long")) {
        evil_put(self, sink, key, sizeof(value));
    } else if (does(self, "get-negative")) {
        evil_put(self, sink, key, (size_t)-1);
    } else if (does(self, "get-no-sink")) {
        evil_put(self, NULL, key, 1);
    } else if (does(self, "get-old-sink") && self->old_sink) {
        evil_put(self, self->old_sink, key, 1);
    } else {
        evil_put(self, sink, key, 1);
    }
    if (does(self, "get-twice")) {
        evil_put(self, sink, key, 1);
    }
    if (does(self, "get-ready")) {
        host->ready(host->ctx, sink);
    }
    if (does(self, "get-log")) {
        host->log(host->ctx, AQ_LOG_ERROR, (struct aq_str){ NULL, 1000 });
    }
    self->old_sink = (char *)sink + 1; /* of a get that is over: nothing is there */
}

static aq_status evil_get(void *ptr, struct aq_str key, void *sink, struct aq_error *err)
{
    static const struct {
        const char *deed;
        aq_status status;
    } statuses[] = {
        { "get-again", AQ_AGAIN },   { "get-end", AQ_END },
        { "get-positive", 7 },       { "get-unknown", -999 },
        { "get-lowest", INT32_MIN }, { "get-login", AQ_E_LOGIN_NEEDED },
        { "get-silent", AQ_E_IO },   { "get-found-and-not-found", AQ_E_NOTFOUND },
    };
    struct evil *self = ptr;
    if (does(self, "get-endless")) {
        memset(err->text, 'x', sizeof(err->text));
        return err->status = AQ_E_IO;
    }
    if (does(self, "get-escapes")) {
        return fail(err, AQ_E_IO, "evil: \033[2J\nq: all is well");
    }
    if (does(self, "get-another-status")) {
        fail(err, AQ_E_BUSY, "evil: busy");
        return AQ_E_IO;
    }
    evil_hand_over(self, key, sink);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (does(self, statuses[i].deed)) {
            return statuses[i].status;
        }
    }
    return AQ_OK;
}

/* Its deeds beside those of get. */
static aq_status evil_grant(void *ptr, struct aq_str key, const struct aq_token_wish *wish,
                            void *sink, struct aq_error *err)
{
    struct evil *self = ptr;
    (void)wish;
    if (does(self, "grant-login")) {
        return fail(err, AQ_E_LOGIN_NEEDED, "evil: sign in again");
    }
    evil_hand_over(self, key, sink);
    return does(self, "grant-again")     ? AQ_AGAIN
           : does(self, "grant-end")     ? AQ_END
           : does(self, "grant-service") ? AQ_E_AUTH
           : does(self, "grant-silent")  ? AQ_E_REFRESH
                                         : AQ_OK;
}

static aq_status evil_list(void *self, void *sink, struct aq_error *err)
{
    (void)self;
    (void)sink;
    (void)err;
    return AQ_OK;
}

static aq_status evil_commit(void *ptr, const struct aq_change *changes, uint32_t count,
                             uint32_t stride, struct aq_error *err)
{
    const struct evil *self = ptr;
    (void)count;
    (void)stride;
    (void)err;
    if (does(self, "commit-put")) {
        evil_put(self, self->old_sink, changes->key, 1);
    }
    return does(self, "commit-again") ? AQ_AGAIN : does(self, "commit-unknown") ? -22 : AQ_OK;
}

static aq_status evil_lock(void *self, struct aq_error *err)
{
    (void)err;
    return does(self, "lock-end") ? AQ_END : does(self, "lock-again") ? AQ_AGAIN : AQ_OK;
}

static void evil_unlock(void *self)
{
    (void)self;
}

static aq_status evil_can_save(void *self, struct aq_error *err)
{
    (void)err;
    return does(self, "can-save-again") ? AQ_AGAIN : AQ_OK;
}

static const struct aq_setting settings[] = {
    { .key = "deed", .type = AQ_SETTING_STRING, .default_value = "none" },
};

static const struct aq_store_ops ops = {
    AQ_STORE_OPS,        .open = evil_open,     .close = evil_close,
    .get = evil_get,     .list = evil_list,     .commit = evil_commit,
    .lock = evil_lock,   .unlock = evil_unlock, .can_save = evil_can_save,
    .grant = evil_grant,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO,          AQ_PLUGIN_SETTINGS(settings),
    .kind = AQ_PLUGIN_STORE, .name = "evil",
    .version = "1",          .store = &ops,
};

AQ_PLUGIN(plugin)
