/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_LOGIN_H
#define AMAZONQ_LOGIN_H

/*
 * The operations that make a login, and choose the profile of an organisation's login.
 *
 *     aq_login_start(client, &options, &op, &err)
 *     while ((st = aq_op_wait(op, &event, &err)) == AQ_OK)
 *         switch (event->type) {
 *         case AQ_EVENT_VISIT:      show event->login->url (and ->user_code) to a person
 *         case AQ_EVENT_WAITING:    event->text says what for; nothing has to be done
 *         case AQ_EVENT_PROFILES:   aq_op_give_profile(op, the ARN that was chosen, &err)
 *         case AQ_EVENT_LOGGED_IN:  event->token is the login, which has been saved
 *         }
 *     st == AQ_END
 *
 * A person confirms the login in a browser, on any device with AQ_LOGIN_DEVICE, on this one with
 * AQ_LOGIN_BROWSER. The library opens no browser.
 *
 * That the login can be saved is proved before anybody is sent to a browser. Once the service has
 * given the tokens, everything that belongs to the login is saved in one commit; freed before that,
 * the operation leaves nothing behind. What the store does not take within 15 s goes to a private
 * file, and the next login of the same account saves it without a browser.
 *
 * Every wait has an end, and AQ_EVENT_WAITING says when: 45 s for the service, 30 s for somebody
 * who holds the store's lock, for the person as long as the service's code lives (10 minutes for
 * AQ_LOGIN_BROWSER).
 */

#include <amazonq/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How the person confirms the login. */
#define AQ_LOGIN_DEVICE 0  /* types a code on a page (RFC 8628) */
#define AQ_LOGIN_BROWSER 1 /* a browser on this machine brings it back (RFC 8252, RFC 7636) */

/* Bits of aq_login_options.flags. */
#define AQ_LOGIN_ORGANISATION \
    0x1u /* IAM Identity Center: start_url and region that are empty are those of the last one */
#define AQ_LOGIN_REPLACE 0x2u /* a login that is there and valid may be overwritten */
#define AQ_LOGIN_LASTING 0x4u /* refuse a store that forgets the login when the process ends */

/** What to log in to. Zero-initialise, then set struct_size. Everything is copied. */
struct aq_login_options {
    uint32_t struct_size;
    uint32_t flags; /* AQ_LOGIN_... */
    int32_t flow;   /* AQ_LOGIN_DEVICE or AQ_LOGIN_BROWSER */
    uint32_t reserved;
    struct aq_str start_url;   /* of the organisation, https; empty: Builder ID */
    struct aq_str region;      /* of the sign-in service; empty: us-east-1 */
    struct aq_str profile_arn; /* to choose; empty: the only one, or AQ_EVENT_PROFILES asks */
};

#define AQ_LOGIN_OPTIONS_INIT \
    { \
        sizeof(struct aq_login_options), 0, 0, 0, { NULL, 0 }, { NULL, 0 }, \
        { \
            NULL, 0 \
        } \
    }

/* Bits of aq_profile.flags. */
#define AQ_PROFILE_CURRENT 0x1u /* the one that is in use */

/** A profile of an organisation, which the service's requests name. */
struct aq_profile {
    uint32_t struct_size;
    uint32_t flags; /* AQ_PROFILE_... */
    struct aq_str arn;
    struct aq_str name; /* for people; may be empty. As the service sent it: filter it before a
                           terminal sees it */
};

/** What the events of these operations carry. Members that an event does not mention are zero. */
struct aq_login_step {
    uint32_t struct_size;
    uint32_t valid_s; /* AQ_EVENT_VISIT: seconds until it is too late */

    /* AQ_EVENT_VISIT: printable ASCII; https, or http on this machine. No secret is in them. */
    struct aq_str url;          /* to open */
    struct aq_str short_url;    /* to type; AQ_LOGIN_DEVICE only */
    struct aq_str user_code;    /* to compare, or to type; AQ_LOGIN_DEVICE only */
    struct aq_str callback_url; /* where the browser will come to; AQ_LOGIN_BROWSER only */

    /* AQ_EVENT_PROFILES */
    const struct aq_profile *profiles;
    uint32_t profile_count;
    uint32_t profile_stride; /* bytes from one profile to the next */
};

/**
 * Start to log in. Reports AQ_EVENT_WAITING before each wait, with the login as soon as that is
 * saved and only its profile is still to come, AQ_EVENT_VISIT once,
 * AQ_EVENT_PROFILES at most once (an organisation with several profiles, and none was named),
 * AQ_EVENT_WARNING if the login is good but something beside it is not, or if chat will not use it
 * because it signs with an access key, AQ_EVENT_LOGGED_IN, then AQ_END. May block, see
 * aq_op_may_block.
 *
 * The login goes where the client's settings say ("store", "db"; "source": its own, "q-cli"). It
 * replaces one that has expired and cannot be refreshed any more.
 *
 * The operation fails with AQ_E_STATE (logged in already), AQ_E_ACCESS (denied), AQ_E_TIMEOUT (not
 * confirmed in time), AQ_E_VALIDATION, AQ_E_SERVICE, AQ_E_THROTTLED (the service refused), the
 * network's errors, AQ_E_UNSUPPORTED (the store keeps no logins, or none that is to last), or the
 * store's own error. After AQ_EVENT_PROFILES, and with AQ_E_INVALID for a profile_arn that the
 * account does not have, the login has been saved.
 *
 * @param options  NULL means all defaults: a Builder ID, by a code
 * @return AQ_OK, AQ_E_INVALID, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_login_start(struct aq_client *client, const struct aq_login_options *options,
                                struct aq_op **ret, struct aq_error *err);

/**
 * Start to list the profiles of the login, and maybe to choose one. Reports AQ_EVENT_WARNING as the
 * token operation does, or if one of the service's regions cannot be asked; AQ_EVENT_PROFILES, also
 * when there are none; and AQ_END once the one that was given is saved. Free the operation to
 * change nothing. May block, see aq_op_may_block.
 *
 * The operation fails as the token operation does, with the service's and the store's errors, with
 * AQ_E_STATE: a Builder ID, a social account and an API key have no profiles to choose from; or
 * with AQ_E_CHANGED: since the list somebody has logged out, or in anew, and nothing was saved.
 *
 * @return AQ_OK, AQ_E_NOMEM, AQ_E_FORKED
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_profiles_start(struct aq_client *client, struct aq_op **ret,
                                   struct aq_error *err);

#ifdef __cplusplus
}
#endif

#endif
