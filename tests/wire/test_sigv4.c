/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_all.h"

#include "base/sha256.h"
#include "base/str.h"
#include "wire/sigv4.h"
#include "wire/timestamp.h"

#include <json-c/json.h>

/* ---- the published suite ---- */

enum { HEADERS_MAX = 16 };

/* A case of it: a request as it would be on the wire, and what has to come of it. */
struct example {
    struct json_object *json;
    struct sigv4_request request;
    struct sigv4_header headers[HEADERS_MAX];
    struct sigv4_credentials credentials;
    struct sigv4_scope scope;
    char date[SIGV4_DATE_LEN + 1];
    struct buf body_digest;
};

static struct aq_str member(const struct example *example, const char *name)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(example->json, name, &value)
               ? str_from(json_object_get_string(value))
               : AQ_STR("");
}

static bool is_set(const struct example *example, const char *name)
{
    return json_object_get_boolean(json_object_object_get(example->json, name));
}

static void add_header(struct example *example, struct aq_str name, struct aq_str value)
{
    assert_true(example->request.header_count < HEADERS_MAX);
    example->headers[example->request.header_count++] = (struct sigv4_header){ name, value };
}

/* One header, with the lines that go on with it. */
static struct aq_str cut_header(struct aq_str *rest)
{
    struct aq_str line = str_cut(rest, '\n');
    while (rest->len && rest->ptr[0] == ' ') {
        struct aq_str more = str_cut(rest, '\n');
        line.len = (size_t)(more.ptr + more.len - line.ptr);
    }
    return line;
}

static void read_request(struct example *example)
{
    struct aq_str rest = member(example, "request");
    struct aq_str line = str_cut(&rest, '\n');
    example->request.method = str_cut(&line, ' ');
    example->request.target = (struct aq_str){ line.ptr, line.len - strlen(" HTTP/1.1") };
    while (rest.len) {
        struct aq_str value = cut_header(&rest);
        if (!value.len) {
            example->request.body = str_bytes(rest);
            break;
        }
        struct aq_str name = str_cut(&value, ':');
        add_header(example, name, value);
    }
}

static void digest_of_body(struct example *example)
{
    uint8_t digest[32];
    char hex[65];
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, example->request.body);
    sha256_done(&h, digest);
    sha256_hex(digest, hex);
    buf_add(&example->body_digest, str_from(hex));
}

static void read_example(struct example *example)
{
    read_request(example);
    example->request.headers = example->headers;
    example->credentials = (struct sigv4_credentials){ member(example, "access_key_id"),
                                                       member(example, "secret_access_key") };
    example->scope = (struct sigv4_scope){ .region = member(example, "region"),
                                           .service = member(example, "service"),
                                           .normalize_path = is_set(example, "normalize") };
    assert_true(timestamp_parse(member(example, "time"), &example->scope.time_s));
    assert_true(sigv4_date(example->scope.time_s, example->date));
    add_header(example, AQ_STR("X-Amz-Date"), str_from(example->date));
    if (member(example, "token").len && !is_set(example, "omit_session_token")) {
        add_header(example, AQ_STR("X-Amz-Security-Token"), member(example, "token"));
    }
    if (is_set(example, "sign_body")) {
        digest_of_body(example);
        add_header(example, AQ_STR("x-amz-content-sha256"), buf_str(&example->body_digest));
    }
}

static void assert_text(const struct example *example, const char *what, struct buf *found)
{
    struct aq_str expected = member(example, what);
    while (expected.len && expected.ptr[expected.len - 1] == '\n') {
        expected.len--;
    }
    assert_int_equal(buf_status(found), AQ_OK);
    if (!str_eq(buf_str(found), expected)) {
        fail_msg("%.*s, %s:\n%.*s\nis not\n%.*s", (int)member(example, "name").len,
                 member(example, "name").ptr, what, (int)found->len, (const char *)found->ptr,
                 (int)expected.len, expected.ptr);
    }
}

static void check(struct example *example)
{
    struct buf canonical = BUF(0), names = BUF(0), text = BUF(0), signature = BUF(0), all = BUF(0);
    sigv4_canonical_request(&example->request, &example->scope, &canonical, &names);
    assert_text(example, "canonical_request", &canonical);
    sigv4_string_to_sign(buf_str(&canonical), &example->scope, &text);
    assert_text(example, "string_to_sign", &text);
    sigv4_signature(&example->credentials, &example->scope, buf_str(&text), &signature);
    assert_text(example, "signature", &signature);
    assert_int_equal(
        sigv4_authorization(&example->request, &example->credentials, &example->scope, &all),
        AQ_OK);
    assert_true(str_ends(buf_str(&all), buf_str(&signature)));
    assert_true(str_contains(buf_str(&all), buf_str(&names)));
    buf_done(&canonical);
    buf_done(&names);
    buf_done(&text);
    buf_done(&signature);
    buf_done(&all);
}

