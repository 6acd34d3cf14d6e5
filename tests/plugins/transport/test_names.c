/* SPDX-License-Identifier: Apache-2.0 */
/* Where transport-h2 finds the addresses of a name. fopen and connect of this program stand before
 * those of libc: /etc/hosts is our own, and the name server is this test. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define DNS_PORT 53
#define DNS_HEAD_BYTES 12
#define DNS_A 1

static char hosts[] = "127.0.0.1 hosts.test\n";
static char servers[] = "nameserver 127.0.0.1\n";

static struct {
    int fd;
    unsigned asked; /* sockets that were opened to it */
} name_server = { .fd = -1 };

/* An address that the network does not reach. */
static unsigned unreachable_tries;

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
    if (to.sin_family == AF_INET && to.sin_addr.s_addr != htonl(INADDR_LOOPBACK)) {
        unreachable_tries++;
        errno = ENETUNREACH;
        return -1;
    }
    return (int)syscall(SYS_connect, fd, address.__sockaddr__, len);
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

int main(void)
{
    static const char *const listeners[] = { "plain", NULL };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_in_the_hosts_file_has_no_other_addresses),
        cmocka_unit_test(
            an_address_that_fails_at_once_does_not_keep_the_host_busy_until_the_others_come),
    };
    server_start(listeners);
    return cmocka_run_group_tests(tests, NULL, server_stop);
}
