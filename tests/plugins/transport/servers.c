/* SPDX-License-Identifier: Apache-2.0 */
#include "servers.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static bool start_nginx(struct real_server *server);
static bool start_nghttpd(struct real_server *server);
static bool start_haproxy(struct real_server *server);
static bool start_stand_in(struct real_server *server);

enum { NGINX, LEAVING_NGINX, NGHTTPD, PLAIN_NGHTTPD, HAPROXY, STAND_IN, COUNT };

struct real_server real_servers[COUNT] = {
    [NGINX] = { "nginx", "https", "localhost", start_nginx, true, true, 0, 0, NULL },
    [LEAVING_NGINX] = { "leaving nginx", "https", "localhost", start_nginx, true, true, 0, 0,
                        NULL },
    [NGHTTPD] = { "nghttpd", "https", "localhost", start_nghttpd, true, true, 0, 0, NULL },
    [PLAIN_NGHTTPD] = { "plain nghttpd", "http", "127.0.0.1", start_nghttpd, true, true, 0, 0,
                        NULL },
    [HAPROXY] = { "haproxy", "https", "localhost", start_haproxy, true, false, 0, 0, NULL },
    [STAND_IN] = { "stand-in", "https", "localhost", start_stand_in, false, true, 0, 0, NULL },
};
const size_t real_server_count = COUNT;
struct real_server *const leaving_nginx = &real_servers[LEAVING_NGINX];

static char directory[128];
static char certificate[160];
static char stand_in_authority[160];
static int stand_in_lifetime = -1; /* it ends when this is closed */

/* Handed to a server, so that no port has to be guessed. */
static int open_listener(int *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(listener, (struct sockaddr *)&address, len), errno);
    assert_return_code(listen(listener, 128), errno);
    getsockname(listener, (struct sockaddr *)&address, &len);
    *ret_port = ntohs(address.sin_port);
    return listener;
}

static const char *path_of(const char *program)
{
    static char path[64];
    snprintf(path, sizeof(path), "/usr/sbin/%s", program);
    return access(path, X_OK) == 0 ? path : NULL;
}

/* True in the child, which is to become the server. */
static bool fork_server(struct real_server *server)
{
    server->pid = fork();
    assert_return_code(server->pid, errno);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* whatever becomes of the test */
    }
    return server->pid == 0;
}

