/* SPDX-License-Identifier: Apache-2.0 */
/* What an earlier process could not save is used and saved; its predecessor is not sent again. */
#include "base/str.h"
#include "client/fake_store.h"
#include "client/fixture.h"
#include "host/spill.h"
#include "no_memory.h"
#include "wire/timestamp.h"

#include "base/clock.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Leave this behind as the successor of the refresh token `spent`. */
static void leave_text(const char *spent, const char *text)
{
    struct buf path = BUF(0);
    struct aq_error err;
    assert_int_equal(spill_write(AQ_STR(TOKEN_KEY), str_from(spent), str_from(text), &path, &err),
                     AQ_OK);
    buf_done(&path);
}

static void leave(const char *spent, int generation, int64_t expires_in_s)
{
    char text[512];
    char expires[TIMESTAMP_TEXT_MAX];
    assert_true(timestamp_format(clock_wall_s() + expires_in_s, expires));
    snprintf(text, sizeof(text),
             "{\"access_token\":\"access-%d\",\"expires_at\":\"%s\",\"refresh_token\":"
             "\"refresh-%d\",\"region\":\"us-east-1\",\"oauth_flow\":\"DeviceCode\"}",
             generation, expires, generation);
    leave_text(spent, text);
}

static bool is_left(const char *spent)
{
    struct buf value = BUF(0);
    struct aq_error err;
    aq_status st = spill_read(AQ_STR(TOKEN_KEY), str_from(spent), &value, &err);
    buf_done(&value);
    return st == AQ_OK;
}

static void it_is_saved_and_no_request_is_made(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    leave("refresh-1", 2, 3600);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_string_equal(f->warning, "");
    assert_int_equal(support_requests(), 0);
    fixture_assert_row("refresh-2");
    fixture_assert_row("\"unknown\" : [1, {}]}"); /* the row's own members stay */
    assert_false(is_left("refresh-1"));
}

static void a_chain_of_them_is_followed_to_its_end(void **state)
{
    struct fixture *f = *state;
    fixture_login(-500, 1);
    leave("refresh-1", 2, -5);
    leave("refresh-2", 3, 3600);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-3");
    fixture_assert_row("refresh-3");
    assert_int_equal(support_requests(), 0);
}

static void one_that_has_expired_is_saved_and_refreshed(void **state)
{
    struct fixture *f = *state;
    fixture_login(-500, 1);
    leave("refresh-1", 7, -5);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    char *asked = support_asked();
    assert_contains(asked, "refresh-7");
    free(asked);
}

static void whichever_of_them_expires_later_it_succeeds_the_row(void **state)
{
    static const struct {
        int64_t row_s, left_s;
    } cases[] = {
        { 36000, 3600 }, /* a token of ten hours, refreshed by force for one of an hour */
        { 3600, 3600 },
        { 36000, 30 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_login(cases[i].row_s, 1);
        leave("refresh-1", 7, cases[i].left_s);
        fixture_play(f, REFRESH_OK);
        assert_int_equal(fixture_fetch(f, AQ_TOKEN_FORCE_REFRESH, 0), AQ_END);
        char *asked = support_asked();
        assert_null(strstr(asked, "refresh-1"));
        free(asked);
        bool good = cases[i].left_s > 60;
        assert_string_equal(f->access, good ? "access-7" : "access-2");
        fixture_assert_row(good ? "refresh-7" : "refresh-2");
        assert_int_equal(support_requests(), good ? 0 : 1);
        assert_false(is_left("refresh-1"));
    }
}

static void a_clock_that_was_set_back_does_not_hide_it(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    fixture_set_wall(-86400);
    leave("refresh-1", 7, 3600);
    fixture_set_wall(86400);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    char *asked = support_asked();
    assert_contains(asked, "refresh-7");
    assert_null(strstr(asked, "refresh-1"));
    free(asked);
    fixture_assert_row("refresh-2");
}

static void a_forced_refresh_that_could_not_be_saved_is_found_by_the_next(void **state)
{
    struct fixture *f = *state;
    fixture_login(36000, 1);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_BUSY);
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_FORCE_REFRESH, 0), AQ_END);
    assert_contains(f->warning, "kept in ");
    fixture_assert_row("refresh-1");

    fake_store_fail(FAKE_COMMIT, 0, 0, AQ_OK);
    fixture_play(f, REFRESH_REFUSED); /* what a spent token would get */
    assert_int_equal(fixture_fetch(f, AQ_TOKEN_FORCE_REFRESH, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    fixture_assert_row("refresh-2");
    assert_int_equal(support_requests(), 0);
}

static void that_of_another_login_is_left_alone(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    leave("refresh-8", 9, 3600);
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_true(is_left("refresh-8"));
}

static void one_that_is_no_login_is_removed(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    leave_text("refresh-1", "{\"access_token\":");
    fixture_play(f, REFRESH_OK);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_false(is_left("refresh-1"));
}

static void of_two_with_the_same_refresh_token_the_later_one_counts(void **state)
{
    struct fixture *f = *state;
    for (int later = 0; later < 2; later++) {
        fixture_login(-5, 1);
        leave("refresh-1", 1, later ? 3600 : -50);
        fixture_play(f, REFRESH_OK);
        assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
        assert_string_equal(f->access, later ? "access-1" : "access-2");
        assert_int_equal(support_requests(), later ? 0 : 1);
        assert_false(is_left("refresh-1"));
    }
}

static void one_that_cannot_be_saved_is_used_all_the_same(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    leave("refresh-1", 2, 3600);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_IO);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    assert_contains(f->warning, "kept in a file of its own because it cannot be saved");
    assert_true(is_left("refresh-1"));
    assert_int_equal(support_requests(), 0);
}

