/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where logins rest: in which store, and in which file of it. A login that has a name (setting
 * `login`) rests beside the usual ones: a store of files has a directory for each, and a store that
 * declares a setting `login` is told the name (docs/adr/0021).
 */
#ifndef AQ_CLIENT_PLACE_H
#define AQ_CLIENT_PLACE_H

#include "client/client.h"

/* A place, as the settings say. */
struct place {
    const struct plugin *plugin;
    bool shared;                 /* every source's, because the user named it or it is no file */
    bool exists;                 /* worth looking, also where there is no file at all */
    struct settings_value path;  /* of the file; empty: the store is none. A view of text */
    struct settings_value login; /* name of the login; empty: the usual one, which has none */
    bool silent;                 /* whatever the settings say, the store asks nobody anything */
    struct buf text;
};

/*
 * Find the place where this store has the logins of a program.
 *
 * app  the program's folder below the user's data directory
 *
 * *ret must be zeroed; place_done gives its memory back either way.
 */
aq_status place_find(const struct aq_client *client, const struct plugin *plugin, struct aq_str app,
                     struct place *ret, struct aq_error *err);
void place_done(struct place *p);

/* The same for a login of this name (empty: the usual one), wherever the client's own is. Only if
 * place_has_logins. */
aq_status place_of_login(const struct plugin *plugin, struct aq_str app, struct aq_str login,
                         struct place *ret, struct aq_error *err);

/* The store keeps each login in a file of its own, so that all of them can be found. */
bool place_has_logins(const struct plugin *plugin);

/*
 * Append what else the store's settings say of the place, as "KEY=VALUE" lines: a keyring is one of
 * several. It is what is text, and the same in every session: no variable gives it.
 */
void place_describe(const struct aq_client *client, const struct place *place, struct buf *out);

/* Whether it would be shared. */
bool place_is_shared(const struct aq_client *client, const struct plugin *plugin);

/* Open the store there. *ret must be zeroed and must not move. */
aq_status place_open(struct aq_client *client, const struct place *place, struct store *ret,
                     struct aq_error *err);

/* Nothing is there. What cannot be looked at may be there all the same, and opening it will say
 * what is wrong. */
bool place_is_absent(const struct buf *path);

/* The name of the login there; empty: the usual one, which has none. */
struct aq_str place_login(const struct aq_client *client, const struct plugin *plugin);

/* 1 to 64 of a-z, 0-9, _ and -, beginning with a letter. */
bool place_name_is_valid(struct aq_str name);

/* Append the directory that has one for each login with a name. */
aq_status place_logins(struct buf *out, struct aq_error *err);

#endif
