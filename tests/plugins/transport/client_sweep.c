/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_sweep SEED POINTS CA_BUNDLE TOKEN URL...
 *
 * Asks the services at these URLs in turn and frees each operation at a random point, counted in
 * steps of the client. Prints {"points": N, "longest_us": N}: how long a call of aq_op_free took.
 */
#include <amazonq/amazonq.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUIET_MS 5 /* without an event: the service has stalled */
#define STEPS_MAX 200u

static struct aq_error error;

static void check(aq_status st)
{
    if (st != AQ_OK) {
        fprintf(stderr, "client_sweep: %s\n", error.text);
        exit(1);
    }
}

static struct aq_str str(const char *text)
{
    return (struct aq_str){ text, strlen(text) };
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static struct aq_client *open_client(const char *ca_bundle, const char *url)
{
    const struct aq_client_setting settings[] = {
        { AQ_STR_INIT("plugin.path"), AQ_STR_INIT(AQ_TEST_PLUGIN_DIR) },
        { AQ_STR_INIT("ca_bundle"), str(ca_bundle) },
        { AQ_STR_INIT("endpoint"), str(url) },
    };
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_client *client = NULL;
    options.settings = settings;
    options.setting_count = sizeof(settings) / sizeof(settings[0]);
    check(aq_client_new(&options, &client, &error));
    return client;
}

/* Read what is there; false when the operation is over. */
static bool read_events(struct aq_op *op)
{
    const struct aq_event *event;
    aq_status st = aq_op_next(op, &event, &error);
    while (st == AQ_OK) {
        st = aq_op_next(op, &event, &error);
    }
    return st == AQ_AGAIN;
}

/* Ask, make so many steps, or as many as there is something to do for, and free the operation.
 * Returns how many were made; *longest_us grows to what freeing took. */
static unsigned ask(struct aq_client *client, const char *token, unsigned steps,
                    uint64_t *longest_us)
{
    struct aq_stream_options options = AQ_STREAM_OPTIONS_INIT;
    struct aq_op *op = NULL;
    struct pollfd poller = { .fd = aq_client_fd(client), .events = POLLIN };
    unsigned made = 0;
    options.access_token = str(token);
    options.prompt = AQ_STR("hello");
    check(aq_stream_start(client, &options, &op, &error));
    while (made < steps && poll(&poller, 1, QUIET_MS) == 1) {
        check(aq_client_step(client, &error));
        made++;
        if (!read_events(op)) {
            break;
        }
    }
    uint64_t start = now_us();
    aq_op_free(op);
    uint64_t took_us = now_us() - start;
    *longest_us = took_us > *longest_us ? took_us : *longest_us;
    return made;
}

int main(int argc, char **argv)
{
    uint64_t longest_us = 0;
    if (argc < 6) {
        fprintf(stderr, "usage: client_sweep SEED POINTS CA_BUNDLE TOKEN URL...\n");
        return 2;
    }
    const unsigned points = (unsigned)strtoul(argv[2], NULL, 10);
    const unsigned urls = (unsigned)argc - 5;
    srandom((unsigned)strtoul(argv[1], NULL, 10));
    for (unsigned n = 0; n < points; n++) {
        struct aq_client *client = open_client(argv[3], argv[5 + n % urls]);
        unsigned all = ask(client, argv[4], STEPS_MAX, &longest_us);
        ask(client, argv[4], (unsigned)random() % (all + 1), &longest_us);
        aq_client_free(client);
    }
    printf("{\"points\": %u, \"longest_us\": %lu}\n", points, (unsigned long)longest_us);
    return 0;
}
