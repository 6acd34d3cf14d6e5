/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_LISTENERS 16
#define SETTLED_LOOKS 50
#define SETTLED_LOOK_MS 10

static struct {
    pid_t pid;
    FILE *in;
    FILE *out;
    char directory[64];
    struct {
        char name[32];
        int port;
    } listeners[MAX_LISTENERS];
    int count;
} server;

const struct subject subject =
#if AQ_TEST_HTTP2_ALONE
    { true, "HTTP/2" };
#else
    { false, "HTTP/1.1" };
#endif

uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void run_server(const char *const *listeners, int in, int out)
{
    const char *argv[MAX_LISTENERS + 6] = { AQ_TEST_PYTHON, "-B", AQ_TEST_SERVER, server.directory,
                                            subject.http2_alone ? "h2" : "http/1.1" };
    for (int i = 0; listeners[i]; i++) {
        argv[5 + i] = listeners[i];
    }
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    closefrom(STDERR_FILENO + 1);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

static void read_ports(void)
{
    char line[64];
    char name[32];
    int port;
    while (fgets(line, sizeof(line), server.out) && sscanf(line, "%31s %d", name, &port) == 2 &&
           strcmp(name, "ready") != 0) {
        assert_true(server.count < MAX_LISTENERS);
        strcpy(server.listeners[server.count].name, name);
        server.listeners[server.count++].port = port;
    }
}

void server_start(const char *const *listeners)
{
    int in[2];
    int out[2];
    strcpy(server.directory, "/tmp/aq-transport-XXXXXX");
    assert_non_null(mkdtemp(server.directory));
    assert_return_code(pipe(in), 0);
    assert_return_code(pipe(out), 0);
    server.pid = fork();
    assert_return_code(server.pid, 0);
    if (server.pid == 0) {
        run_server(listeners, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    server.in = fdopen(in[1], "w");
    server.out = fdopen(out[0], "r");
    read_ports();
    for (int i = 0; listeners[i]; i++) {
        server_port(listeners[i]);
    }
}

int server_stop(void **state)
{
    char command[96];
    (void)state;
    fclose(server.in);
    fclose(server.out);
    waitpid(server.pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -r '%s'", server.directory);
    return system(command);
}

const char *server_file(const char *name)
{
    static char path[192];
    snprintf(path, sizeof(path), "%s/%s", server.directory, name);
    return path;
}

int server_port(const char *listener)
{
    for (int i = 0; i < server.count; i++) {
        if (strcmp(server.listeners[i].name, listener) == 0) {
            return server.listeners[i].port;
        }
    }
    fail_msg("server.py has no listener '%s'", listener);
    return -1;
}

const char *server_url(const char *listener, const char *path)
{
    static char urls[4][128];
    static unsigned next;
    bool plain = strcmp(listener, "plain") == 0 || strcmp(listener, "second") == 0 ||
                 strcmp(listener, "rude") == 0 || strcmp(listener, "http1") == 0 ||
                 strcmp(listener, "hostile") == 0;
    char *url = urls[next++ % 4];
    snprintf(url, sizeof(urls[0]), "%s:%d%s", plain ? "http://127.0.0.1" : "https://localhost",
             server_port(listener), path);
    return url;
}

const char *server_text(const char *command, const char *argument)
{
    static char line[4096];
    fprintf(server.in, "%s %s\n", command, argument);
    fflush(server.in);
    assert_non_null(fgets(line, sizeof(line), server.out));
    line[strcspn(line, "\n")] = '\0';
    return line;
}

long server_number(const char *command, const char *argument)
{
    return strtol(server_text(command, argument), NULL, 10);
}

void exchange_ready(void *cookie)
{
    struct exchange *exchange = cookie;
    assert_false(exchange->news); /* once, until it has been read down */
    assert_false(exchange->over);
    exchange->news = true;
    exchange->announced++;
}

void client_open(struct client *client, const struct plugin_setting *settings)
{
    struct aq_error err = { 0 };
    const struct plugin_setting trusting[] = { { "ca_bundle", server_file("ca.pem") }, { 0 } };
    plugin_host_load(&client->host, TRANSPORT, settings ? settings : trusting);
    client->host.ready = exchange_ready;
    client->ops = client->host.plugin->transport;
    client->self = NULL;
    assert_int_equal(client->ops->open(&client->host.args, &client->self, &err), AQ_OK);
}

void client_close(struct client *client)
{
    client->ops->close(client->self);
    plugin_host_done(&client->host);
}

bool client_wait(struct client *client, int timeout_ms)
{
    struct aq_error err = { 0 };
    struct aq_interest interest = { 0 };
    int until_ms = timeout_ms;
    client->ops->interest(client->self, &interest);
    if (interest.deadline_us != UINT64_MAX) {
        uint64_t now_us = client->host.table.now_us(client->host.table.ctx);
        uint64_t left_us = interest.deadline_us > now_us ? interest.deadline_us - now_us : 0;
        uint64_t left_ms = (left_us + 999) / 1000;
        until_ms = left_ms < (uint64_t)timeout_ms ? (int)left_ms : timeout_ms;
    }
    struct pollfd poller = { .fd = interest.fd, .events = POLLIN };
    int count = poll(&poller, 1, until_ms);
    assert_int_equal(client->ops->step(client->self, &err), AQ_OK);
    return count > 0 || until_ms < timeout_ms;
}

/* No thread of it runs or would if the machine let it: there is no state but 'S' among them. */
static bool server_sleeps(void)
{
    char path[320];
    char state = 'S';
    snprintf(path, sizeof(path), "/proc/%d/task", server.pid);
    DIR *threads = opendir(path);
    assert_non_null(threads);
    for (const struct dirent *thread; state == 'S' && (thread = readdir(threads));) {
        snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", server.pid, thread->d_name);
        FILE *file = thread->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1) {
            state = 'S'; /* it has just ended */
        }
        if (file) {
            fclose(file);
        }
    }
    closedir(threads);
    return state == 'S';
}

void client_settle(struct client *client)
{
    for (int quiet = 0; quiet < SETTLED_LOOKS; quiet++) {
        const bool idle = server_sleeps(); /* before: what it has sent is seen then */
        if (client_wait(client, SETTLED_LOOK_MS) || !idle) {
            quiet = -1;
        }
    }
}

static void fill_request(struct aq_request *request, struct aq_header *headers, const char *url,
                         const struct ask *ask)
{
    const char *method = ask->method ? ask->method : "GET";
    uint32_t count = 0;
    for (; ask->headers && ask->headers[count]; count++) {
        const char *colon = strchr(ask->headers[count], ':');
        assert_non_null(colon);
        headers[count].name =
            (struct aq_str){ ask->headers[count], (size_t)(colon - ask->headers[count]) };
        headers[count].value = (struct aq_str){ colon + 2, strlen(colon + 2) };
    }
    *request = (struct aq_request){
        .struct_size = sizeof(*request),
        .header_count = count,
        .header_stride = sizeof(*headers),
        .method = { method, strlen(method) },
        .url = { url, strlen(url) },
        .headers = headers,
        .body = { ask->body, ask->body_len },
        .connect_timeout_ms = ask->connect_ms,
        .first_byte_timeout_ms = ask->first_byte_ms,
        .idle_timeout_ms = ask->idle_ms,
        .total_timeout_ms = ask->total_ms,
        .max_header_bytes = ask->max_header_bytes,
        .flags = ask->flags,
    };
}

aq_status exchange_try_start(struct exchange *exchange, struct client *client, const char *url,
                             const struct ask *ask)
{
    static const struct ask plain;
    struct aq_request request;
    struct aq_header headers[16];
    fill_request(&request, headers, url, ask ? ask : &plain);
    *exchange = (struct exchange){ .client = client };
    return client->ops->start(client->self, &request, exchange, &exchange->call, &exchange->error);
}

void exchange_start(struct exchange *exchange, struct client *client, const char *url,
                    const struct ask *ask)
{
    if (exchange_try_start(exchange, client, url, ask) != AQ_OK) {
        fail_msg("%s", exchange->error.text);
    }
}

static void end(struct exchange *exchange, aq_status st)
{
    struct aq_error again = { 0 };
    uint8_t byte;
    size_t len = 0;
    const struct aq_transport_ops *ops = exchange->client->ops;
    exchange->over = true;
    exchange->news = false;
    /* The same answer for ever. */
    assert_int_equal(ops->read(exchange->call, &byte, 1, &len, &again), st);
    if (st != AQ_END) {
        assert_int_equal(exchange->error.status, st);
        assert_string_equal(again.text, exchange->error.text);
        assert_int_equal(ops->response(exchange->call, &exchange->response, &again), st);
        assert_string_equal(again.text, exchange->error.text);
    }
}

static aq_status pull_head(struct exchange *exchange)
{
    exchange->response.struct_size = sizeof(exchange->response);
    aq_status st =
        exchange->client->ops->response(exchange->call, &exchange->response, &exchange->error);
    exchange->head = st == AQ_OK;
    return st;
}

static aq_status pull_body(struct exchange *exchange)
{
    size_t len = 0;
    uint8_t buf[65536];
    aq_status st =
        exchange->client->ops->read(exchange->call, buf, sizeof(buf), &len, &exchange->error);
    if (st == AQ_OK) {
        assert_in_range(len, 1, sizeof(buf));
        exchange->body = realloc(exchange->body, exchange->body_len + len);
        assert_non_null(exchange->body);
        memcpy(exchange->body + exchange->body_len, buf, len);
        exchange->body_len += len;
    }
    return st;
}

void exchange_pull(struct exchange *exchange)
{
    aq_status st = exchange->head ? AQ_OK : pull_head(exchange);
    while (st == AQ_OK && !exchange->stop_reading) {
        st = pull_body(exchange);
    }
    if (st == AQ_AGAIN) {
        exchange->news = false;
    } else if (st != AQ_OK) {
        end(exchange, st);
    }
}

/* Wait until there is something new for this exchange, and read it. */
static void drive(struct exchange *exchange)
{
    uint64_t start = now_ms();
    while (!exchange->news) {
        if (now_ms() - start > NEVER_MS) {
            fail_msg("nothing happened for %d ms", NEVER_MS);
        }
        client_wait(exchange->client, 1000);
    }
    exchange_pull(exchange);
}

void exchange_until_over(struct exchange *exchange)
{
    while (!exchange->over) {
        drive(exchange);
    }
}

void exchange_until_head(struct exchange *exchange)
{
    while (!exchange->head) {
        assert_false(exchange->over);
        drive(exchange);
    }
}

void exchange_until_bytes(struct exchange *exchange, size_t len)
{
    while (exchange->body_len < len) {
        assert_false(exchange->over);
        drive(exchange);
    }
}

void exchange_finish(struct exchange *exchange)
{
    exchange->client->ops->finish(exchange->call);
    free(exchange->body);
    *exchange = (struct exchange){ .client = exchange->client };
}

void exchange_run(struct exchange *exchange, struct client *client, const char *url,
                  const struct ask *ask)
{
    exchange_start(exchange, client, url, ask);
    exchange_until_over(exchange);
}

const char *exchange_header(const struct exchange *exchange, const char *name)
{
    static char value[1024];
    for (uint32_t i = 0; i < exchange->response.header_count; i++) {
        const struct aq_header *header =
            (const void *)((const char *)exchange->response.headers +
                           (size_t)i * exchange->response.header_stride);
        if (header->name.len == strlen(name) &&
            memcmp(header->name.ptr, name, header->name.len) == 0) {
            snprintf(value, sizeof(value), "%.*s", AQ_STR_ARG(header->value));
            return value;
        }
    }
    fail_msg("no header '%s'", name);
    return NULL;
}

/* A line of /proc/self/status, in KiB. */
static long memory_kib(const char *name)
{
    char line[128];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (kib < 0 && fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kib = strtol(line + strlen(name), NULL, 10);
        }
    }
    fclose(file);
    return kib;
}

void memory_forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t len = write(fd, "5", 1);
        (void)len;
        close(fd);
    }
}

