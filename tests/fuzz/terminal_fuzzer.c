/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as text from elsewhere: what is left holds nothing that a terminal obeys or that hides
 * from the reader, wherever it was cut. The first byte chooses the size of the pieces. */
#include "terminal.h"

#include "fuzz/fuzzer.h"

static void clean_check(struct aq_str text)
{
    PROMISE(utf8_valid((const uint8_t *)text.ptr, text.len));
    for (size_t at = 0; at < text.len;) {
        uint32_t c;
        at += scalar_read(text.ptr + at, text.len - at, &c);
        PROMISE(c >= 0x20 || c == '\n' || c == '\t');
        PROMISE(c < 0x7f || c > 0x9f);                     /* DEL, C1 */
        PROMISE(c != 0x61c && c != 0x200e && c != 0x200f); /* marks of direction */
        PROMISE(c < 0x2028 || c > 0x202e);                 /* separators, overrides */
        PROMISE(c < 0x2060 || c > 0x206f);                 /* isolates, invisible operators */
        PROMISE(c != 0x200b && c != 0xfeff);               /* no width */
        PROMISE(c < 0xe0000 || c > 0xe0fff);               /* tags */
    }
}

static bool is_plain(struct aq_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c >= 0x7f) {
            return false;
        }
    }
    return true;
}

static bool same(struct aq_str a, struct aq_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = { data, size };
    size_t most = 1 + script_byte(&script) % 40u;
    struct aq_str text = { (const char *)script.ptr, script.len };
    AUTO(text) struct text whole = { 0 };
    AUTO(text) struct text pieces = { 0 };
    AUTO(text) struct text again = { 0 };
    struct terminal t = { 0 };

    terminal_clean(text, &whole);
    clean_check(text_view(&whole));
    PROMISE(text_ok(&whole));
    PROMISE(!is_plain(text) || same(text_view(&whole), text));

    terminal_clean(text_view(&whole), &again); /* nothing is left to be taken out */
    PROMISE(same(text_view(&again), text_view(&whole)));

    for (size_t step = 0; script.len; step++) {
        struct aq_bytes piece = script_rest(&script, 1 + (most + step * 7) % most);
        char *copy = malloc(piece.len); /* ends where the piece ends */
        memcpy(copy, piece.ptr, piece.len);
        terminal_filter(&t, (struct aq_str){ copy, piece.len }, &pieces);
        terminal_filter(&t, (struct aq_str){ copy, 0 }, &pieces);
        free(copy);
        clean_check(text_view(&pieces));
    }
    terminal_finish(&t, &pieces);
    PROMISE(same(text_view(&pieces), text_view(&whole)));
    return 0;
}
