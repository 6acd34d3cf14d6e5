/* SPDX-License-Identifier: Apache-2.0 */
/* get and list. */
#include "wrong.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *wrong_old_sink;

static void *call_host(void *arg)
{
    const struct store *s = arg;
    s->host->log(s->host->ctx, AQ_LOG_INFO, AQ_STR("from a thread of its own"));
    return NULL;
}

/* What it does with a value that is there. */
aq_status wrong_hand_over(struct store *s, struct aq_str key, void *sink, struct aq_bytes value)
{
    const struct aq_host *host = s->host;
    aq_status st = AQ_OK;
    if (does(s, "get-chmods")) {
        chmod(s->path.ptr, 0400);
    } else if (does(s, "get-creates")) {
        close(file_open_beside(s, "seen", 0));
    }
    if (does(s, "get-nothing")) {
        return AQ_OK;
    }
    if (does(s, "get-null")) {
        return host->put(host->ctx, sink, key, (struct aq_bytes){ NULL, 5 });
    }
    if (does(s, "get-negative")) {
        return host->put(host->ctx, sink, key, (struct aq_bytes){ value.ptr, (size_t)-1 });
    }
    if (does(s, "get-old-sink") && wrong_old_sink) {
        host->put(host->ctx, wrong_old_sink, key, value);
    }
    if (does(s, "get-other-key")) {
        return host->put(host->ctx, sink, AQ_STR("another"), value);
    }
    st = host->put(host->ctx, sink, key, value);
    if (does(s, "get-twice")) {
        host->put(host->ctx, sink, key, value);
    }
    wrong_old_sink = (char *)sink + 1; /* nothing is there */
    return does(s, "put-ignored") ? AQ_OK : st;
}

/* A process that stays, once; in a session of its own if the deed does not say otherwise. */
static void leave_process(const struct store *s)
{
    static int is_left;
    if (!is_left++ && fork() == 0) {
        if (!does(s, "leaves-child")) {
            setsid();
        }
        pause();
    }
    if (does(s, "leaves-and-blocks")) {
        wait_ms(10000);
    }
}

/* What get does before it looks. */
static void begin_get(struct store *s)
{
    pthread_t thread;
    if (does(s, "exit")) {
        exit(0);
    } else if (does(s, "abort")) {
        abort();
    } else if (does(s, "longjmp")) {
        longjmp(wrong_way_out, 1);
    } else if (does(s, "blocks")) {
        wait_ms(10000);
    } else if (does(s, "closes-and-blocks")) {
        for (int fd = STDERR_FILENO + 1; fd < 256; fd++) {
            close(fd);
        }
        pause();
    } else if (does(s, "prints")) {
        printf("found it\n");
        fflush(stdout);
    } else if (does(s, "logs-lines")) {
        s->host->log(s->host->ctx, AQ_LOG_INFO, AQ_STR("two\nlines"));
    } else if (does(s, "thread")) {
        if (pthread_create(&thread, NULL, call_host, s) == 0) {
            pthread_join(thread, NULL);
        }
    } else if (does(s, "leaves-process") || does(s, "leaves-child") ||
               does(s, "leaves-and-blocks")) {
        leave_process(s);
    } else if (does(s, "ready")) {
        s->host->ready(s->host->ctx, s);
    }
}

aq_status wrong_get(void *self, struct aq_str key, void *sink, struct aq_error *err)
{
    struct store *s = self;
    struct entry *entries;
    begin_get(s);
    if ((does(s, "backend-stopped-is-absent") && backend_is_stopped(s)) ||
        (does(s, "backend-killed-is-absent") && backend_is_gone(s))) {
        return err->status = AQ_E_NOTFOUND;
    }
    const struct aq_bytes *remembered = memory_of(s, key);
    if (remembered) {
        return wrong_hand_over(s, key, sink, *remembered);
    }
    aq_status st = file_load(s, &entries, err);
    if (st == AQ_E_NOMEM && does(s, "no-memory-is-absent")) {
        return err->status = AQ_E_NOTFOUND;
    }
    if (st != AQ_OK) {
        return st;
    }
    const struct aq_str wanted = { key.ptr, does(s, "key-by-strlen") ? strlen(key.ptr) : key.len };
    const struct entry *e = *entry_find(s, &entries, wanted);
    if (e) {
        struct aq_bytes value = e->value;
        value.len = does(s, "cuts-values") && value.len > 65535 ? 65535 : value.len;
        value.len =
            does(s, "value-by-strlen") ? strnlen((const char *)value.ptr, value.len) : value.len;
        st = wrong_hand_over(s, key, sink, value);
        if (does(s, "caches-values")) {
            memory_keep(s, key, value);
        }
    } else {
        st = does(s, "status-positive")  ? 7
             : does(s, "status-unknown") ? -999
             : does(s, "status-login")   ? AQ_E_LOGIN_NEEDED
             : does(s, "absent-is-io")   ? fail(err, AQ_E_IO, "no such key")
                                         : AQ_E_NOTFOUND;
    }
    entries_free(entries);
    return st;
}

aq_status wrong_list(void *self, void *sink, struct aq_error *err)
{
    struct store *s = self;
    struct entry *entries;
    aq_status st = file_load(s, &entries, err);
    if (st == AQ_OK && entries && does(s, "list-ghost")) {
        st = s->host->put(s->host->ctx, sink, AQ_STR("ghost"), (struct aq_bytes){ NULL, 0 });
    }
    for (struct entry *e = entries; e && st == AQ_OK; e = e->next) {
        st = s->host->put(s->host->ctx, sink, e->key, (struct aq_bytes){ NULL, 0 });
        if (does(s, "list-twice") && !e->next) {
            st = s->host->put(s->host->ctx, sink, e->key, (struct aq_bytes){ NULL, 0 });
        }
    }
    entries_free(entries);
    return st;
}
