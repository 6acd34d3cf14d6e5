/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include "identity.h"
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SEND_BUFFER = 256 * 1024, /* what the kernel takes ahead of a peer that does not read */
    BACKLOG = 128,
};

static int open_listener(int *ret_port)
{
    const int buffer = SEND_BUFFER;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, BACKLOG) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        return -1;
    }
    *ret_port = ntohs(at.sin_port);
    return fd;
}

/* The child. It says one byte when its certificates are there. */
static void serve(struct server *server, const char *ca_bundle, int control, int ready)
{
    sigset_t all;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    if (!identity_make(server->contexts, ca_bundle) || write(ready, "", 1) != 1) {
        _exit(1);
    }
    close(ready);
    server_run(server, control);
    _exit(0);
}

static const char *start_child(struct lab *lab, struct server *server)
{
    int control[2];
    int ready[2];
    char byte;
    if (pipe2(control, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0) {
        return strerror(errno);
    }
    lab->pid = fork();
    if (lab->pid == 0) {
        close(control[1]);
        close(ready[0]);
        serve(server, lab->ca_bundle, control[0], ready[1]);
    }
    close(control[0]);
    close(ready[1]);
    lab->control = control[1];
    ssize_t len = lab->pid > 0 ? read(ready[0], &byte, 1) : -1;
    close(ready[0]);
    return len == 1 ? NULL : "the server could not make its certificates";
}

const char *lab_start(struct lab *lab, const char *directory, const struct lab_answer *answers)
{
    struct server server = { .answers = answers };
    const char *problem = NULL;
    *lab = (struct lab){ .pid = -1, .control = -1 };
    snprintf(lab->ca_bundle, sizeof(lab->ca_bundle), "%s/lab-ca.pem", directory);
    server.record = mmap(NULL, sizeof(*server.record), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (server.record == MAP_FAILED) {
        return strerror(errno);
    }
    lab->record = server.record;
    for (int i = 0; i < LAB_LISTENERS; i++) {
        server.listeners[i] = open_listener(&lab->ports[i]);
        problem = server.listeners[i] < 0 ? strerror(errno) : problem;
    }
    problem = problem ? problem : start_child(lab, &server);
    for (int i = 0; i < LAB_LISTENERS; i++) {
        close(server.listeners[i]);
    }
    return problem;
}

void lab_stop(struct lab *lab)
{
    close(lab->control);
    if (lab->pid > 0) {
        waitpid(lab->pid, NULL, 0);
    }
    munmap(lab->record, sizeof(*lab->record));
    *lab = (struct lab){ .pid = -1, .control = -1 };
}

static char *next_url(struct lab *lab)
{
    return lab->urls[lab->next_url++ % (sizeof(lab->urls) / sizeof(lab->urls[0]))];
}

const char *lab_url(struct lab *lab, enum lab_listener listener, const char *path)
{
    const bool plain = listener == LAB_HTTP1 || listener == LAB_HTTP2 || listener == LAB_RUDE;
    char *url = next_url(lab);
    snprintf(url, sizeof(lab->urls[0]), "%s:%d%s", plain ? "http://127.0.0.1" : "https://localhost",
             lab->ports[listener], path);
    return url;
}

const char *lab_proxy_url(struct lab *lab, const char *password)
{
    char *url = next_url(lab);
    snprintf(url, sizeof(lab->urls[0]), "http://%s%s%s127.0.0.1:%d",
             password ? LAB_PROXY_USER ":" : "", password ? password : "", password ? "@" : "",
             lab->ports[LAB_PROXY]);
    return url;
}

static void tell(const struct lab *lab, char what)
{
    while (write(lab->control, &what, 1) < 0 && errno == EINTR) {
    }
}

void lab_go(struct lab *lab)
{
    tell(lab, LAB_GO);
}

void lab_round(struct lab *lab)
{
    const struct timespec moment = { .tv_nsec = 100 * 1000 };
    const unsigned before = atomic_load(&lab->record->rounds);
    tell(lab, LAB_ROUND);
    while (atomic_load(&lab->record->rounds) == before) {
        nanosleep(&moment, NULL);
    }
}

static bool is_for(const struct lab_seen *seen, const char *path)
{
    const size_t len = strlen(path);
    return strncmp(seen->target, path, len) == 0 &&
           (seen->target[len] == '\0' || seen->target[len] == '?');
}

unsigned lab_requests(const struct lab *lab, const char *path, const struct lab_seen **ret)
{
    const unsigned count = atomic_load(&lab->record->count);
    unsigned found = 0;
    for (unsigned i = 0; i < count && i < LAB_SEEN_MAX; i++) {
        if (is_for(&lab->record->seen[i], path)) {
            found++;
            if (ret) {
                *ret = &lab->record->seen[i];
            }
        }
    }
    return found;
}

const struct lab_seen *lab_seen_from(const struct lab *lab, unsigned from, const char *path)
{
    for (unsigned i = atomic_load(&lab->record->count); i > from; i--) {
        if (i <= LAB_SEEN_MAX && is_for(&lab->record->seen[i - 1], path)) {
            return &lab->record->seen[i - 1];
        }
    }
    return NULL;
}

const char *lab_field(const struct lab_seen *seen, const char *name, char *buf, size_t cap)
{
    const size_t name_len = strlen(name);
    for (const char *line = seen->head; *line; line += strcspn(line, "\n") + 1) {
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *value = line + name_len + 1;
            value += strspn(value, " ");
            snprintf(buf, cap, "%.*s", (int)strcspn(value, "\n"), value);
            return buf;
        }
    }
    return NULL;
}

unsigned lab_open_connections(const struct lab *lab)
{
    unsigned count = 0;
    for (int i = 0; i < LAB_LISTENERS; i++) {
        count += atomic_load(&lab->record->open[i]);
    }
    return count;
}
