/* SPDX-License-Identifier: Apache-2.0 */
#include "duration.h"

static bool parse_number(const char **text, int64_t *ret)
{
    const char *p = *text;
    int64_t value = 0;
    while (*p >= '0' && *p <= '9') {
        value = value * 10 + (*p - '0');
        if (value > DURATION_MAX_S) {
            return false;
        }
        p++;
    }
    if (p == *text) {
        return false;
    }
    *text = p;
    *ret = value;
    return true;
}

static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 'd':
        return 24 * 60 * 60;
    case 'h':
        return 60 * 60;
    case 'm':
        return 60;
    case 's':
        return 1;
    default:
        return 0;
    }
}

bool duration_parse(const char *text, int64_t *ret_s)
{
    int64_t total = 0;
    int64_t last_unit = INT64_MAX;
    int64_t number;

    if (!parse_number(&text, &number)) {
        return false;
    }
    if (*text == '\0') {
        *ret_s = number;
        return true;
    }
    for (;;) {
        int64_t unit = unit_seconds(*text);
        if (unit == 0 || unit >= last_unit) {
            return false;
        }
        last_unit = unit;
        total += number * unit;
        if (total > DURATION_MAX_S) {
            return false;
        }
        text++;
        if (*text == '\0') {
            *ret_s = total;
            return true;
        }
        if (!parse_number(&text, &number)) {
            return false;
        }
    }
}
