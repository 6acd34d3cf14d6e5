/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of transports share: a peer (server.py in a process of its own), an instance of
 * the plugin, and requests that are driven to their end. Anything unexpected fails the test;
 * nothing waits longer than NEVER_MS.
 *
 * Each test is built once for each transport, AQ_TEST_TRANSPORT is its name. A case holds for all
 * of them unless it says for which.
 */
#ifndef AQ_TESTS_TRANSPORT_FIXTURE_H
#define AQ_TESTS_TRANSPORT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host.h"

/* The transport that is being tested. */

#define TRANSPORT "transport-" AQ_TEST_TRANSPORT     /* its file */
#define TRANSPORT_KEY "transport." AQ_TEST_TRANSPORT /* of its settings */

extern const struct subject {
    bool http2_alone;     /* it speaks nothing else, and many calls share a connection */
    const char *protocol; /* what it speaks to "plain" and "tls" */
} subject;

#define HELD_BYTES (1024u * 1024u) /* of a response that is not read, whatever the transport */

/* The peer. */

/* Start server.py with these listeners, a list that ends with NULL; exits if that fails. */
void server_start(const char *const *listeners);
int server_stop(void **state); /* a group teardown of cmocka */

/* The path of a file in the test's own directory. The string is static. */
const char *server_file(const char *name);

/* "https://localhost:PORT/PATH"; "http" and 127.0.0.1 for plain, second, http1 and rude. A ring of
 * static strings. */
const char *server_url(const char *listener, const char *path);
int server_port(const char *listener);

/* A command to server.py; its answer as a number, or as text in a static string. */
long server_number(const char *command, const char *argument);
const char *server_text(const char *command, const char *argument);

/* The plugin. */

struct client {
    struct plugin_host host;
    const struct aq_transport_ops *ops;
    void *self;
};

/* Open an instance. Trusts server.py's authority unless settings say otherwise. */
void client_open(struct client *client, const struct plugin_setting *settings);
void client_close(struct client *client);

/* Wait as the host would, for at most timeout_ms, then step. False: nothing happened in time. */
bool client_wait(struct client *client, int timeout_ms);

/* Until the peers have sent what they have, and all is done that comes of it: until nothing has
 * happened for half a second, and whoever could make something happen had nothing to do. */
void client_settle(struct client *client);

/* A request and everything that came of it. */

struct exchange {
    struct client *client;
    void *call;
    bool news;          /* ready was called, and not read down since */
    unsigned announced; /* times that ready was called */
    bool head;
    struct aq_response response;
    uint8_t *body;
    size_t body_len;
    bool stop_reading; /* leave the body where it is */
    bool over;
    struct aq_error error; /* status AQ_OK: ended well */
};

/* Options of a request; zero: GET, no deadlines but those of the test. */
struct ask {
    const char *method;
    const char *const *headers; /* "name: value" ..., NULL */
    const void *body;
    size_t body_len;
    uint32_t connect_ms, first_byte_ms, idle_ms, total_ms;
    uint32_t max_header_bytes;
    uint32_t flags; /* AQ_REQUEST_... */
};

aq_status exchange_try_start(struct exchange *exchange, struct client *client, const char *url,
                             const struct ask *ask);
void exchange_start(struct exchange *exchange, struct client *client, const char *url,
                    const struct ask *ask);

/* Drive the client until the exchange is over, has its head, or has so many bytes. */
void exchange_until_over(struct exchange *exchange);
void exchange_until_head(struct exchange *exchange);
void exchange_until_bytes(struct exchange *exchange, size_t len);

/* What the host's ready does; the cookie is the exchange. */
void exchange_ready(void *cookie);

/* Read what is there; as a host does after ready. */
void exchange_pull(struct exchange *exchange);

void exchange_finish(struct exchange *exchange);

/* The whole thing. */
void exchange_run(struct exchange *exchange, struct client *client, const char *url,
                  const struct ask *ask);

/* The value of a response header, which must be there. A static string. */
const char *exchange_header(const struct exchange *exchange, const char *name);

/* What the peer saw of the last request for that path: "METHOD PATH PROTOCOL|name: value|...".
 * HTTP/2 has its names in lower case, so case does not count. */
void assert_request(const char *path, const char *head);

void assert_body(const struct exchange *exchange, const char *text);
void assert_failed(const struct exchange *exchange, aq_status status, const char *part_of_text);
/* What libcurl says of broken HTTP/2 depends on where it notices: the peer's fault, or the
 * network's. After a head the answer is cut off. */
void assert_failed_somehow(const struct exchange *exchange);

uint64_t now_ms(void);

#define NEVER_MS 30000 /* what has not come by then does not come, however busy the machine */

/* Memory of this process. The peak begins anew where that is permitted; elsewhere it tells less. */
long memory_now_kib(void);
long memory_peak_kib(void);
void memory_forget_peak(void);

#endif
