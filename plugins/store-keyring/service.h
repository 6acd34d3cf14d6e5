/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desktop's Secret Service, as far as one login needs it: a session with it, and the item in
 * which the login is. Everything is between bus_begin and bus_end of its bus.
 *
 * Its methods are called directly: libsecret's own wrappers ask the user by themselves.
 *
 * The service is called by its unique name on the bus, so that a service which was started anew
 * answers "no such name" instead of "no such session" or worse: bus->peer_gone, and the next
 * service_find opens a session with the new one.
 */
#ifndef STORE_KEYRING_SERVICE_H
#define STORE_KEYRING_SERVICE_H

#include "session.h"

struct service {
    struct bus *bus;
    const char *collection; /* alias, such as "default" */
    const char *login;      /* which login, the value of an attribute */
    bool interactive;       /* may ask the user */
    char *owner;            /* unique name of the service we have a session with, or NULL */
    struct session *session;
};

/* Where the login is. */
struct item {
    char *collection; /* object path; NULL: the user has none */
    char *path;       /* object path; NULL: there is no such item yet */
};

void service_done(struct service *s);
void item_done(struct item *item);

/*
 * Find the item; ret was zeroed. Looks first whether the collection is locked, because items in a
 * locked one look as if they were not there.
 *
 * Returns AQ_OK, also if there is none; AQ_E_DENIED if the collection is locked; AQ_E_CORRUPT if
 * there are several; AQ_E_UNAVAILABLE.
 */
aq_status service_find(struct service *s, struct item *ret, struct aq_error *err);

/* Read what is in the item; nothing if there is no item. ret was zeroed. */
aq_status service_read(struct service *s, const struct item *item, struct secret_text *ret,
                       struct aq_error *err);

/* AQ_OK if there is a place where the item is or could be. */
aq_status service_check_collection(const struct service *s, const struct item *item,
                                   struct aq_error *err);

/* Make this the content of the item, which is created if there is none. A failure does not say that
 * nothing was written. */
aq_status service_write(struct service *s, const struct item *item, struct aq_str content,
                        struct aq_error *err);

/* Delete the item. */
aq_status service_delete(struct service *s, const struct item *item, struct aq_error *err);

#endif
