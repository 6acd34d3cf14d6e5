/* SPDX-License-Identifier: Apache-2.0 */
#include "stall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUESTIONS 16 /* that are kept for an answer, at most */
#define QUESTION_MAX 512
#define DNS_HEADER 12 /* bytes */
#define QUEUED 8      /* more than a backlog of 0 takes */

const char *const stall_listeners[] = { "plain", "tls", "h2", "silent", NULL };

const struct stall stalls[] = {
    { "name", NULL, "https://hangs.example/", 0, false, "connect timeout" },
    { "connection", NULL, NULL, 0, false, "connect timeout" },
    { "handshake", "silent", "/", 0, false, "connect timeout" },
    { "answer", "plain", "/silent", 0, true, "first byte timeout" },
    { "answer, TLS", "tls", "/silent", 0, true, "first byte timeout" },
    { "answer, HTTP/2", "h2", "/silent", 0, true, "first byte timeout" },
    { "head", "plain", "/half-head", 0, true, "first byte timeout" },
    { "body", "plain", "/trickle", 5, true, "idle timeout" },
    { "body, TLS", "tls", "/trickle", 5, true, "idle timeout" },
    { "body, HTTP/2", "h2", "/trickle", 5, true, "idle timeout" },
};
const size_t stall_count = sizeof(stalls) / sizeof(stalls[0]);

struct question {
    struct sockaddr_in from;
    uint8_t bytes[QUESTION_MAX];
    size_t len;
};

static struct {
    int name_server; /* takes the questions; -1: not permitted here */
    long questions;  /* that it took */
    struct question unanswered[QUESTIONS];
    size_t unanswered_count;
    int listener; /* its queue is full: the kernel leaves further SYNs unanswered */
    int queued[QUEUED];
    int port; /* of the listener */
    char url[64];
} own;

static bool loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return up;
}

/* Put a file of this text in the place of that one. */
static bool replace(const char *place, const char *text)
{
    char path[] = "/tmp/aq-resolv-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
              mount(path, place, NULL, MS_BIND, NULL) == 0;
    close(fd);
    unlink(path);
    return ok;
}

/* Make the resolver ask 127.0.0.1 and nobody else, in this process and its children. Without memory
 * c-ares 1.34 frees twice what hosts says of a name that is there twice, so none is. */
static bool make_network(void)
{
    return (unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 ||
            unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) == 0) &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && loopback_up() &&
           replace("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:20 attempts:1\n") &&
           replace("/etc/hosts", "127.0.0.1 localhost\n");
}

/* Tried in a child first: half of it, as AppArmor may permit, is worse than nothing. */
static bool own_network(void)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        _exit(make_network() ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0 && make_network();
}

static int bound_socket(int type, in_port_t port, struct sockaddr_in *ret)
{
    socklen_t len = sizeof(*ret);
    *ret = (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (struct sockaddr *)ret, len), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)ret, &len), errno);
    return fd;
}

void stall_init(void)
{
    struct sockaddr_in address;
    own.name_server = own_network() ? bound_socket(SOCK_DGRAM, 53, &address) : -1;
    if (own.name_server < 0) {
        print_message("a network of its own is not permitted here: no name that never resolves\n");
    }
    own.listener = bound_socket(SOCK_STREAM, 0, &address);
    assert_return_code(listen(own.listener, 0), errno);
    for (size_t i = 0; i < QUEUED; i++) {
        own.queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(own.queued[i], (struct sockaddr *)&address, sizeof(address));
    }
    own.port = ntohs(address.sin_port);
    snprintf(own.url, sizeof(own.url), "http://127.0.0.1:%d/", own.port);
}

void stall_done(void)
{
    for (size_t i = 0; i < QUEUED; i++) {
        close(own.queued[i]);
    }
    close(own.listener);
    if (own.name_server >= 0) {
        close(own.name_server);
    }
}

