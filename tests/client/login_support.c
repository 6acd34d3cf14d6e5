/* SPDX-License-Identifier: Apache-2.0 */
#include "client/login_support.h"

#include "base/clock.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>

static void copy(char *to, size_t size, struct aq_str s)
{
    assert_true(s.len < size);
    snprintf(to, size, "%.*s", AQ_STR_ARG(s));
}

#define COPY(to, s) copy(to, sizeof(to), s)

static void see_kind(struct seen *seen, char kind)
{
    size_t len = strlen(seen->kinds);
    assert_true(len + 1 < sizeof(seen->kinds));
    seen->kinds[len] = kind;
}

static void see_step(struct seen *seen, const struct aq_login_step *step)
{
    COPY(seen->url, step->url);
    COPY(seen->short_url, step->short_url);
    COPY(seen->user_code, step->user_code);
    COPY(seen->callback_url, step->callback_url);
    seen->valid_s = step->valid_s;
}

static void see_profiles(struct seen *seen, const struct aq_login_step *step)
{
    seen->profile_count = step->profile_count;
    for (uint32_t i = 0; i < step->profile_count; i++) {
        seen->current += step->profiles[i].flags & AQ_PROFILE_CURRENT ? i + 1 : 0;
    }
    if (step->profile_count) {
        assert_int_equal(step->profile_stride, sizeof(struct aq_profile));
        COPY(seen->first_arn, step->profiles[0].arn);
    }
}

static void see(struct fixture *f, struct seen *seen)
{
    size_t len = strlen(seen->waits);
    switch (f->event->type) {
    case AQ_EVENT_WAITING:
        see_kind(seen, 'W');
        snprintf(seen->waits + len, sizeof(seen->waits) - len, "%.*s\n",
                 AQ_STR_ARG(f->event->text));
        COPY(seen->saved, f->event->token ? f->event->token->access_token : AQ_STR(""));
        assert_true(f->event->delay_ms > 0);
        seen->longest_ms =
            f->event->delay_ms > seen->longest_ms ? f->event->delay_ms : seen->longest_ms;
        break;
    case AQ_EVENT_VISIT:
        see_kind(seen, 'V');
        see_step(seen, f->event->login);
        break;
    case AQ_EVENT_PROFILES:
        see_kind(seen, 'P');
        see_profiles(seen, f->event->login);
        break;
    case AQ_EVENT_LOGGED_IN:
        see_kind(seen, 'L');
        COPY(seen->access, f->event->token->access_token);
        COPY(seen->profile_arn, f->event->token->profile_arn);
        COPY(seen->start_url, f->event->token->start_url);
        break;
    case AQ_EVENT_RETRY:
        break;
    default:
        see_kind(seen, '!');
        assert_int_equal(f->event->type, AQ_EVENT_WARNING);
        COPY(f->warning, f->event->text);
    }
}

void login_support_start(struct fixture *f, struct seen *seen,
                         const struct aq_login_options *options)
{
    fixture_drop(f);
    memset(seen, 0, sizeof(*seen));
    f->warning[0] = '\0';
    assert_int_equal(aq_login_start(f->client, options, &f->op, &f->err), AQ_OK);
    assert_true(aq_op_may_block(f->op));
}

aq_status login_support_next(struct fixture *f, struct seen *seen)
{
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    aq_status st;
    while ((st = aq_op_next(f->op, &f->event, &f->err)) == AQ_AGAIN) {
        fixture_pass(f, poll(&wait, 1, 0) == 1 ? 0 : 1);
    }
    if (st == AQ_OK) {
        see(f, seen);
    }
    return st == AQ_OK && f->event->type == AQ_EVENT_PROFILES ? AQ_AGAIN : st;
}

aq_status login_support_finish(struct fixture *f, struct seen *seen)
{
    aq_status st;
    while ((st = login_support_next(f, seen)) == AQ_OK) {
    }
    return st;
}

void login_support_visit(struct fixture *f, struct seen *seen)
{
    while (!strchr(seen->kinds, 'V')) {
        assert_int_equal(login_support_next(f, seen), AQ_OK);
    }
}

aq_status login_support_make(struct fixture *f, struct seen *seen,
                             const struct aq_login_options *options)
{
    login_support_start(f, seen, options);
    return login_support_finish(f, seen);
}

int64_t login_support_clock_s(void)
{
    return (int64_t)(clock_now_us() / 1000000);
}

void login_support_assert_nothing(void)
{
    static const char *const keys[] = { TOKEN_KEY,         REGISTRATION_KEY,
                                        PROFILE_KEY,       ORGANISATION_URL_KEY,
                                        CUSTOMIZATION_KEY, ORGANISATION_REGION_KEY };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *row = fixture_get(keys[i]);
        assert_null(row);
    }
    DIR *state = opendir(fixture_path("state/amazonq"));
    if (state) {
        const struct dirent *entry;
        while ((entry = readdir(state))) {
            assert_true(entry->d_name[0] == '.');
        }
        closedir(state);
    }
}

void login_support_assert_row(const char *key, const char *want)
{
    char *row = fixture_get(key);
    assert_non_null(row);
    assert_string_equal(row, want);
    free(row);
}
