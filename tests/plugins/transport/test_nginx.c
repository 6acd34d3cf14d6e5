/* SPDX-License-Identifier: Apache-2.0 */
/* A server that many people run: HTTP/1.1 and HTTP/2 over TLS, files of every size. */
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 50
#define FILE_BYTES (1024 * 1024 + 7)

static struct {
    pid_t pid;
    int port;
} nginx;

static void write_config(void)
{
    char dir[128];
    snprintf(dir, sizeof(dir), "%s", server_file("nginx"));
    FILE *conf = fopen(server_file("nginx.conf"), "w");
    assert_non_null(conf);
    if (geteuid() == 0) {
        fputs("user root;\n", conf);
    }
    fprintf(conf,
            "daemon off; worker_processes 1; pid %s.pid; error_log stderr emerg;\n"
            "events { worker_connections 512; }\n"
            "http {\n"
            "  access_log off; keepalive_timeout 60;\n"
            "  client_body_temp_path %s.1; proxy_temp_path %s.2; fastcgi_temp_path %s.3;\n"
            "  uwsgi_temp_path %s.4; scgi_temp_path %s.5;\n"
            "  server { listen 127.0.0.1:%d ssl http2; root %s;\n"
            "    ssl_certificate good.pem; ssl_certificate_key good.pem; }\n"
            "}\n",
            dir, dir, dir, dir, dir, dir, nginx.port, server_file(""));
    fclose(conf);
}

static void write_file(void)
{
    FILE *file = fopen(server_file("file"), "w");
    assert_non_null(file);
    for (int i = 0; i < FILE_BYTES; i++) {
        fputc('a' + i % 26, file);
    }
    fclose(file);
}

/* nginx is handed a listening socket, so that no port has to be guessed. */
static void start_nginx(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    char inherited[16];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(listener, (struct sockaddr *)&address, len), errno);
    assert_return_code(listen(listener, 128), errno);
    getsockname(listener, (struct sockaddr *)&address, &len);
    nginx.port = ntohs(address.sin_port);
    write_config();
    write_file();
    snprintf(inherited, sizeof(inherited), "%d;", listener);
    nginx.pid = fork();
    if (nginx.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* whatever becomes of the test */
        setenv("NGINX", inherited, 1);
        execl("/usr/sbin/nginx", "nginx", "-p", server_file(""), "-c", "nginx.conf", (char *)NULL);
        _exit(127);
    }
    close(listener);
}

static void assert_file(const struct exchange *e)
{
    assert_string_equal(e->error.text, "");
    assert_int_equal(e->response.status, 200);
    assert_memory_equal(e->response.protocol.ptr, "HTTP/2", sizeof("HTTP/2"));
    assert_int_equal(e->body_len, FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i += 997) {
        assert_int_equal(e->body[i], 'a' + i % 26);
    }
}

static void fifty_files_arrive_at_once_over_http2(void **state)
{
    static struct exchange calls[CALLS];
    struct client client;
    char url[64];
    (void)state;
    snprintf(url, sizeof(url), "https://localhost:%d/file", nginx.port);
    client_open(&client, NULL);
    for (size_t i = 0; i < CALLS; i++) {
        exchange_start(&calls[i], &client, url, NULL);
    }
    for (size_t i = 0; i < CALLS; i++) {
        exchange_until_over(&calls[i]);
        assert_file(&calls[i]);
        exchange_finish(&calls[i]);
    }
    client_close(&client);
}

static void an_error_page_is_an_answer(void **state)
{
    const struct ask ask = { .method = "POST", .body = "x", .body_len = 1 };
    struct client client;
    struct exchange e;
    char url[64];
    (void)state;
    snprintf(url, sizeof(url), "https://localhost:%d/file", nginx.port);
    client_open(&client, NULL);
    exchange_run(&e, &client, url, &ask);
    assert_int_equal(e.error.status, AQ_OK);
    assert_int_equal(e.response.status, 405);
    exchange_finish(&e);
    client_close(&client);
}

static int stop(void **state)
{
    kill(nginx.pid, SIGTERM);
    waitpid(nginx.pid, NULL, 0);
    return server_stop(state);
}

int main(void)
{
    static const char *const listeners[] = { "tls", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_files_arrive_at_once_over_http2),
        cmocka_unit_test(an_error_page_is_an_answer),
    };
    server_start(listeners);
    start_nginx();
    return cmocka_run_group_tests(tests, NULL, stop);
}