static void one_that_has_expired_and_cannot_be_saved_is_not_refreshed(void **state)
{
    struct fixture *f = *state;
    fixture_login(-500, 1);
    leave("refresh-1", 2, -5);
    fixture_play(f, REFRESH_OK);
    fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_IO);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_E_NOT_SAVED);
    assert_true(is_left("refresh-1"));
    assert_int_equal(support_requests(), 0);
}

static void where_the_store_cannot_even_be_locked_it_is_used_if_it_is_good(void **state)
{
    struct fixture *f = *state;
    for (int good = 0; good < 2; good++) {
        fixture_login(-500, 1);
        leave("refresh-1", 2, good ? 3600 : -5);
        fake_store_fail(FAKE_LOCK, 0, 1, AQ_E_READONLY);
        assert_int_equal(fixture_fetch(f, 0, 0), good ? AQ_END : AQ_E_NOT_SAVED);
        assert_string_equal(f->access, good ? "access-2" : "");
        assert_contains(good ? f->warning : f->err.text, "failed as it was told");
        assert_int_equal(support_requests(), 0);
    }
}

static void somebody_adds_a_member(void)
{
    char *row = fixture_get(TOKEN_KEY);
    char text[1200];
    row[strlen(row) - 1] = '\0';
    snprintf(text, sizeof(text), "%s,\"added\":1}", row);
    fixture_put(TOKEN_KEY, text);
    free(row);
}

static void a_row_that_changes_under_our_hands_is_read_again(void **state)
{
    struct fixture *f = *state;
    fixture_login(-5, 1);
    leave("refresh-1", 2, 3600);
    fake_store_meet(FAKE_COMMIT, 0, somebody_adds_a_member);
    assert_int_equal(fixture_fetch(f, 0, 0), AQ_END);
    assert_string_equal(f->access, "access-2");
    fixture_assert_row("\"added\":1}");
    fixture_assert_row("refresh-2");
}

static void while_it_is_not_known_whether_there_is_one_the_token_is_not_spent(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    for (int at = 1; failed; at++) {
        fixture_login(-5, 1);
        leave("refresh-1", 2, 3600);
        fixture_play(f, "");
        no_memory(at);
        aq_status st = aq_token_start(f->client, NULL, &f->op, &f->err);
        if (st == AQ_OK) {
            st = fixture_finish(f);
        }
        failed = no_memory_ended();
        assert_int_equal(support_requests(), 0);
        if (st == AQ_END) {
            assert_string_equal(f->access, "access-2");
        }
        assert_true(is_left("refresh-1") || strstr(fake_store_row(TOKEN_KEY), "refresh-2"));
    }
}

static void without_memory_one_that_cannot_be_saved_is_not_lost(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    for (int at = 1; failed; at++) {
        fixture_login(-5, 1);
        leave("refresh-1", 2, 3600);
        fixture_play(f, "");
        fake_store_fail(FAKE_COMMIT, 0, FAKE_FOR_EVER, AQ_E_IO);
        no_memory(at);
        aq_status st = aq_token_start(f->client, NULL, &f->op, &f->err);
        if (st == AQ_OK) {
            st = fixture_finish(f);
        }
        failed = no_memory_ended();
        assert_true(failed || st == AQ_END);
        assert_int_equal(support_requests(), 0);
        assert_true(is_left("refresh-1"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_is_saved_and_no_request_is_made),
        FAKE_CASE(a_chain_of_them_is_followed_to_its_end),
        FAKE_CASE(one_that_has_expired_is_saved_and_refreshed),
        FAKE_CASE(whichever_of_them_expires_later_it_succeeds_the_row),
        FAKE_CASE(a_clock_that_was_set_back_does_not_hide_it),
        FAKE_CASE(a_forced_refresh_that_could_not_be_saved_is_found_by_the_next),
        FAKE_CASE(that_of_another_login_is_left_alone),
        FAKE_CASE(one_that_is_no_login_is_removed),
        FAKE_CASE(of_two_with_the_same_refresh_token_the_later_one_counts),
        FAKE_CASE(one_that_cannot_be_saved_is_used_all_the_same),
        FAKE_CASE(one_that_has_expired_and_cannot_be_saved_is_not_refreshed),
        FAKE_CASE(where_the_store_cannot_even_be_locked_it_is_used_if_it_is_good),
        FAKE_CASE(a_row_that_changes_under_our_hands_is_read_again),
        FAKE_CASE(while_it_is_not_known_whether_there_is_one_the_token_is_not_spent),
        FAKE_CASE(without_memory_one_that_cannot_be_saved_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
