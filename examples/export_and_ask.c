/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a valid access token, then streams an answer:  export_and_ask "a question" */
#include <amazonq/amazonq.h>
#include <stdio.h>
#include <string.h>

/* Reads an operation to its end, printing the token and the answer; other events are ignored. */
static aq_status print_all(struct aq_op *op, struct aq_error *err)
{
    const struct aq_event *event;
    aq_status status;
    while ((status = aq_op_wait(op, &event, err)) == AQ_OK) {
        if (event->type == AQ_EVENT_TOKEN) {
            printf("%.*s\n", AQ_STR_ARG(event->token->access_token));
        } else if (event->kind == AQ_MESSAGE_ASSISTANT_RESPONSE) {
            fwrite(event->text.ptr, 1, event->text.len, stdout);
        }
    }
    aq_op_free(op);
    return status;
}

int main(int argc, char **argv)
{
    struct aq_stream_options question = AQ_STREAM_OPTIONS_INIT;
    struct aq_client *client = NULL;
    struct aq_error err;
    struct aq_op *op;

    question.prompt.ptr = argc > 1 ? argv[1] : "What is Amazon Q?";
    question.prompt.len = strlen(question.prompt.ptr);
    int ok = aq_client_new(NULL, &client, &err) == AQ_OK &&
             aq_token_start(client, NULL, &op, &err) == AQ_OK && print_all(op, &err) == AQ_END &&
             aq_chat_start(client, &question, &op, &err) == AQ_OK && print_all(op, &err) == AQ_END;
    fprintf(ok ? stdout : stderr, "%s\n", ok ? "" : err.text);
    aq_client_free(client);
    return ok ? 0 : 1;
}
