/* SPDX-License-Identifier: Apache-2.0 */
#include "stall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DNS_PORT = 53 };

static bool loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return up;
}

static bool write_resolv_conf(const char *path)
{
    FILE *file = fopen(path, "we");
    const bool ok =
        file && fputs("nameserver 127.0.0.1\noptions timeout:20 attempts:1\n", file) >= 0;
    return (file ? fclose(file) == 0 : false) && ok;
}

int stall_names(struct trial *t)
{
    char path[700];
    const struct sockaddr_in at = { .sin_family = AF_INET,
                                    .sin_port = htons(DNS_PORT),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    snprintf(path, sizeof(path), "%s/resolv.conf", t->dir);
    int fd = -1;
    if (write_resolv_conf(path) &&
        (unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 ||
         unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) == 0) &&
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && loopback_up() &&
        mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0) {
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        trial_skip(t, "a network of its own is not permitted here: %s", strerror(errno));
    }
    return fd;
}

bool stall_was_asked(int name_server)
{
    char question[512];
    return recv(name_server, question, sizeof(question), 0) > 0;
}
