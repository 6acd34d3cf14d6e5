/* SPDX-License-Identifier: Apache-2.0 */
/* The check operation: one part after the other, each telling what it finds. */
#include "client/check.h"

#include "base/error.h"
#include "base/options.h"
#include "base/str.h"

#include <amazonq/version.h>

enum check_part {
    PART_WRONG, /* settings that nothing else can be looked at with */
    PART_VERSION,
    PART_PLUGINS,
    PART_SETTINGS,
    PART_ACCESS_KEY,
    PART_LOGIN,
    PART_NETWORK,
    PART_END
};

struct check_op {
    struct aq_op op;
    enum check_part part;
    struct findings findings;
    struct finding *shown; /* what the event points to */
    struct check_access_key access_key;
    struct check_login login;
    struct check_network network;
};

/* AQ_OK: the next part; AQ_AGAIN. */
static aq_status check_run(struct check_op *c)
{
    struct aq_client *client = c->op.client;
    switch (c->part) {
    case PART_WRONG:
        if (client->wrong_settings.status != AQ_OK) {
            check_wrong_settings(client, &c->findings);
            c->part = PART_END;
            return AQ_OK;
        }
        break;
    case PART_VERSION:
        findings_add(&c->findings, AQ_FINDING_OK, "version", NULL, "libamazonq " AQ_VERSION);
        break;
    case PART_PLUGINS: /* before the settings: they say which of those are known */
        check_plugins(client, &c->findings);
        break;
    case PART_SETTINGS:
        check_settings(client, &c->findings);
        break;
    case PART_ACCESS_KEY:
        if (check_access_key(client, &c->access_key, &c->op, &c->findings) == AQ_AGAIN) {
            return AQ_AGAIN;
        }
        break;
    case PART_LOGIN:
        op_wake_at(&c->op, CLOCK_NEVER);
        if (check_login(client, &c->login, &c->findings) == AQ_AGAIN) {
            op_wake_at(&c->op, clock_now_us());
            return AQ_AGAIN;
        }
        break;
    default: {
        c->network.client = client;
        c->network.login = &c->login;
        c->network.findings = &c->findings;
        aq_status st =
            transport_is_open(&client->transport) ? check_network_run(&c->network, &c->op) : AQ_END;
        if (st != AQ_END) {
            return st;
        }
        break;
    }
    }
    c->part++;
    return AQ_OK;
}

static aq_status check_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err)
{
    struct check_op *c = (struct check_op *)op;
    aq_status st = AQ_OK;
    finding_free(c->shown);
    c->shown = NULL;
    while (st == AQ_OK && !c->findings.first && c->part != PART_END) {
        st = check_run(c);
    }
    if (c->findings.no_memory) {
        error_nomem(err, "check");
        return op_end(op, AQ_E_NOMEM, err);
    }
    c->shown = findings_take(&c->findings);
    if (!c->shown) {
        return st == AQ_AGAIN ? AQ_AGAIN : op_end(op, AQ_END, NULL);
    }
    struct aq_event *event = op_event(op, AQ_EVENT_FINDING);
    event->kind = c->shown->kind;
    event->name = str_from(c->shown->subject);
    event->text = buf_str(&c->shown->text);
    event->payload = buf_bytes(&c->shown->fix);
    *ret = event;
    return AQ_OK;
}

static void check_done(struct aq_op *op, bool forked)
{
    struct check_op *c = (struct check_op *)op;
    check_network_done(&c->network, forked);
    check_access_key_done(&c->access_key, forked);
    check_login_done(&c->login);
    findings_done(&c->findings);
    finding_free(c->shown);
}

static const struct op_class check_class = {
    .may_block = true,
    .next = check_next,
    .done = check_done,
    .size = sizeof(struct check_op),
};

aq_status aq_check_start(struct aq_client *client, const struct aq_check_options *options,
                         struct aq_op **ret, struct aq_error *err)
{
    struct aq_check_options known = AQ_CHECK_OPTIONS_INIT;
    aq_status st = client_check(client, err);
    if (st != AQ_OK) {
        return st;
    }
    if (options && !options_copy(&known, sizeof(known), options)) {
        return error_set(err, AQ_E_INVALID, "check options: struct_size is not set");
    }
    struct aq_op *op = op_new(client, &check_class, NULL);
    if (!op) {
        return error_nomem(err, "check operation");
    }
    op_ready(op);
    *ret = op;
    return AQ_OK;
}