static bool is_name(const struct stall *stall)
{
    return !stall->listener && stall->path;
}

bool stall_is_possible(const struct stall *stall)
{
    return !is_name(stall) || own.name_server >= 0;
}

const char *stall_url(const struct stall *stall)
{
    if (stall->listener) {
        return server_url(stall->listener, stall->path);
    }
    return is_name(stall) ? stall->path : own.url;
}

/* Questions that the name server has been asked. */
static long questions(void)
{
    struct question q = { 0 };
    socklen_t from_len = sizeof(q.from);
    ssize_t len = recvfrom(own.name_server, q.bytes, sizeof(q.bytes), MSG_DONTWAIT,
                           (struct sockaddr *)&q.from, &from_len);
    if (len <= DNS_HEADER) {
        return own.questions;
    }
    q.len = (size_t)len;
    if (own.unanswered_count < QUESTIONS) {
        own.unanswered[own.unanswered_count++] = q;
    }
    own.questions++;
    return questions();
}

static bool is_for_v4(const struct question *q)
{
    return q->bytes[q->len - 3] == 1; /* QTYPE, before QCLASS */
}

static bool is_for_nobody(const struct question *q)
{
    static const char label[] = "\6nobody";
    return memcmp(q->bytes + DNS_HEADER, label, strlen(label)) == 0;
}

/* RFC 1035, 4.1: the question with its header changed, and for type A one record behind it. */
static void answer_name(const struct question *q)
{
    static const uint8_t record[] = {
        0xc0, DNS_HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1
    };
    uint8_t reply[QUESTION_MAX + sizeof(record)];
    const bool has_address = is_for_v4(q) && !is_for_nobody(q);
    const size_t len = q->len + (has_address ? sizeof(record) : 0);
    memcpy(reply, q->bytes, q->len);
    memcpy(reply + q->len, record, sizeof(record));
    reply[2] |= 0x80;                          /* a response */
    reply[3] = is_for_nobody(q) ? 0x83 : 0x80; /* no such name, or no error */
    reply[7] = has_address;
    sendto(own.name_server, reply, len, 0, (const struct sockaddr *)&q->from, sizeof(q->from));
}

void stall_answer_names(void)
{
    questions();
    for (size_t i = 0; i < own.unanswered_count; i++) {
        answer_name(&own.unanswered[i]);
    }
    own.unanswered_count = 0;
}

void stall_answer_v4_names(void)
{
    questions();
    for (size_t i = 0; i < own.unanswered_count; i++) {
        if (is_for_v4(&own.unanswered[i])) {
            answer_name(&own.unanswered[i]);
        }
    }
    own.unanswered_count = 0;
}

/* SYNs under way to our listener, which only the kernel knows of. */
static long attempts(void)
{
    char line[256];
    char state[32];
    long count = 0;
    FILE *file = fopen("/proc/net/tcp", "r");
    assert_non_null(file);
    snprintf(state, sizeof(state), "0100007F:%04X 02 ", own.port);
    while (fgets(line, sizeof(line), file)) {
        count += strstr(line, state) != NULL;
    }
    fclose(file);
    return count;
}

/* Grows when a call has got as far as the stall, but for the body of an answer. */
static long arrivals(const struct stall *stall)
{
    if (is_name(stall)) {
        return questions();
    }
    if (!stall->listener) {
        return attempts();
    }
    return stall->sent ? server_number("requests", stall->path)
                       : server_number("connections", stall->listener);
}

void stall_start(const struct stall *stall, struct exchange *exchange, struct client *client,
                 const struct ask *ask)
{
    long before = arrivals(stall);
    exchange_start(exchange, client, stall_url(stall), ask);
    for (uint64_t begin = now_ms(); arrivals(stall) == before;) {
        assert_in_range(now_ms() - begin, 0, NEVER_MS);
        client_wait(client, 10);
    }
    if (stall->body_len) {
        exchange_until_bytes(exchange, stall->body_len);
    }
}
