/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that many people run: HTTP/2 over TLS, and without where a transport can; files of every
 * size. */
#include "fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 50
#define FILE_BYTES (1024 * 1024 + 7)

static struct server {
    const char *scheme;
    const char *host;
    pid_t pid;
    int port; /* 0: it is not installed */
} nginx = { "https", "localhost", 0, 0 }, nghttpd = { "https", "localhost", 0, 0 },
  nghttpd_plain = { "http", "127.0.0.1", 0, 0 };

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

/* The port that a process listens on: it has chosen one itself. 0: none yet. */
static int find_port(pid_t pid)
{
    char path[64];
    char line[256];
    unsigned long inode;
    unsigned port = 0;
    unsigned found;
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    FILE *table = fopen("/proc/net/tcp", "r");
    assert_non_null(table);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry && !port; entry = readdir(dir)) {
        char link[64] = "";
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
        if (len <= 0 || sscanf(link, "socket:[%lu]", &inode) != 1) {
            continue;
        }
        snprintf(link, sizeof(link), " %lu ", inode);
        rewind(table);
        while (fgets(line, sizeof(line), table)) {
            if (strstr(line, link) && sscanf(line, "%*d: %*8x:%4x %*8x:0000 0A", &found) == 1) {
                port = found;
            }
        }
    }
    fclose(table);
    if (dir) {
        closedir(dir);
    }
    return (int)port;
}

static void start_nghttpd(struct server *server)
{
    static const char path[] = "/usr/sbin/nghttpd";
    const bool tls = strcmp(server->scheme, "https") == 0;
    char directory[128];
    char key[128];
    snprintf(directory, sizeof(directory), "%s", server_file(""));
    snprintf(key, sizeof(key), "%s", server_file("good.pem"));
    if (access(path, X_OK) < 0) {
        return;
    }
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (tls) {
            execl(path, "nghttpd", "-d", directory, "-a", "127.0.0.1", "0", key, key, (char *)NULL);
        } else {
            execl(path, "nghttpd", "--no-tls", "-d", directory, "-a", "127.0.0.1", "0",
                  (char *)NULL);
        }
        _exit(127);
    }
    for (uint64_t start = now_ms(); server->port == 0; server->port = find_port(server->pid)) {
        assert_in_range(now_ms() - start, 0, 10000);
        usleep(1000);
    }
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

static const char *url_of(const struct server *server, const char *path)
{
    static char url[128];
    if (server->port == 0) {
        skip();
    }
    snprintf(url, sizeof(url), "%s://%s:%d%s", server->scheme, server->host, server->port, path);
    return url;
}

static void fetch_files(const struct server *server)
{
    static struct exchange calls[CALLS];
    struct client client;
    const char *url = url_of(server, "/file");
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

static void fifty_files_arrive_at_once_from_nginx(void **state)
{
    (void)state;
    fetch_files(&nginx);
}

static void fifty_files_arrive_at_once_from_nghttpd(void **state)
{
    (void)state;
    fetch_files(&nghttpd);
}

static void fifty_files_arrive_at_once_without_tls(void **state)
{
    (void)state;
    if (!subject.http2_alone) {
        skip(); /* would be spoken to in HTTP/1.1, which nghttpd does not know */
    }
    fetch_files(&nghttpd_plain);
}

static void an_error_page_is_an_answer(void **state)
{
    const struct ask ask = { .method = "POST", .body = "x", .body_len = 1 };
    const struct server *const servers[] = { &nginx, &nghttpd };
    const char *const paths[] = { "/file", "/nothing" };
    const int statuses[] = { 405, 404 };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct client client;
        struct exchange e;
        client_open(&client, NULL);
        exchange_run(&e, &client, url_of(servers[i], paths[i]), &ask);
        assert_int_equal(e.error.status, AQ_OK);
        assert_int_equal(e.response.status, statuses[i]);
        exchange_finish(&e);
        client_close(&client);
    }
}

static void end_server(const struct server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGTERM);
        waitpid(server->pid, NULL, 0);
    }
}

static int stop(void **state)
{
    end_server(&nginx);
    end_server(&nghttpd);
    end_server(&nghttpd_plain);
    return server_stop(state);
}

int main(void)
{
    static const char *const listeners[] = { "tls", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_files_arrive_at_once_from_nginx),
        cmocka_unit_test(fifty_files_arrive_at_once_from_nghttpd),
        cmocka_unit_test(fifty_files_arrive_at_once_without_tls),
        cmocka_unit_test(an_error_page_is_an_answer),
    };
    server_start(listeners);
    start_nginx();
    start_nghttpd(&nghttpd);
    start_nghttpd(&nghttpd_plain);
    return cmocka_run_group_tests(tests, NULL, stop);
}
