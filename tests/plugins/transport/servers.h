/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that many people run, each with the same files, and the stand-in service. They end with
 * the test, whatever becomes of it. */
#ifndef AQ_TESTS_TRANSPORT_SERVERS_H
#define AQ_TESTS_TRANSPORT_SERVERS_H

#include <sys/types.h>

#include "fixture.h"

#define SERVERS_FILE_BYTES (1024u * 1024u + 7u) /* of "/file" */

struct real_server {
    const char *name;
    const char *scheme;
    const char *host;
    bool (*start)(struct real_server *server); /* false: it is not installed */
    bool has_files;
    bool pauses; /* a stream that nobody reads stops no other */
    int port;
    pid_t pid;
    const char *authority; /* that vouches for it; a file */
};

/* nginx, nginx that leaves after every fifth request, nghttpd, nghttpd without TLS, haproxy in
 * front of that, and the stand-in service. */
extern struct real_server real_servers[];
extern const size_t real_server_count;
extern struct real_server *const leaving_nginx;

/* Start those that are installed. After server_start. */
void servers_start(void);
void servers_stop(void);

/* "https://localhost:PORT/PATH", in a static string; skips the test if it does not run. */
const char *servers_url(const struct real_server *server, const char *path);

#endif
