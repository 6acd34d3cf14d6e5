/* SPDX-License-Identifier: Apache-2.0 */
/* Where a transport finds the addresses of a name, and which of them it takes. fopen, getaddrinfo,
 * connect and recvfrom of this program stand before those of libc: /etc/hosts is our own, and the
 * name server is this test. */
#include "cases.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define DNS_PORT 53
#define DNS_HEAD_BYTES 12
#define DNS_A 1

/* One name each: c-ares 1.34 believes that an address which two names have is one machine's. */
static char hosts_test[] = "127.0.0.1 hosts.test\n";
static char dead_test[] = "2001:db8::1 dead.test\n"
                          "127.0.0.1 dead.test\n";
static char *hosts = hosts_test;
static char servers[] = "nameserver 127.0.0.1\n";

static struct {
    int fd;
    unsigned asked; /* sockets that were opened to it */
} name_server = { .fd = -1 };

/* An address that the network does not reach. */
static unsigned unreachable_tries;

/* 2001:db8::1, which never answers: a listener whose queue is full, so that SYNs are lost. */
static struct {
    struct sockaddr_in6 at;
    int listener;
    int queued[8]; /* more than a backlog of 0 takes */
    unsigned tries;
} dead = { .listener = -1 };

EXPORT FILE *fopen(const char *path, const char *mode)
{
    if (strcmp(path, "/etc/hosts") == 0) {
        return fmemopen(hosts, strlen(hosts), mode);
    }
    if (strcmp(path, "/etc/resolv.conf") == 0) {
        return fmemopen(servers, strlen(servers), mode);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? NULL : fdopen(fd, "r");
}

EXPORT int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    struct sockaddr_in to = { 0 };
    memcpy(&to, address.__sockaddr__, len < sizeof(to) ? len : sizeof(to));
    if (to.sin_family == AF_INET && ntohs(to.sin_port) == DNS_PORT) {
        name_server.asked++;
        len = sizeof(to);
        getsockname(name_server.fd, (struct sockaddr *)&to, &len);
        return (int)syscall(SYS_connect, fd, &to, len);
    }
    if (to.sin_family == AF_INET6 && dead.listener >= 0) {
        dead.tries++;
        return (int)syscall(SYS_connect, fd, &dead.at, sizeof(dead.at));
    }
    if (to.sin_family == AF_INET && to.sin_addr.s_addr != htonl(INADDR_LOOPBACK)) {
        unreachable_tries++;
        errno = ENETUNREACH;
        return -1;
    }
    return (int)syscall(SYS_connect, fd, address.__sockaddr__, len);
}

/* What the name server sends comes from where it was asked: c-ares 1.34 looks at the port, too. */
EXPORT ssize_t recvfrom(int fd, void *buf, size_t cap, int flags, __SOCKADDR_ARG from,
                        socklen_t *from_len)
{
    ssize_t len = syscall(SYS_recvfrom, fd, buf, cap, flags, from.__sockaddr__, from_len);
    struct sockaddr_in peer, own;
    socklen_t own_len = sizeof(own);
    if (len >= 0 && from.__sockaddr__ && *from_len == sizeof(peer) &&
        getsockname(name_server.fd, (struct sockaddr *)&own, &own_len) == 0) {
        memcpy(&peer, from.__sockaddr__, sizeof(peer));
        peer.sin_port = peer.sin_port == own.sin_port ? htons(DNS_PORT) : peer.sin_port;
        memcpy(from.__sockaddr__, &peer, sizeof(peer));
    }
    return len;
}

/* What hosts says of dead.test, for who asks libc. */
EXPORT int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    const bool is_dead = name && strcmp(name, "dead.test") == 0;
    int result = real(is_dead ? "2001:db8::1" : name, service, hints, ret);
    return is_dead && result == 0 ? real("127.0.0.1", service, hints, &(*ret)->ai_next) : result;
}

/* False: this machine has no IPv6. */
static bool open_dead_address(void)
{
    socklen_t len = sizeof(dead.at);
    dead.at = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&dead.at, len) < 0) {
        close(listener);
        return false;
    }
    assert_return_code(listen(listener, 0), errno);
    getsockname(listener, (struct sockaddr *)&dead.at, &len);
    for (size_t i = 0; i < sizeof(dead.queued) / sizeof(dead.queued[0]); i++) {
        dead.queued[i] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        syscall(SYS_connect, dead.queued[i], &dead.at, sizeof(dead.at));
    }
    dead.listener = listener;
    return true;
}

