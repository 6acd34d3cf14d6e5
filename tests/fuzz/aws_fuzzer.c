/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as ~/.aws/config and as what hands out access keys: what is found is inside of it, and
 * what is taken is a whole key. */
#include "base/str.h"
#include "fuzz/fuzzer.h"
#include "wire/aws_config.h"
#include "wire/aws_reply.h"

static void config(struct aq_str text, bool is_config)
{
    struct aq_str value = aws_config_value(text, is_config, AQ_STR("default"), AQ_STR("region"));
    PROMISE(value.len == 0 ||
            (value.ptr >= text.ptr && value.ptr + value.len <= text.ptr + text.len));
    PROMISE(value.len == 0 || aws_config_has(text, is_config, AQ_STR("default")));
}

static void reply(aq_status st, struct aws_key *key)
{
    struct aq_access_key view;
    aws_key_view(key, AQ_STR("here"), &view);
    PROMISE(st != AQ_OK || (view.access_key_id.len && view.secret_access_key.len));
    aws_key_done(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct aq_str text = { (const char *)data, size };
    struct aws_key key = { 0 };
    struct aq_error err;
    struct buf problem = BUF(0);
    config(text, true);
    config(text, false);
    reply(aws_reply_json("program", text, true, &key, &err), &key);
    reply(aws_reply_json("container", text, false, &key, &err), &key);
    reply(aws_reply_sts(text, &key, &err), &key);
    aws_reply_problem(text, &problem);
    PROMISE(problem.len <= 64);
    buf_done(&problem);
    return 0;
}
