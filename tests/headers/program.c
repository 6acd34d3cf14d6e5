/* SPDX-License-Identifier: Apache-2.0 */
/* Uses every macro a program uses; compiled as C99 and as C++20, never run. */
#include <amazonq/amazonq.h>

static const struct aq_str static_text = AQ_STR_INIT("static");

int program(struct aq_error *err);
int program(struct aq_error *err)
{
    struct aq_client_options client_options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_token_options token_options = AQ_TOKEN_OPTIONS_INIT;
    struct aq_stream_options stream_options = AQ_STREAM_OPTIONS_INIT;
    struct aq_client *client = NULL;
    struct aq_op *op = NULL;

    client_options.user_agent = AQ_STR("program/1.0");
    stream_options.prompt = static_text;
    if (aq_client_new(&client_options, &client, err) == AQ_OK &&
        aq_token_start(client, &token_options, &op, err) == AQ_OK &&
        aq_chat_start(client, &stream_options, &op, err) == AQ_OK) {
        return AQ_VERSION_MAJOR * 100 + AQ_VERSION_MINOR;
    }
    return AQ_EXCHANGE_ENDPOINT_NAMED ? 1 : 0;
}
