/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

struct sample {
    const char *in;
    const char *out;
};

/* Text of the samples may hold NUL only by itself, so strlen will do. */
static const struct sample samples[] = {
    /* what must come through */
    { "plain text, \ttabs\nand lines\n", "plain text, \ttabs\nand lines\n" },
    { "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80", "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC "
                                                          "\xF0\x9F\x98\x80" },
    { "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", "\xF0\x9F\x91\xA9\xE2\x80\x8D"
                                                      "\xF0\x9F\x92\xBB" },
    { "\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xB1", "\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xB1" },
    { "\xE2\x9D\xA4\xEF\xB8\x8F", "\xE2\x9D\xA4\xEF\xB8\x8F" },

    /* C0 and DEL */
    { "a\rb", "ab" },
    { "a\r\nb", "a\nb" },
    { "a\x07\x08\x0B\x0C\x0E\x0F\x7F"
      "b",
      "ab" },

    /* ESC and one byte, or with intermediates */
    { "a\x1B"
      "cb",
      "ab" },
    { "a\x1B(0b", "ab" },
    { "a\x1B#8b", "ab" },
    { "a\x1B %Gb", "ab" },
    { "a\x1B\x1B[2Jb", "ab" },
    { "a\x1B\nb", "a\nb" },

    /* CSI */
    { "a\x1B[31mb\x1B[0mc", "abc" },
    { "a\x1B[2J\x1B[1;1Hb", "ab" },
    { "a\x1B[?1049hb", "ab" },
    { "a\x1B[6nb", "ab" },
    { "a\x1B[1\"qb", "ab" },
    { "a\xC2\x9B"
      "31mb",
      "ab" },
    { "a\x1B[31\nb", "a\nb" },
    { "a\x1B[3\x1B[4mb", "ab" },

    /* OSC: title, hyperlink, clipboard; ended by BEL, ESC \ or U+009C */
    { "a\x1B]0;title\x07"
      "b",
      "ab" },
    { "a\x1B]52;c;ZWNobw==\x1B\\b", "ab" },
    { "a\x1B]8;;https://x.test\x1B\\link\x1B]8;;\x1B\\b", "alinkb" },
    { "a\xC2\x9D"
      "0;title\xC2\x9C"
      "b",
      "ab" },
    { "a\x1B]0;t\xC3\xA4\xE2\x82\xAC\x07"
      "b",
      "ab" },

    /* DCS, SOS, PM, APC */
    { "a\x1BPq#0;2;0;0;0\x1B\\b", "ab" },
    { "a\x1BXstart\x1B\\b", "ab" },
    { "a\x1B^private\x1B\\b", "ab" },
    { "a\x1B_Gf=24;AAAA\x1B\\b", "ab" },
    { "a\xC2\x90q\xC2\x9C"
      "b",
      "ab" },
    { "a\xC2\x98s\xC2\x9C\xC2\x9Es\xC2\x9C\xC2\x9Fs\xC2\x9C"
      "b",
      "ab" },

    /* a string that nobody ends hides the rest of its line only */
    { "a\x1B]0;never ended\nb", "a\nb" },
    { "a\x1BPnever\x18"
      "b",
      "ab" },
    { "a\x1B]0;x\x1B[31mb", "ab" },

    /* C1 that take nothing with them */
    { "a\xC2\x84\xC2\x85\xC2\x8D"
      "b",
      "ab" },

    /* order, invisible characters, tags */
    { "a\xE2\x80\xAE"
      "b\xE2\x80\xAC",
      "ab" },
    { "a\xE2\x81\xA6"
      "b\xE2\x81\xA9\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C",
      "ab" },
    { "a\xE2\x80\x8B\xE2\x81\xA0\xEF\xBB\xBF"
      "b",
      "ab" },
    { "a\xF3\xA0\x81\x81\xF3\xA0\x81\xBF"
      "b",
      "ab" },
    { "a\xF3\xA0\x84\x80"
      "b",
      "ab" },

    /* bytes that are not UTF-8 cannot smuggle a control character */
    { "a\x9B"
      "31mb",
      "a\xEF\xBF\xBD"
      "31mb" },
    { "a\xC0\x9B"
      "b",
      "a\xEF\xBF\xBD\xEF\xBF\xBD"
      "b" },
    { "a\xE2\x82"
      "b",
      "a\xEF\xBF\xBD"
      "b" },
    { "a\xED\xA0\x80"
      "b",
      "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
      "b" },
    { "a\xF4\x90\x80\x80"
      "b",
      "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
      "b" },
    { "a\xE2\x82\x1B[31mb", "a\xEF\xBF\xBD"
                            "b" },
};

static struct aq_str view(const char *text)
{
    return (struct aq_str){ text, strlen(text) };
}