static void close_dead_address(void)
{
    close(dead.listener);
    dead.listener = -1;
    for (size_t i = 0; i < sizeof(dead.queued) / sizeof(dead.queued[0]); i++) {
        close(dead.queued[i]);
    }
}

static void open_name_server(void)
{
    const struct timeval patience = { .tv_sec = 10 };
    const struct sockaddr_in any = { .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    name_server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    name_server.asked = 0;
    assert_return_code(bind(name_server.fd, (const struct sockaddr *)&any, sizeof(any)), errno);
    setsockopt(name_server.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* Answer the question for A with 192.0.2.1, and none other. */
static void answer_v4_alone(void)
{
    static const uint8_t answer[] = {
        0xc0, DNS_HEAD_BYTES, 0, DNS_A, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1
    };
    uint8_t packet[512];
    struct sockaddr_in from;
    socklen_t from_len;
    size_t end;
    do {
        from_len = sizeof(from);
        ssize_t len = recvfrom(name_server.fd, packet, sizeof(packet) - sizeof(answer), 0,
                               (struct sockaddr *)&from, &from_len);
        assert_true(len > DNS_HEAD_BYTES);
        end = DNS_HEAD_BYTES + strlen((const char *)packet + DNS_HEAD_BYTES) + 1;
        assert_in_range(end + 4, 0, len);
    } while (packet[end + 1] != DNS_A);
    end += 4;
    memset(packet + 2, 0, DNS_HEAD_BYTES - 2);
    packet[2] = 0x81; /* an answer */
    packet[3] = 0x80;
    packet[5] = 1; /* question */
    packet[7] = 1; /* answer */
    memcpy(packet + end, answer, sizeof(answer));
    end += sizeof(answer);
    assert_int_equal(
        sendto(name_server.fd, packet, end, 0, (const struct sockaddr *)&from, from_len), end);
}

static void a_name_in_the_hosts_file_has_no_other_addresses(void **state)
{
    struct client client;
    struct exchange e;
    char url[64];
    (void)state;
    open_name_server();
    client_open(&client, NULL);
    snprintf(url, sizeof(url), "http://hosts.test:%d/ok", server_port("plain"));
    exchange_run(&e, &client, url, NULL);
    assert_body(&e, "ok");
    assert_int_equal(name_server.asked, 0);
    exchange_finish(&e);
    client_close(&client);
    close(name_server.fd);
}

static void
an_address_that_fails_at_once_does_not_keep_the_host_busy_until_the_others_come(void **state)
{
    struct aq_interest interest;
    struct client client;
    struct exchange e;
    (void)state;
    open_name_server();
    client_open(&client, NULL);
    exchange_start(&e, &client, "https://dns.test/", NULL);
    client_wait(&client, 0);
    answer_v4_alone();
    while (unreachable_tries == 0) {
        client_wait(&client, 100);
    }
    client.ops->interest(client.self, &interest);
    assert_true(interest.deadline_us > client.host.table.now_us(client.host.table.ctx));
    exchange_finish(&e);
    client_close(&client);
    close(name_server.fd);
}

/* RFC 8305: the other family gets its chance long before the connect timeout. */
static void
an_address_that_never_answers_does_not_keep_the_other_family_from_answering(void **state)
{
    const struct ask ask = { .connect_ms = 60000 };
    struct client client;
    struct exchange e;
    char url[64];
    (void)state;
    if (!open_dead_address()) {
        skip();
    }
    hosts = dead_test;
    client_open(&client, NULL);
    snprintf(url, sizeof(url), "https://dead.test:%d/ok", server_port("tls"));
    exchange_run(&e, &client, url, &ask); /* which gives up after ten seconds */
    assert_body(&e, "ok");
    assert_int_equal(dead.tries, 1);
    exchange_finish(&e);
    client_close(&client);
    hosts = hosts_test;
    close_dead_address();
}

int main(void)
{
    static const char *const listeners[] = { "plain", "tls", NULL };
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            an_address_that_never_answers_does_not_keep_the_other_family_from_answering),
    };
    static const struct CMUnitTest of_h2[] = {
        cmocka_unit_test(a_name_in_the_hosts_file_has_no_other_addresses),
        cmocka_unit_test(
            an_address_that_fails_at_once_does_not_keep_the_host_busy_until_the_others_come),
    };
    CASES_ADD_ALL(tests);
    if (subject.http2_alone) { /* libcurl asks libc */
        CASES_ADD_ALL(of_h2);
    }
    server_start(listeners);
    return cases_run(NULL, server_stop);
}
