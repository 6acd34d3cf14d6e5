/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/percent.h"

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void percent_encode(struct aq_str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_alphanumeric(s.ptr[i])) {
            buf_add_char(out, s.ptr[i]);
        } else {
            buf_printf(out, "%%%02X", (unsigned char)s.ptr[i]);
        }
    }
}

/* Value of a hexadecimal digit; 16 if it is none. */
static unsigned digit_of(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
           : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                  : 16;
}

bool percent_decode(struct aq_str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            buf_add_char(out, (char)(s.ptr[i] == '+' ? ' ' : s.ptr[i]));
            continue;
        }
        unsigned high = s.len - i > 2 ? digit_of(s.ptr[i + 1]) : 16;
        unsigned low = s.len - i > 2 ? digit_of(s.ptr[i + 2]) : 16;
        unsigned byte = high * 16 + low;
        if (high == 16 || low == 16 || byte < 0x20 || byte == 0x7f) {
            return false;
        }
        buf_add_char(out, (char)byte);
        i += 2;
    }
    return true;
}

void base64url_encode(struct aq_bytes bytes, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (k < left ? bytes.ptr[i + k] : 0);
        }
        for (size_t k = 0; k <= left; k++) {
            buf_add_char(out, digits[bits >> (18 - 6 * k) & 63]);
        }
    }
}