static void assert_text(const struct text *found, const char *expected, const char *in)
{
    if (found->len != strlen(expected) ||
        (found->len > 0 && memcmp(found->ptr, expected, found->len) != 0)) {
        fail_msg("of '%s' was left '%.*s'", in, (int)found->len, found->ptr ? found->ptr : "");
    }
}

static void only_what_a_terminal_shows_is_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(samples); i++) {
        AUTO(text) struct text out = { 0 };
        terminal_clean(view(samples[i].in), &out);
        assert_text(&out, samples[i].out, samples[i].in);
    }
}

static void a_text_cut_at_every_byte_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(samples); i++) {
        struct aq_str in = view(samples[i].in);
        for (size_t cut = 0; cut <= in.len; cut++) {
            AUTO(text) struct text out = { 0 };
            struct terminal t = { 0 };
            terminal_filter(&t, (struct aq_str){ in.ptr, cut }, &out);
            terminal_filter(&t, (struct aq_str){ in.ptr + cut, in.len - cut }, &out);
            terminal_finish(&t, &out);
            assert_text(&out, samples[i].out, samples[i].in);
        }
    }
}

static void a_text_byte_by_byte_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(samples); i++) {
        struct aq_str in = view(samples[i].in);
        AUTO(text) struct text out = { 0 };
        struct terminal t = { 0 };
        for (size_t at = 0; at < in.len; at++) {
            terminal_filter(&t, (struct aq_str){ in.ptr + at, 1 }, &out);
            terminal_filter(&t, (struct aq_str){ NULL, 0 }, &out);
        }
        terminal_finish(&t, &out);
        assert_text(&out, samples[i].out, samples[i].in);
    }
}

static void a_character_that_was_never_completed_is_replaced(void **state)
{
    (void)state;
    AUTO(text) struct text out = { 0 };
    terminal_clean(view("a\xF0\x9F\x98"), &out);
    assert_text(&out, "a\xEF\xBF\xBD", "an emoji without its end");
}

static void nul_bytes_are_removed(void **state)
{
    (void)state;
    AUTO(text) struct text out = { 0 };
    terminal_clean((struct aq_str){ "a\0b\0", 4 }, &out);
    assert_text(&out, "ab", "NUL");
}

/* Nothing that is left may be obeyed: no C0 but \n and \t, no DEL, no C1, no bidi control. */
static void assert_harmless(const struct text *out)
{
    for (size_t at = 0; at < out->len;) {
        uint32_t scalar;
        size_t len = scalar_read(out->ptr + at, out->len - at, &scalar);
        assert_in_range(len, 1, SCALAR_MAX_LEN);
        assert_true(scalar >= 0x20 || scalar == '\n' || scalar == '\t');
        assert_false(scalar >= 0x7F && scalar <= 0x9F);
        assert_false(scalar >= 0x202A && scalar <= 0x202E);
        assert_false(scalar >= 0x2066 && scalar <= 0x2069);
        assert_false(scalar >= 0xE0000 && scalar <= 0xE007F);
        at += len;
    }
}

/* Pieces an attacker would put together; every text of three of them. */
static void no_combination_of_fragments_is_ever_obeyed(void **state)
{
    static const char *const fragments[] = {
        "\x1B",         "[",        "]0;",      "P",        "\\",       "31m", "\x07",     "\x18",
        "\xC2",         "\x9B",     "\xC2\x9B", "\xC2\x9D", "\xC2\x9C", "a",   "\n",       "\r",
        "\xE2\x80\xAE", "\xE2\x80", "\xAE",     "\xF3\xA0", "\x81\x81", "%",   "\xC3\xA4", "\xFF",
    };
    (void)state;
    for (size_t i = 0; i < LEN(fragments) * LEN(fragments) * LEN(fragments); i++) {
        AUTO(text) struct text whole = { 0 };
        AUTO(text) struct text pieces = { 0 };
        struct terminal t = { 0 };
        char in[32] = "";
        size_t rest = i;
        for (int part = 0; part < 3; part++, rest /= LEN(fragments)) {
            const char *fragment = fragments[rest % LEN(fragments)];
            strcat(in, fragment);
            terminal_filter(&t, view(fragment), &pieces);
        }
        terminal_finish(&t, &pieces);
        terminal_clean(view(in), &whole);
        assert_harmless(&whole);
        assert_int_equal(whole.len, pieces.len);
        if (whole.len > 0) {
            assert_memory_equal(whole.ptr, pieces.ptr, whole.len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_a_terminal_shows_is_left),
        cmocka_unit_test(a_text_cut_at_every_byte_gives_the_same),
        cmocka_unit_test(a_text_byte_by_byte_gives_the_same),
        cmocka_unit_test(a_character_that_was_never_completed_is_replaced),
        cmocka_unit_test(nul_bytes_are_removed),
        cmocka_unit_test(no_combination_of_fragments_is_ever_obeyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