static void write_text(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_text(const char *name, const char *format, ...)
{
    va_list args;
    FILE *file = fopen(server_file(name), "w");
    assert_non_null(file);
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    fclose(file);
}

static bool start_nginx(struct real_server *server)
{
    const char *program = path_of("nginx");
    const char *name = server == leaving_nginx ? "leaving.conf" : "nginx.conf";
    char inherited[16];
    char temporary[160];
    if (!program) {
        return false;
    }
    int listener = open_listener(&server->port);
    snprintf(inherited, sizeof(inherited), "%d;", listener);
    snprintf(temporary, sizeof(temporary), "%s%s", directory, name);
    write_text(name,
               "%s daemon off; worker_processes 1; pid %s.pid; error_log stderr emerg;\n"
               "events { worker_connections 512; }\n"
               "http {\n"
               "  access_log off; keepalive_timeout 60; keepalive_requests %d;\n"
               "  client_body_temp_path %s.1; proxy_temp_path %s.2; fastcgi_temp_path %s.3;\n"
               "  uwsgi_temp_path %s.4; scgi_temp_path %s.5;\n"
               "  server { listen 127.0.0.1:%d ssl http2; root %s;\n"
               "    ssl_certificate %s; ssl_certificate_key %s; }\n"
               "}\n",
               geteuid() == 0 ? "user root;" : "", temporary, server == leaving_nginx ? 5 : 1000,
               temporary, temporary, temporary, temporary, temporary, server->port, directory,
               certificate, certificate);
    if (fork_server(server)) {
        setenv("NGINX", inherited, 1);
        execl(program, "nginx", "-p", directory, "-c", name, (char *)NULL);
        _exit(127);
    }
    close(listener);
    return true;
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

static bool start_nghttpd(struct real_server *server)
{
    const char *program = path_of("nghttpd");
    if (!program) {
        return false;
    }
    if (fork_server(server)) {
        if (strcmp(server->scheme, "https") == 0) {
            execl(program, "nghttpd", "-d", directory, "-a", "127.0.0.1", "0", certificate,
                  certificate, (char *)NULL);
        } else {
            execl(program, "nghttpd", "--no-tls", "-d", directory, "-a", "127.0.0.1", "0",
                  (char *)NULL);
        }
        _exit(127);
    }
    for (uint64_t start = now_ms(); server->port == 0; server->port = find_port(server->pid)) {
        assert_in_range(now_ms() - start, 0, PATIENCE_MS);
        usleep(1000);
    }
    return true;
}

/* It has no files itself. What has answered before it had the whole request (nginx does, with 404)
 * still waits for the rest, and haproxy 2.6 lets the next client's request be taken for that: hence
 * no connection to nginx serves two clients. */
static bool start_haproxy(struct real_server *server)
{
    const char *program = path_of("haproxy");
    if (!program || real_servers[NGINX].port == 0) {
        return false;
    }
    int listener = open_listener(&server->port);
    write_text("haproxy.conf",
               "global\n  maxconn 200\n"
               "defaults\n  mode http\n  http-reuse never\n"
               "  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"
               "listen all\n"
               "  bind fd@%d ssl crt %s alpn h2,http/1.1\n"
               "  server files 127.0.0.1:%d ssl verify none alpn http/1.1\n",
               listener, certificate, real_servers[NGINX].port);
    if (fork_server(server)) {
        execl(program, "haproxy", "-q", "-db", "-f", server_file("haproxy.conf"), (char *)NULL);
        _exit(127);
    }
    close(listener);
    return true;
}

static int read_tls_port(FILE *out)
{
    char line[1024] = "";
    int port = 0;
    const char *url = fgets(line, sizeof(line), out) ? strstr(line, "\"tls_url\"") : NULL;
    const char *colon = url ? strstr(url, "127.0.0.1:") : NULL;
    if (!colon || sscanf(colon, "127.0.0.1:%d", &port) != 1) {
        fail_msg("the stand-in service does not start: '%s'", line);
    }
    return port;
}

static bool start_stand_in(struct real_server *server)
{
    int in[2];
    int out[2];
    snprintf(stand_in_authority, sizeof(stand_in_authority), "%sstand-in/ca.pem", directory);
    server->authority = stand_in_authority;
    assert_return_code(pipe2(in, O_CLOEXEC), errno);
    assert_return_code(pipe2(out, O_CLOEXEC), errno);
    if (fork_server(server)) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        setenv("PYTHONPATH", AQ_TEST_SERVICE, 1);
        execl(AQ_TEST_PYTHON, AQ_TEST_PYTHON, "-B", "-m", "qservice", "--dir",
              server_file("stand-in"), "--stdin-lifetime", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    stand_in_lifetime = in[1];
    FILE *lines = fdopen(out[0], "r");
    server->port = read_tls_port(lines);
    fclose(lines);
    return true;
}

static void write_file(void)
{
    FILE *file = fopen(server_file("file"), "w");
    assert_non_null(file);
    for (unsigned i = 0; i < SERVERS_FILE_BYTES; i++) {
        fputc((int)('a' + i % 26), file);
    }
    fclose(file);
}

void servers_start(void)
{
    snprintf(directory, sizeof(directory), "%s", server_file(""));
    snprintf(certificate, sizeof(certificate), "%s", server_file("good.pem"));
    write_file();
    for (size_t i = 0; i < COUNT; i++) {
        struct real_server *server = &real_servers[i];
        if (!server->start(server)) {
            print_message("%s: not installed\n", server->name);
        }
    }
}

void servers_stop(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (real_servers[i].pid > 0) {
            kill(real_servers[i].pid, SIGTERM);
            waitpid(real_servers[i].pid, NULL, 0);
        }
    }
    close(stand_in_lifetime);
}

const char *servers_url(const struct real_server *server, const char *path)
{
    static char url[128];
    if (server->port == 0) {
        skip();
    }
    snprintf(url, sizeof(url), "%s://%s:%d%s", server->scheme, server->host, server->port, path);
    return url;
}
