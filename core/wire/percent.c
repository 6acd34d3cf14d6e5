/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/percent.h"

#include "base/str.h"

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void percent_encode(struct aq_str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_unreserved(s.ptr[i])) {
            buf_add_char(out, s.ptr[i]);
        } else {
            buf_printf(out, "%%%02X", (unsigned char)s.ptr[i]);
        }
    }
}

/* Value of a hexadecimal digit; -1 if it is none. */
static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int percent_byte(struct aq_str s)
{
    if (s.len < 3 || s.ptr[0] != '%') {
        return -1;
    }
    int high = digit_of(s.ptr[1]), low = digit_of(s.ptr[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool percent_decode(struct aq_str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            buf_add_char(out, (char)(s.ptr[i] == '+' ? ' ' : s.ptr[i]));
            continue;
        }
        int byte = percent_byte(str_from_offset(s, i));
        if (byte < 0x20 || byte == 0x7f) {
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
