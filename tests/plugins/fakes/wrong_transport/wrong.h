/* SPDX-License-Identifier: Apache-2.0 */
/* transport-curl, except for what the setting "deed" says: for those who have to notice.
 * tests/conformance/transport_deeds.py has the list. */
#ifndef WRONG_TRANSPORT_H
#define WRONG_TRANSPORT_H

#include <amazonq/plugin.h>
#include <setjmp.h>
#include <sys/types.h>

enum { SETTINGS_MAX = 32, TEXT_MAX = 256, FIELDS_MAX = 40, SHARED_MAX = 2048 };

extern const struct aq_plugin *wrong_right; /* transport-curl */
extern const struct aq_transport_ops wrong_ops;

/* Of the instance that was opened last: some functions get none. */
extern const char *wrong_deed;
extern unsigned wrong_closed; /* instances, up to now */

struct call {
    struct call *next;
    struct instance *owner;
    void *right;
    void *cookie;
    int is_awaited, is_told, is_over, is_unread, reads, tries;
    const char *doom; /* it fails, and says this; NULL: it does not */
    aq_status doom_status;
    unsigned closed;            /* instances, when it was started */
    unsigned steps;             /* of the instance, then */
    struct aq_response head;    /* status 0: not yet */
    struct aq_request deferred; /* with what it borrows; struct_size 0: is started */
    char url[TEXT_MAX], method[16], bearer[TEXT_MAX]; /* as start was given them */
    char name[64], field[TEXT_MAX];                   /* the first field */
    size_t body_len;                                  /* of the request */
    uint64_t read_us;                                 /* when it was read last */
    uint32_t idle_ms;
    size_t got; /* bytes of the body that were read */
    uint8_t *hoard;
    size_t hoard_len, hoard_at, hoard_room;
    aq_status hoard_end;
};

struct instance {
    struct aq_host host; /* what transport-curl sees; ctx is this */
    struct aq_open_args args;
    struct aq_setting_value values[SETTINGS_MAX];
    const struct aq_host *outer;
    const char *deed;
    void *right;
    struct call *calls;
    void *finished, *late; /* cookies */
    int other_fd, asked;
    unsigned steps, finished_unstepped, pushed;
    int poison;              /* the next call is doomed */
    uint64_t hidden_until;   /* transport-curl's descriptor is not to be seen; 0: it is */
    char cookie[TEXT_MAX];   /* that a server has set */
    char bearer[TEXT_MAX];   /* of a request that was redirected */
    char shared[SHARED_MAX]; /* the head of the last response */
    struct aq_header fields[FIELDS_MAX];
    pid_t pid;
};

int does(const struct instance *self, const char *deed);

/* Longer than a function may take, once in a process. */
void block(void);

/* The path of its URL. */
int is_for(const struct call *call, const char *path);

/* The host's clock. */
uint64_t now_us(const struct instance *self);

/* ---- the host, as transport-curl sees it ---- */

void host_init(struct instance *self);
void host_say_ready(const struct instance *self, void *cookie);
extern const struct aq_host *wrong_closed_host;

/* ---- functions of the table, by subject ---- */

void wrong_interest(void *self, struct aq_interest *ret);
aq_status wrong_step(void *self, struct aq_error *err);
aq_status wrong_start(void *self, const struct aq_request *given, void *cookie, void **ret_call,
                      struct aq_error *err);
aq_status wrong_response(void *call, struct aq_response *ret, struct aq_error *err);
aq_status wrong_read(void *call, uint8_t *buf, size_t cap, size_t *ret_len, struct aq_error *err);
void wrong_finish(void *call);
aq_status wrong_facts(void *call, struct aq_facts *ret);

/* From now on the call fails, and says this. */
void doom(struct call *call, aq_status st, const char *what);

/* What a failed call says. */
aq_status fail(struct call *call, aq_status st, struct aq_error *err);
aq_status fail_with(struct aq_error *err, aq_status st, const char *what);

/* Start what was put off, or the same call anew without its fields and its body. */
void start_deferred(struct instance *self);
aq_status start_again(struct call *call);

/* Take all there is, whether anybody reads it or not. */
void hoard(struct call *call);

#endif
