/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_STORE_H
#define AMAZONQ_STORE_H

/*
 * The table of a token store: a place where a login rests between two runs.
 *
 * A store maps keys (text, the names the Q CLI uses, such as "codewhisperer:odic:token") to values
 * (bytes, JSON text in practice, at most AQ_STORE_VALUE_MAX). It knows nothing about what they
 * mean.
 *
 *     open -> get | list | lock -> get -> can_save -> commit -> unlock -> close
 *
 * A store that is itself a token server, such as the broker of another machine or container, keeps
 * no login of its own and has nothing to be refreshed here. It has one more function, grant, and is
 * asked for tokens through that one alone.
 *
 * Calls are synchronous. They may block, within the limits said at each (longer only where a
 * setting lets the store ask somebody, who takes as long as people do); event loops run them in a
 * worker thread. Keys and values are secrets unless the key says otherwise: wipe every copy.
 */

#include <amazonq/status.h>
#include <amazonq/view.h>

#ifdef __cplusplus
extern "C" {
#endif

struct aq_open_args;

/** Largest value a store has to take, in bytes. */
#define AQ_STORE_VALUE_MAX (1u << 20)

/* What a change expects to find. */
#define AQ_EXPECT_ANY 0    /* whatever is there */
#define AQ_EXPECT_ABSENT 1 /* no such key */
#define AQ_EXPECT_VALUE 2  /* exactly these bytes */

/* What a change leaves behind. */
#define AQ_CHANGE_KEEP 0   /* only the expectation is checked */
#define AQ_CHANGE_REMOVE 1 /* no such key (not an error if there was none) */
#define AQ_CHANGE_PUT 2    /* this value */

/** One change of a commit. */
struct aq_change {
    struct aq_str key;
    int32_t expect; /* AQ_EXPECT_... */
    int32_t action; /* AQ_CHANGE_... */
    struct aq_bytes expected;
    struct aq_bytes value;
};

/* Bits of aq_token_wish.flags. */
#define AQ_WISH_FORCE 0x1u      /* a new token, even if the one that is there is valid */
#define AQ_WISH_NO_REFRESH 0x2u /* the token that is there, or AQ_E_EXPIRED */

/** What is wanted of a token that a token server hands over. */
struct aq_token_wish {
    uint32_t struct_size;
    uint32_t flags;      /* AQ_WISH_... */
    int64_t min_valid_s; /* seconds it must still be valid; 0: as long as is usual */
};

/* Bits of aq_store_ops.traits: what a caller may know before it opens the store. */
#define AQ_STORE_PERSISTENT 0x1u /* values survive the process */
#define AQ_STORE_SHARED \
    0x2u /* other processes see the same values; without lock, nothing in it is ever refreshed: \
            somebody else keeps it fresh */

/** Functions of a store. Slots marked "required" must not be NULL. */
struct aq_store_ops {
    uint32_t struct_size;
    uint32_t traits; /* AQ_STORE_... */

    /**
     * Required. Make an instance. Touches as little as possible: nothing is created, and what does
     * not exist yet is not an error here.
     *
     * @param ret_self  written on success only
     */
    aq_status (*open)(const struct aq_open_args *args, void **ret_self, struct aq_error *err);

    /** Required. End an instance, releasing a lock it holds. Accepts NULL. */
    void (*close)(void *self);

    /**
     * Required. Look one key up and hand its value to host->put(sink), with or without the blanks
     * at its end, which are never part of what a change expects either. Changes nothing: creates no
     * file, migrates nothing, repairs nothing but what an interrupted commit left half-done. Blocks
     * at most 5 s.
     *
     * @return AQ_OK, AQ_E_NOTFOUND (no text needed), or what stands in the way: AQ_E_BUSY,
     *         AQ_E_DENIED, AQ_E_CORRUPT, AQ_E_IO, AQ_E_UNAVAILABLE; or what host->put returned
     */
    aq_status (*get)(void *self, struct aq_str key, void *sink, struct aq_error *err);

    /**
     * Required. Hand every key to host->put(sink) with an empty value, in no particular order.
     * Changes nothing. No keys, or no store yet, is AQ_OK. Blocks at most 5 s.
     */
    aq_status (*list)(void *self, void *sink, struct aq_error *err);

    /**
     * Required. Apply all changes, or none. Durable when it returns AQ_OK. Creates the store,
     * private to its owner from the first instant, if there is none. Blocks at most 10 s.
     *
     * @param changes  count elements, stride bytes apart; the same key at most once
     * @return AQ_OK, AQ_E_CHANGED (an expectation failed, nothing was written), AQ_E_READONLY, or
     * as get. After any other error the caller reads again before it believes anything: an error
     * may come after the data was made durable.
     */
    aq_status (*commit)(void *self, const struct aq_change *changes, uint32_t count,
                        uint32_t stride, struct aq_error *err);

    /**
     * Optional, with unlock. Take the lock that lets one client at a time
     * refresh a login, among all threads, processes and containers that share the store. Not
     * recursive, independent of the locks that get and commit take for themselves, released by the
     * system when the process dies.
     *
     * @return AQ_OK, AQ_AGAIN (held by somebody else; never blocks), or an error
     */
    aq_status (*lock)(void *self, struct aq_error *err);

    /** Optional, with lock. Release the lock; nothing happens when it is not held. */
    void (*unlock)(void *self);

    /**
     * Optional. Prove, short of doing it, that a commit would work now: permissions, read-only
     * mounts, space. Asked before a refresh token is spent; may put space aside, and changes no
     * value. A store for which it depends on the value: what will be replaced is the one that was
     * looked up first since lock.
     *
     * @return AQ_OK, or the error commit would return, with a text that says what to do
     */
    aq_status (*can_save)(void *self, struct aq_error *err);

    /**
     * Optional, since minor 1. For token servers: hand the value of key, which is that of a token,
     * to host->put(sink), refreshed by whoever keeps the login so that it meets the wish. Where it
     * is there, the core asks for tokens through it and not through get, and never refreshes one.
     * The value needs no refresh_token. Blocks at most 1 s; returns early when a signal comes.
     *
     * @param wish  valid during the call
     * @return as get; AQ_AGAIN (not there yet; called again with the same key and wish until it is,
     *         or 30 s have passed; none for a second gives it up; calls with other keys and wishes
     *         come in between and leave it as it is); or what the server says of the login:
     *         AQ_E_NOT_LOGGED_IN, AQ_E_LOGIN_NEEDED, AQ_E_REFRESH (temporary), AQ_E_EXPIRED,
     *         AQ_E_NOT_SAVED
     */
    aq_status (*grant)(void *self, struct aq_str key, const struct aq_token_wish *wish, void *sink,
                       struct aq_error *err);
};

#define AQ_STORE_OPS .struct_size = sizeof(struct aq_store_ops)

#ifdef __cplusplus
}
#endif

#endif
