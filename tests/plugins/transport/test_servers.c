/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that many people run. Each case is asked of every one of them: HTTP/2 over TLS, and
 * without where a transport can. */
#include "servers.h"

#include <stdlib.h>

#include "cases.h"

#define AT_ONCE 50
#define IN_A_ROW 40

/* What the server answers gladly, and how. */
static const char *fine_path(const struct real_server *server)
{
    return server->has_files ? "/file" : "/client/register";
}

static const struct ask *fine_ask(const struct real_server *server)
{
    static const char body[] = "{\"clientName\":\"x\",\"clientType\":\"public\"}";
    static const char *const headers[] = { "Content-Type: application/json", NULL };
    static const struct ask get = { 0 };
    static const struct ask post = {
        .method = "POST", .headers = headers, .body = body, .body_len = sizeof(body) - 1
    };
    return server->has_files ? &get : &post;
}

static void open_client(struct client *client, const struct real_server *server)
{
    const struct plugin_setting settings[] = { { "ca_bundle", server->authority }, { 0 } };
    client_open(client, server->authority ? settings : NULL);
}

static void assert_fine(const struct exchange *e, const struct real_server *server)
{
    assert_string_equal(e->error.text, "");
    assert_int_equal(e->response.status, 200);
    assert_memory_equal(e->response.protocol.ptr, "HTTP/2", sizeof("HTTP/2"));
    if (!server->has_files) {
        assert_memory_equal(e->body, "{\"clientId\"", strlen("{\"clientId\""));
        return;
    }
    assert_int_equal(e->body_len, SERVERS_FILE_BYTES);
    for (size_t i = 0; i < SERVERS_FILE_BYTES; i += 997) {
        assert_int_equal(e->body[i], 'a' + i % 26);
    }
}

/* This call went well; or the server promised that it did not begin with it, and then it goes well
 * when it is asked again. */
static void end_well(struct exchange *e, struct client *client, const struct real_server *server)
{
    while (server == leaving_nginx && (e->error.flags & AQ_ERROR_NOT_SENT)) {
        exchange_finish(e);
        exchange_run(e, client, servers_url(server, fine_path(server)), fine_ask(server));
    }
    assert_fine(e, server);
    exchange_finish(e);
}

static void fifty_answers_arrive_at_once(void **state)
{
    static struct exchange calls[AT_ONCE];
    const struct real_server *server = *state;
    struct client client;
    const char *url = servers_url(server, fine_path(server));
    open_client(&client, server);
    for (size_t i = 0; i < AT_ONCE; i++) {
        exchange_start(&calls[i], &client, url, fine_ask(server));
    }
    for (size_t left = AT_ONCE; left;) {
        assert_true(client_wait(&client, 10000));
        for (size_t i = 0; i < AT_ONCE; i++) {
            if (calls[i].news) {
                exchange_pull(&calls[i]);
                left -= calls[i].over;
            }
        }
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
        end_well(&calls[i], &client, server);
    }
    client_close(&client);
}

static void answers_arrive_one_after_the_other(void **state)
{
    const struct real_server *server = *state;
    struct client client;
    struct exchange e;
    const char *url = servers_url(server, fine_path(server));
    open_client(&client, server);
    for (size_t i = 0; i < IN_A_ROW; i++) {
        exchange_run(&e, &client, url, fine_ask(server));
        assert_fine(&e, server);
        exchange_finish(&e);
    }
    client_close(&client);
}

static void an_error_page_is_an_answer(void **state)
{
    const struct real_server *server = *state;
    const struct ask ask = { .method = "POST", .body = "x", .body_len = 1 };
    struct client client;
    struct exchange e;
    const char *url = servers_url(server, "/nothing");
    open_client(&client, server);
    exchange_run(&e, &client, url, &ask);
    assert_int_equal(e.error.status, AQ_OK);
    assert_in_range(e.response.status, 404, 405);
    assert_true(e.body_len > 0);
    exchange_finish(&e);
    client_close(&client);
}