static void each_case_of_the_published_suite_comes_out(void **state)
{
    struct json_object *suite = json_object_from_file(AQ_TEST_SIGV4_SUITE), *cases = NULL;
    (void)state;
    assert_true(json_object_object_get_ex(suite, "cases", &cases));
    assert_int_equal(json_object_array_length(cases), 38);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct example example = { .json = json_object_array_get_idx(cases, i) };
        read_example(&example);
        check(&example);
        buf_done(&example.body_digest);
    }
    json_object_put(suite);
}

/* ---- beyond it ---- */

static const struct sigv4_credentials credentials = { { "AKIDEXAMPLE", 11 }, { "secret", 6 } };
static const struct sigv4_scope scope = { { "us-east-1", 9 }, { "q", 1 }, 1440938160, true };
static const struct sigv4_header host = { { "Host", 4 }, { "q.us-east-1.amazonaws.com", 25 } };

static struct sigv4_request request_for(const char *target)
{
    return (struct sigv4_request){
        .method = AQ_STR("POST"), .target = str_from(target), .headers = &host, .header_count = 1
    };
}

/* The second line of the canonical request, or the third. */
static void assert_line(const char *target, int line, const char *expected)
{
    struct buf canonical = BUF(0), names = BUF(0);
    const struct sigv4_request request = request_for(target);
    sigv4_canonical_request(&request, &scope, &canonical, &names);
    struct aq_str rest = buf_str(&canonical), found = str_cut(&rest, '\n');
    for (int i = 1; i < line; i++) {
        found = str_cut(&rest, '\n');
    }
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.ptr, expected, found.len);
    buf_done(&canonical);
    buf_done(&names);
}

static void a_path_that_is_encoded_is_encoded_again(void **state)
{
    (void)state;
    assert_line("/a%20b", 2, "/a%2520b");
    assert_line("/arn:aws:q", 2, "/arn%3Aaws%3Aq");
}

static void a_path_cannot_lead_out_of_its_root(void **state)
{
    (void)state;
    assert_line("/../../a/./b/..", 2, "/a/");
    assert_line("/..", 2, "/");
    assert_line("", 2, "/");
}

static void parameters_are_sorted_by_name_and_then_by_value(void **state)
{
    (void)state;
    assert_line("/?b=2&a=2&a=1&a-=0", 3, "a=1&a=2&a-=0&b=2");
    assert_line("/?flag&a=%2f%zz&&", 3, "=&a=%2F%25zz&flag=");
}

static void more_headers_or_parameters_than_there_is_room_for_are_an_error(void **state)
{
    struct sigv4_header headers[SIGV4_HEADERS_MAX + 1];
    struct buf ret = BUF(0);
    struct sigv4_request request = request_for("/");
    (void)state;
    for (int i = 0; i <= SIGV4_HEADERS_MAX; i++) {
        headers[i] = host;
    }
    request.headers = headers;
    request.header_count = SIGV4_HEADERS_MAX;
    assert_int_equal(sigv4_authorization(&request, &credentials, &scope, &ret), AQ_OK);
    request.header_count++;
    assert_int_equal(sigv4_authorization(&request, &credentials, &scope, &ret), AQ_E_LIMIT);
    buf_done(&ret);

    char query[3 * (SIGV4_HEADERS_MAX + 1) + 3] = "/?";
    for (int i = 0; i <= SIGV4_HEADERS_MAX; i++) {
        strcat(query, "a=&");
    }
    request = request_for(query);
    assert_int_equal(sigv4_authorization(&request, &credentials, &scope, &ret), AQ_E_LIMIT);
    buf_done(&ret);
}

static void a_time_that_cannot_be_written_is_an_error(void **state)
{
    struct buf ret = BUF(0);
    const struct sigv4_request request = request_for("/");
    struct sigv4_scope late = scope;
    (void)state;
    late.time_s = INT64_MAX;
    assert_int_equal(sigv4_authorization(&request, &credentials, &late, &ret), AQ_E_INVALID);
    buf_done(&ret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_of_the_published_suite_comes_out),
        cmocka_unit_test(a_path_that_is_encoded_is_encoded_again),
        cmocka_unit_test(a_path_cannot_lead_out_of_its_root),
        cmocka_unit_test(parameters_are_sorted_by_name_and_then_by_value),
        cmocka_unit_test(more_headers_or_parameters_than_there_is_room_for_are_an_error),
        cmocka_unit_test(a_time_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
