/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_SOURCES_H
#define AMAZONQ_SOURCES_H

/*
 * Which logins there are on this machine, and which of them a client uses.
 *
 *     aq_sources_open(client, &sources, &err)
 *     while (aq_sources_next(sources, &entry) == AQ_OK) ...
 *     aq_sources_free(sources)
 *
 * Everything is looked at and nothing is changed: no network, no refresh, no question to anybody,
 * not even that of a keyring that could ask to be unlocked. No token is shown.
 */

#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct aq_sources;

/* What was found. */
#define AQ_SOURCE_ABSENT 1     /* there is no such file */
#define AQ_SOURCE_EMPTY 2      /* nobody is signed in there */
#define AQ_SOURCE_VALID 3      /* the token is valid, or does not say until when */
#define AQ_SOURCE_EXPIRED 4    /* the token has expired, or ends within a minute */
#define AQ_SOURCE_UNREADABLE 5 /* reason says why */

/* Bits of aq_source.flags. */
#define AQ_SOURCE_CHOSEN 0x1u      /* the one that this client uses */
#define AQ_SOURCE_REFRESHABLE 0x2u /* can be refreshed from here, if its refresh token is good */

/** One login, or a place without one. Views belong to the struct aq_sources. Absent texts are
 * empty. */
struct aq_source {
    uint32_t struct_size; /* set by the caller */
    uint32_t flags;       /* AQ_SOURCE_CHOSEN, ... */
    int32_t state;        /* AQ_SOURCE_ABSENT, ... */
    uint32_t reserved;
    struct aq_str source;     /* whose login it is, as the setting `source` names it */
    struct aq_str kind;       /* as aq_token.kind */
    struct aq_str login;      /* name of the login beside the usual ones; empty: the usual one */
    struct aq_str store;      /* name of the store plugin */
    struct aq_str place;      /* the file, or what it is called; empty: the store has none */
    struct aq_str expires_at; /* RFC 3339 */
    int64_t expires_at_s;     /* seconds since 1970-01-01 UTC; 0: not known */
    struct aq_str region;
    struct aq_str start_url;
    struct aq_str profile_arn;
    struct aq_str reason; /* why it is used, or is not; one line for people */
};

/**
 * Look at all of them: those that the client's settings can mean, those that count only when they
 * are named (`source`), and logins with other names (`login`). Opens the client's store, and blocks
 * as a token operation may (aq_op_may_block).
 *
 * @param ret  end it with aq_sources_free; independent of the client from here on
 * @return AQ_OK, AQ_E_INVALID (a setting is wrong), AQ_E_PLUGIN, AQ_E_NOMEM, AQ_E_FORKED; what is
 *         wrong with a single login is said in its entry
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_sources_open(struct aq_client *client, struct aq_sources **ret,
                                 struct aq_error *err);

/**
 * Get the next one.
 *
 * @param ret  struct_size set by the caller
 * @return AQ_OK, AQ_END, AQ_E_INVALID (struct_size)
 * Threads: any one.  Since: 0.1
 */
AQ_API aq_status aq_sources_next(struct aq_sources *sources, struct aq_source *ret);

/** End it. Accepts NULL. Threads: any one.  Since: 0.1 */
AQ_API void aq_sources_free(struct aq_sources *sources);

#ifdef __cplusplus
}
#endif

#endif
