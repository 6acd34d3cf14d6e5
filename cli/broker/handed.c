/* SPDX-License-Identifier: Apache-2.0 */
#include "handed.h"
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

/* A whole number from the environment; -1 if there is none. */
static long number_of(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    if (!text || *text == '\0') {
        return -1;
    }
    errno = 0;
    long number = strtol(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : -1;
}

static int int_option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static bool is_listening_unix_stream(int fd)
{
    return int_option(fd, SO_DOMAIN) == AF_UNIX && int_option(fd, SO_TYPE) == SOCK_STREAM &&
           int_option(fd, SO_ACCEPTCONN) == 1;
}

aq_status handed_socket(int *ret_fd, struct aq_error *err)
{
    long count = number_of("LISTEN_FDS");
    bool ours = number_of("LISTEN_PID") == (long)getpid();
    *ret_fd = -1;
    if (!ours || count <= 0) {
        return AQ_OK;
    }
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDNAMES");
    if (count != 1 || !is_listening_unix_stream(FIRST_FD)) {
        return fault_set(err, AQ_E_INVALID,
                         "socket: the service manager handed in %ld, one listening unix stream "
                         "socket is needed; mend the unit",
                         count);
    }
    if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) < 0) {
        return fault_set(err, AQ_E_IO, "socket: the one that was handed in cannot be used");
    }
    *ret_fd = FIRST_FD;
    return AQ_OK;
}
