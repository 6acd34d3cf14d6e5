/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of what crosses the plugin border, as it was when it was published. Structs may
 * grow at their end; a number in this file never changes on a platform with 64-bit pointers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <amazonq/amazonq.h>
#include <amazonq/plugin.h>

#define AT(type, member, offset) assert_int_equal(offsetof(struct type, member), offset)
#define AT_LEAST(type, size) assert_true(sizeof(struct type) >= (size))

static void views_and_errors_never_change(void **state)
{
    (void)state;
    assert_int_equal(sizeof(aq_status), 4);
    assert_int_equal(sizeof(struct aq_str), 16);
    assert_int_equal(sizeof(struct aq_bytes), 16);
    assert_int_equal(sizeof(struct aq_error), 512);
    AT(aq_error, sys, 4);
    AT(aq_error, http, 8);
    AT(aq_error, flags, 12);
    AT(aq_error, text, 16);
}

static void the_descriptor_keeps_its_places(void **state)
{
    (void)state;
    AT(aq_plugin, struct_size, 0);
    AT(aq_plugin, abi_minor, 4);
    AT(aq_plugin, kind, 8);
    AT(aq_plugin, name, 16);
    AT(aq_plugin, version, 24);
    AT(aq_plugin, summary, 32);
    AT(aq_plugin, settings, 40);
    AT(aq_plugin, setting_count, 48);
    AT(aq_plugin, setting_stride, 52);
    AT(aq_plugin, store, 56);
    AT(aq_plugin, transport, 64);
    AT_LEAST(aq_plugin, 72);

    AT(aq_setting, env, 16);
    AT(aq_setting, type, 32);
    AT(aq_setting, min, 40);
    AT_LEAST(aq_setting, 56);
}

static void the_host_table_keeps_its_places(void **state)
{
    (void)state;
    AT(aq_host, abi_minor, 4);
    AT(aq_host, ctx, 8);
    AT(aq_host, log, 16);
    AT(aq_host, now_us, 24);
    AT(aq_host, put, 32);
    AT(aq_host, ready, 40);
    AT(aq_open_args, value_count, 4);
    AT(aq_open_args, value_stride, 8);
    AT(aq_open_args, values, 16);
    AT(aq_open_args, host, 24);
    assert_int_equal(sizeof(struct aq_setting_value), 24);
}

static void the_store_table_keeps_its_places(void **state)
{
    (void)state;
    AT(aq_store_ops, traits, 4);
    AT(aq_store_ops, open, 8);
    AT(aq_store_ops, close, 16);
    AT(aq_store_ops, get, 24);
    AT(aq_store_ops, list, 32);
    AT(aq_store_ops, commit, 40);
    AT(aq_store_ops, lock, 48);
    AT(aq_store_ops, unlock, 56);
    AT(aq_store_ops, can_save, 64);
    AT(aq_store_ops, grant, 72);
    AT(aq_token_wish, flags, 4);
    AT(aq_token_wish, min_valid_s, 8);
    AT(aq_change, expect, 16);
    AT(aq_change, action, 20);
    AT(aq_change, expected, 24);
    AT(aq_change, value, 40);
}

static void the_transport_table_keeps_its_places(void **state)
{
    (void)state;
    AT(aq_transport_ops, open, 8);
    AT(aq_transport_ops, close, 16);
    AT(aq_transport_ops, interest, 24);
    AT(aq_transport_ops, step, 32);
    AT(aq_transport_ops, start, 40);
    AT(aq_transport_ops, response, 48);
    AT(aq_transport_ops, read, 56);
    AT(aq_transport_ops, finish, 64);
    AT(aq_transport_ops, facts, 72);
    AT(aq_request, flags, 12);
    AT(aq_facts, address, 8);
    AT(aq_facts, issuer, 88);
    AT(aq_facts, not_after_s, 104);
    AT(aq_facts, answered_us, 116);
    AT(aq_interest, deadline_us, 8);
    AT(aq_request, method, 16);
    AT(aq_request, url, 32);
    AT(aq_request, headers, 48);
    AT(aq_request, body, 56);
    AT(aq_request, connect_timeout_ms, 72);
    AT(aq_request, total_timeout_ms, 84);
    AT(aq_response, status, 4);
    AT(aq_response, headers, 16);
    AT(aq_response, protocol, 24);
}

static void an_option_struct_begins_with_its_size(void **state)
{
    (void)state;
    AT(aq_client_options, struct_size, 0);
    AT(aq_token_options, struct_size, 0);
    AT(aq_login_options, struct_size, 0);
    AT(aq_login_step, struct_size, 0);
    AT(aq_profile, struct_size, 0);
    AT(aq_stream_options, struct_size, 0);
    AT(aq_exchange_options, struct_size, 0);
    AT(aq_exchange_fault, struct_size, 0);
    AT(aq_http_options, struct_size, 0);
    AT(aq_event, struct_size, 0);
    AT(aq_token, struct_size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_and_errors_never_change),
        cmocka_unit_test(the_descriptor_keeps_its_places),
        cmocka_unit_test(the_host_table_keeps_its_places),
        cmocka_unit_test(the_store_table_keeps_its_places),
        cmocka_unit_test(the_transport_table_keeps_its_places),
        cmocka_unit_test(an_option_struct_begins_with_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
