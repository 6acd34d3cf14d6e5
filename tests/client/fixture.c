/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fixture.h"

#include "base/clock.h"
#include "client/fake_store.h"
#include "client/still_clock.h"
#include "wire/timestamp.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_fake_store;

/* ---- the clocks ---- */

void fixture_pass(struct fixture *f, int seconds)
{
    still_clock_pass((uint64_t)seconds * 1000000);
    aq_client_step(f->client, NULL);
}

void fixture_set_wall(int64_t by_s)
{
    still_clock_set_wall(by_s);
}

/* ---- the home ---- */

const char *fixture_path(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", getenv("HOME"), name);
    return path;
}

void fixture_write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static int setup(void **state, bool fake)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    support_setup(NULL);
    setenv("HOME", getenv("XDG_DATA_HOME"), 1);
    setenv("XDG_RUNTIME_DIR", fixture_path("runtime"), 1);
    setenv("XDG_STATE_HOME", fixture_path("state"), 1);
    setenv("XDG_CACHE_HOME", fixture_path("cache"), 1);
    assert_int_equal(mkdir(fixture_path("runtime"), 0700), 0);
    has_fake_store = fake;
    still_clock_begin();
    fake_store_reset();
    fixture_play(f, "");
    *state = f;
    return 0;
}

int fixture_setup(void **state)
{
    return setup(state, false);
}

int fixture_setup_fake(void **state)
{
    return setup(state, true);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    aq_op_free(f->op);
    aq_client_free(f->client);
    free(f);
    return support_teardown(NULL);
}

/* ---- the store ---- */

void fixture_put(const char *key, const char *value)
{
    if (has_fake_store) {
        fake_store_put(key, value);
    } else {
        support_put(key, value);
    }
}

void fixture_remove(const char *key)
{
    if (has_fake_store) {
        fake_store_remove(key);
    } else {
        support_remove(key);
    }
}

char *fixture_get(const char *key)
{
    if (has_fake_store) {
        const char *row = fake_store_row(key);
        return row ? strdup(row) : NULL;
    }
    return support_get(key);
}

void fixture_assert_row(const char *part)
{
    char *row = fixture_get(TOKEN_KEY);
    assert_non_null(row);
    assert_contains(row, part);
    free(row);
}

void fixture_login(int64_t expires_in_s, int generation)
{
    char text[1024];
    support_token_text(text, sizeof(text), expires_in_s, generation);
    fixture_put(TOKEN_KEY, text);
    fixture_put(REGISTRATION_KEY, SUPPORT_REGISTRATION);
}

void fixture_put_token(const char *access, const char *refresh, int64_t expires_in_s)
{
    char text[512];
    char expires[TIMESTAMP_TEXT_MAX];
    assert_true(timestamp_format(clock_wall_s() + expires_in_s, expires));
    snprintf(text, sizeof(text),
             "{\"access_token\":\"%s\",\"expires_at\":\"%s\",\"refresh_token\":\"%s\","
             "\"region\":\"us-east-1\",\"start_url\":null,\"oauth_flow\":\"DeviceCode\"}",
             access, expires, refresh);
    fixture_put(TOKEN_KEY, text);
}

/* ---- the transport and the client ---- */

void fixture_play(struct fixture *f, const char *script)
{
    fixture_drop(f);
    aq_client_free(f->client);
    support_play(script);
    f->client = support_client();
    if (has_fake_store) {
        fake_store_install(f->client);
    }
}

int fixture_warned(struct fixture *f, const char *part)
{
    struct aq_str line;
    int32_t level;
    int count = 0;
    while (aq_client_next_log(f->client, &level, &line) == AQ_OK) {
        count += level == AQ_CLIENT_LOG_WARN && strstr(line.ptr, part);
    }
    return count;
}

/* ---- a token operation ---- */

void fixture_start(struct fixture *f, uint32_t flags, int64_t min_valid_s)
{
    struct aq_token_options options = AQ_TOKEN_OPTIONS_INIT;
    options.flags = flags;
    options.min_valid_s = min_valid_s;
    fixture_drop(f);
    f->access[0] = f->warning[0] = '\0';
    assert_int_equal(aq_token_start(f->client, &options, &f->op, &f->err), AQ_OK);
    assert_true(aq_op_may_block(f->op));
}

/* As aq_op_wait, but when there is nothing to wait for except a moment in time, it comes at once.
 */
static aq_status next_event(struct fixture *f)
{
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    aq_status st;
    while ((st = aq_op_next(f->op, &f->event, &f->err)) == AQ_AGAIN) {
        fixture_pass(f, poll(&wait, 1, 0) == 1 ? 0 : 1);
    }
    return st;
}

aq_status fixture_finish(struct fixture *f)
{
    aq_status st;
    while ((st = next_event(f)) == AQ_OK) {
        if (f->event->type == AQ_EVENT_TOKEN) {
            snprintf(f->access, sizeof(f->access), "%.*s",
                     AQ_STR_ARG(f->event->token->access_token));
        } else {
            assert_int_equal(f->event->type, AQ_EVENT_WARNING);
            snprintf(f->warning, sizeof(f->warning), "%.*s", AQ_STR_ARG(f->event->text));
        }
    }
    return st;
}

aq_status fixture_fetch(struct fixture *f, uint32_t flags, int64_t min_valid_s)
{
    fixture_start(f, flags, min_valid_s);
    return fixture_finish(f);
}

void fixture_send(struct fixture *f)
{
    fixture_start(f, 0, 0);
    assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
    assert_int_equal(support_requests(), 1);
}

void fixture_drop(struct fixture *f)
{
    aq_op_free(f->op);
    f->op = NULL;
}

void fixture_settle(struct fixture *f)
{
    struct pollfd wait = { .fd = aq_client_fd(f->client), .events = POLLIN };
    while (poll(&wait, 1, 0) == 1) {
        assert_int_equal(aq_client_step(f->client, NULL), AQ_OK);
        if (f->op) {
            assert_int_equal(aq_op_next(f->op, &f->event, &f->err), AQ_AGAIN);
        }
    }
}
