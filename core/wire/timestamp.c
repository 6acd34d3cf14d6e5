/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/timestamp.h"

#include "base/str.h"

#include <stdio.h>

enum {
    MINUTE = 60,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR,
    DAYS_PER_CYCLE = 146097, /* of 400 years, after which the calendar repeats itself */
    DAYS_TO_1970 = 719468,   /* from 0000-03-01 */
    YEAR_MAX = 9999,
};

struct date {
    int64_t year;
    int64_t month; /* 1 ... 12 */
    int64_t day;   /* 1 ... 31 */
};

/*
 * Days since 1970-01-01. Years are counted from March, so that a leap day is the last day of its
 * year and the months before it, March to January, repeat 31 30 31 30 31: 153 days for five.
 */
static int64_t date_to_days(struct date d)
{
    int64_t year = d.month > 2 ? d.year : d.year - 1;
    int64_t month = d.month > 2 ? d.month - 3 : d.month + 9;
    int64_t cycle = (year >= 0 ? year : year - 399) / 400;
    int64_t in_cycle = year - cycle * 400;
    int64_t day_of_year = (153 * month + 2) / 5 + d.day - 1;
    return cycle * DAYS_PER_CYCLE + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + day_of_year -
           DAYS_TO_1970;
}

static struct date date_from_days(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t cycle = (days >= 0 ? days : days - (DAYS_PER_CYCLE - 1)) / DAYS_PER_CYCLE;
    int64_t left = days - cycle * DAYS_PER_CYCLE;
    /* leave out the leap days before it: 1461 days are four years, 36524 are a hundred */
    int64_t year = (left - left / 1460 + left / 36524 - left / (DAYS_PER_CYCLE - 1)) / 365;
    int64_t day_of_year = left - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    return (struct date){
        .year = cycle * 400 + year + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };
}

/* Dates that do not exist come back as others that do. */
static bool date_exists(struct date d)
{
    struct date back = date_from_days(date_to_days(d));
    return back.month == d.month && back.day == d.day;
}

/* Cut a number of exactly `digits` digits that is at most max. */
static bool cut_number(struct aq_str *rest, size_t digits, int64_t max, int64_t *ret)
{
    int64_t value = 0;
    if (rest->len < digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (rest->ptr[i] - '0');
    }
    *rest = str_from_offset(*rest, digits);
    *ret = value;
    return value <= max;
}

static bool cut_char(struct aq_str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c) {
        return false;
    }
    *rest = str_from_offset(*rest, 1);
    return true;
}

static bool cut_date(struct aq_str *rest, int64_t *ret_s)
{
    struct date d;
    if (!cut_number(rest, 4, YEAR_MAX, &d.year) || !cut_char(rest, '-') ||
        !cut_number(rest, 2, 12, &d.month) || !cut_char(rest, '-') ||
        !cut_number(rest, 2, 31, &d.day) || !date_exists(d)) {
        return false;
    }
    *ret_s = date_to_days(d) * DAY;
    return true;
}

/* Cut hh:mm:ss and a fraction, which does not count. 60 seconds are for a leap second. */
static bool cut_time(struct aq_str *rest, int64_t *ret_s, bool *ret_leap)
{
    int64_t hour, minute, second, digit;
    if (!cut_number(rest, 2, 23, &hour) || !cut_char(rest, ':') ||
        !cut_number(rest, 2, 59, &minute) || !cut_char(rest, ':') ||
        !cut_number(rest, 2, 60, &second)) {
        return false;
    }
    if (cut_char(rest, '.')) {
        if (!cut_number(rest, 1, 9, &digit)) {
            return false;
        }
        while (cut_number(rest, 1, 9, &digit)) {
        }
    }
    *ret_leap = second == 60;
    *ret_s = hour * HOUR + minute * MINUTE + second - *ret_leap;
    return true;
}

/* Without an offset it is UTC: programs that leave it out mean that. */
static bool cut_offset(struct aq_str *rest, int64_t *ret_s)
{
    int64_t hour, minute;
    if (rest->len == 0 || cut_char(rest, 'Z') || cut_char(rest, 'z')) {
        *ret_s = 0;
        return true;
    }
    bool west = cut_char(rest, '-');
    if ((!west && !cut_char(rest, '+')) || !cut_number(rest, 2, 23, &hour) ||
        !cut_char(rest, ':') || !cut_number(rest, 2, 59, &minute)) {
        return false;
    }
    *ret_s = (hour * HOUR + minute * MINUTE) * (west ? -1 : 1);
    return true;
}

bool timestamp_parse(struct aq_str text, int64_t *ret_s)
{
    int64_t date, time, offset;
    bool leap;
    if (!cut_date(&text, &date) || text.len == 0) {
        return false;
    }
    text = str_from_offset(text, 1); /* the separator, whatever it is */
    if (!cut_time(&text, &time, &leap) || !cut_offset(&text, &offset) || text.len) {
        return false;
    }
    int64_t s = date + time - offset;
    /* leap seconds are the last of a month; they count as the second before them */
    if (leap && ((s + 1) % DAY != 0 || date_from_days((s + 1) / DAY).day != 1)) {
        return false;
    }
    *ret_s = s;
    return true;
}

/* Cut three letters: their place in names, from 1. */
static bool cut_name(struct aq_str *rest, const char *names, int64_t *ret)
{
    for (int64_t i = 0; names[3 * i]; i++) {
        struct aq_str name = { names + 3 * i, 3 };
        if (str_starts(*rest, name)) {
            *rest = str_from_offset(*rest, name.len);
            *ret = i + 1;
            return true;
        }
    }
    return false;
}

bool timestamp_parse_http(struct aq_str text, int64_t *ret_s)
{
    struct date d;
    int64_t weekday, time;
    bool leap;
    if (!cut_name(&text, "SunMonTueWedThuFriSat", &weekday) || !cut_char(&text, ',') ||
        !cut_char(&text, ' ') || !cut_number(&text, 2, 31, &d.day) || !cut_char(&text, ' ') ||
        !cut_name(&text, "JanFebMarAprMayJunJulAugSepOctNovDec", &d.month) ||
        !cut_char(&text, ' ') || !cut_number(&text, 4, YEAR_MAX, &d.year) ||
        !cut_char(&text, ' ') || !date_exists(d) || !cut_time(&text, &time, &leap) ||
        !str_eq(text, AQ_STR(" GMT"))) {
        return false;
    }
    *ret_s = date_to_days(d) * DAY + time;
    return true;
}

bool timestamp_format(int64_t s, char ret[TIMESTAMP_TEXT_MAX])
{
    int64_t days = s / DAY;
    int64_t time = s % DAY;
    if (time < 0) {
        time += DAY;
        days--;
    }
    struct date d = date_from_days(days);
    if (d.year < 0 || d.year > YEAR_MAX) {
        return false;
    }
    snprintf(ret, TIMESTAMP_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)d.year, (int)d.month,
             (int)d.day, (int)(time / HOUR), (int)(time / MINUTE % 60), (int)(time % MINUTE));
    return true;
}