long memory_now_kib(void)
{
    return memory_kib("VmRSS:");
}

long memory_peak_kib(void)
{
    return memory_kib("VmHWM:");
}

void assert_request(const char *path, const char *head)
{
    const char *seen = server_text("head", path);
    if (strcasecmp(seen, head) != 0) {
        fail_msg("'%s' instead of '%s'", seen, head);
    }
}

void assert_body(const struct exchange *exchange, const char *text)
{
    if (exchange->error.status != AQ_OK) {
        fail_msg("%s", exchange->error.text);
    }
    assert_int_equal(exchange->body_len, strlen(text));
    assert_memory_equal(exchange->body, text, strlen(text));
}

void assert_failed(const struct exchange *exchange, aq_status status, const char *part_of_text)
{
    assert_true(exchange->over);
    if (exchange->error.status != status || !strstr(exchange->error.text, part_of_text)) {
        fail_msg("%d '%s' instead of %d '%s'", exchange->error.status, exchange->error.text, status,
                 part_of_text);
    }
    assert_null(strstr(exchange->error.text, "secret")); /* paths, queries and headers stay out */
}

void assert_failed_somehow(const struct exchange *exchange)
{
    const aq_status st = exchange->error.status;
    assert_failed(exchange, st, "");
    assert_true(st == AQ_E_PROTOCOL || st == AQ_E_LIMIT || st == AQ_E_TIMEOUT ||
                st == (exchange->head ? AQ_E_TRUNCATED : AQ_E_NETWORK));
}