static void the_answer_to_head_has_no_body(void **state)
{
    const struct real_server *server = *state;
    const struct ask ask = { .method = "HEAD" };
    struct client client;
    struct exchange e;
    const char *url = servers_url(server, fine_path(server));
    open_client(&client, server);
    exchange_run(&e, &client, url, &ask);
    assert_body(&e, "");
    assert_true(strtol(exchange_header(&e, "content-length"), NULL, 10) > 0);
    exchange_finish(&e);
    client_close(&client);
}

static void a_long_header_is_taken(void **state)
{
    static char header[4000] = "X-Long: ";
    static const char *const headers[] = { header, NULL };
    const struct real_server *server = *state;
    const struct ask ask = { .headers = headers };
    struct client client;
    struct exchange e;
    const char *url = servers_url(server, "/file");
    memset(header + strlen("X-Long: "), 'x', sizeof(header) - 1 - strlen("X-Long: "));
    open_client(&client, server);
    exchange_run(&e, &client, url, &ask);
    assert_int_equal(e.error.status, AQ_OK);
    assert_int_equal(e.response.status, server->has_files ? 200 : 404);
    exchange_finish(&e);
    client_close(&client);
}

static void a_reader_who_pauses_stops_nobody_else_and_misses_nothing(void **state)
{
    const struct real_server *server = *state;
    struct client client;
    struct exchange slow;
    struct exchange quick;
    const char *url = servers_url(server, "/file");
    open_client(&client, server);
    exchange_start(&slow, &client, url, NULL);
    slow.stop_reading = true;
    exchange_until_head(&slow);
    for (int i = 0; i < 3; i++) {
        exchange_run(&quick, &client, url, NULL);
        assert_fine(&quick, server);
        exchange_finish(&quick);
    }
    slow.stop_reading = false;
    exchange_pull(&slow);
    exchange_until_over(&slow);
    assert_fine(&slow, server);
    exchange_finish(&slow);
    client_close(&client);
}

static void a_cancelled_answer_leaves_the_client_as_it_was(void **state)
{
    const struct real_server *server = *state;
    struct client client;
    struct exchange e;
    const char *url = servers_url(server, "/file");
    open_client(&client, server);
    for (size_t len = 1; len < SERVERS_FILE_BYTES; len *= 8) {
        exchange_start(&e, &client, url, NULL);
        exchange_until_bytes(&e, len);
        exchange_finish(&e);
        exchange_run(&e, &client, url, NULL);
        assert_fine(&e, server);
        exchange_finish(&e);
    }
    client_close(&client);
}

enum { OF_FILES = 1, OF_PAUSES = 2 }; /* servers that cannot do it are not asked */

static const struct {
    CMUnitTestFunction run;
    const char *name;
    unsigned needs;
} questions[] = {
#define QUESTION(run, needs) \
    { \
        run, #run, needs \
    }
    QUESTION(fifty_answers_arrive_at_once, 0),
    QUESTION(answers_arrive_one_after_the_other, 0),
    QUESTION(an_error_page_is_an_answer, 0),
    QUESTION(a_long_header_is_taken, 0),
    QUESTION(the_answer_to_head_has_no_body, OF_FILES),
    QUESTION(a_reader_who_pauses_stops_nobody_else_and_misses_nothing, OF_FILES | OF_PAUSES),
    QUESTION(a_cancelled_answer_leaves_the_client_as_it_was, OF_FILES),
};

static void add_questions(const struct real_server *server)
{
    const unsigned has = (server->has_files ? OF_FILES : 0u) | (server->pauses ? OF_PAUSES : 0u);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        if ((questions[i].needs & ~has) == 0) {
            cases_add(questions[i].run, server, "%s: %s", questions[i].name, server->name);
        }
    }
}

static int stop(void **state)
{
    servers_stop();
    return server_stop(state);
}

int main(void)
{
    static const char *const listeners[] = { "tls", NULL };
    for (size_t i = 0; i < real_server_count; i++) {
        /* libcurl speaks HTTP/1.1 without TLS, and nghttpd does not. */
        if (subject.http2_alone || strcmp(real_servers[i].scheme, "https") == 0) {
            add_questions(&real_servers[i]);
        }
    }
    server_start(listeners);
    servers_start();
    return cases_run(NULL, stop);
}
