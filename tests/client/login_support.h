/* SPDX-License-Identifier: Apache-2.0 */
/* What the cases of a login share: the answers of the service, and an operation that is driven. */
#ifndef AQ_TESTS_CLIENT_LOGIN_SUPPORT_H
#define AQ_TESTS_CLIENT_LOGIN_SUPPORT_H

#include "client/fixture.h"

#include <amazonq/login.h>

#define START_URL "https://example.awsapps.com/start"
#define ORGANISATION_URL_KEY "auth.idc.start-url"
#define ORGANISATION_REGION_KEY "auth.idc.region"
#define CUSTOMIZATION_KEY "api.selectedCustomization"

/* Answers, as parts of a script. */
#define ANSWER(http, body) "status " http "\nbody " body "\n---\n"
#define REGISTERED \
    ANSWER("200", "{\"clientId\":\"new-id\",\"clientSecret\":\"new-secret\"," \
                  "\"clientSecretExpiresAt\":4070908800}")
#define DEVICE(lifetime) \
    ANSWER("200", \
           "{\"deviceCode\":\"dc\",\"userCode\":\"ABCD-EFGH\",\"verificationUri\":" \
           "\"https://a.example/d\",\"verificationUriComplete\":\"https://a.example/d?c=1\"," \
           "\"expiresIn\":" lifetime ",\"interval\":1}")
#define PENDING ANSWER("400", "{\"error\":\"authorization_pending\"}")
#define SLOW_DOWN ANSWER("400", "{\"error\":\"slow_down\"}")
#define TOKENS \
    ANSWER("200", \
           "{\"accessToken\":\"access-9\",\"refreshToken\":\"refresh-9\",\"expiresIn\":3600}")
#define ONE_PROFILE \
    ANSWER("200", "{\"profiles\":[{\"arn\":\"arn:aws:codewhisperer:us-east-1:1:profile/A\"," \
                  "\"profileName\":\"One\"}]}")
#define NO_PROFILES ANSWER("200", "{\"profiles\":[]}")
#define NEVER "sleep 1000000000\n---\n"

/* What a login has reported. */
struct seen {
    char kinds[128]; /* a letter for each event: W(aiting) V(isit) P(rofiles) L(ogged in) !
                        (warning) */
    char url[1024], short_url[256], user_code[64], callback_url[128];
    char waits[1024]; /* what for, one a line */
    char saved[64];   /* access token of a login that was saved by then */
    uint32_t longest_ms;
    uint32_t valid_s;
    char access[64], profile_arn[128], start_url[128];
    char first_arn[128];
    uint32_t profile_count, current;
};

/* Start it. Views of options are borrowed for the call. */
void login_support_start(struct fixture *f, struct seen *seen,
                         const struct aq_login_options *options);

/* Take the next event into seen: as aq_op_wait, but where there is only a moment in time to wait
 * for, it comes at once. AQ_AGAIN after AQ_EVENT_PROFILES, which is the case's to answer. */
aq_status login_support_next(struct fixture *f, struct seen *seen);

/* To its end, or to AQ_EVENT_PROFILES (AQ_AGAIN). */
aq_status login_support_finish(struct fixture *f, struct seen *seen);

/* As far as AQ_EVENT_VISIT. */
void login_support_visit(struct fixture *f, struct seen *seen);

/* All of it: start with these options (NULL: defaults), go to the end. */
aq_status login_support_make(struct fixture *f, struct seen *seen,
                             const struct aq_login_options *options);

/* Seconds that have passed, by the clock that cases move. */
int64_t login_support_clock_s(void);

/* No row of a login, and no file of one, is left. */
void login_support_assert_nothing(void);

/* The row of this key is exactly this. */
void login_support_assert_row(const char *key, const char *want);

#endif
