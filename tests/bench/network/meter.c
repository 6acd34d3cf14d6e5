/* SPDX-License-Identifier: Apache-2.0 */
#include "meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Times in buckets that are a 64th of their value wide, and never less than a microsecond: what is
 * kept does not grow with what comes. */
#define BUCKETS_BITS 6
#define BUCKETS ((64u - BUCKETS_BITS) << BUCKETS_BITS)

static struct {
    unsigned streams, begun;
    uint64_t events, text;
    uint64_t events_before; /* that came before all had begun */
    double cpu_before;
    uint64_t latencies[BUCKETS];
    uint64_t latency_count;
} meter;

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

_Noreturn void meter_fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

void meter_expect(unsigned streams)
{
    meter.streams = streams;
}

static void begin(struct meter_stream *stream)
{
    stream->begun = true;
    if (++meter.begun == meter.streams) {
        meter.events_before = meter.events;
        if (meter.latency_count) {
            memset(meter.latencies, 0, sizeof(meter.latencies));
            meter.latency_count = 0;
        }
        meter.cpu_before = cpu_us();
    }
}

static bool read_stamp(const char *text, size_t len, uint64_t *ret)
{
    *ret = 0;
    if (len < METER_STAMP_DIGITS) {
        return false;
    }
    for (const char *digit = text + len - METER_STAMP_DIGITS; digit < text + len; digit++) {
        if (*digit < '0' || *digit > '9') {
            return false;
        }
        *ret = *ret * 10 + (uint64_t)(*digit - '0');
    }
    return true;
}

static void keep_latency(uint64_t us)
{
    const unsigned bits = us ? 64u - (unsigned)__builtin_clzll(us) : 0;
    const unsigned shift = bits > BUCKETS_BITS + 1 ? bits - BUCKETS_BITS - 1 : 0;
    meter.latencies[(shift << BUCKETS_BITS) + (us >> shift)]++;
    meter.latency_count++;
}

static double latency_quantile(double q)
{
    uint64_t left = (uint64_t)((double)meter.latency_count * q);
    size_t i = 0;
    while (i < BUCKETS - 1 && left >= meter.latencies[i]) {
        left -= meter.latencies[i++];
    }
    const size_t shift = i >> BUCKETS_BITS > 1 ? (i >> BUCKETS_BITS) - 1 : 0;
    return (double)((i - (shift << BUCKETS_BITS)) << shift);
}

void meter_event(struct meter_stream *stream, const char *text, size_t len)
{
    uint64_t stamp;
    meter.events++;
    meter.text += len;
    if (read_stamp(text, len, &stamp)) {
        if (stamp <= stream->stamp) {
            meter_fail("an event came twice, or not in order");
        }
        stream->stamp = stamp;
        keep_latency((now_ns() - stamp) / 1000u);
    }
    if (!stream->begun) {
        begin(stream);
    }
}

void meter_print(void)
{
    const double cpu = cpu_us() - meter.cpu_before;
    const uint64_t counted = meter.events - meter.events_before;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"events\": %llu, \"text\": %llu, \"cpu_us\": %.3f, \"rss_kib\": %ld",
           (unsigned long long)meter.events, (unsigned long long)meter.text,
           counted ? cpu / (double)counted : 0.0, usage.ru_maxrss);
    if (meter.latency_count) {
        printf(", \"p50_us\": %.0f, \"p99_us\": %.0f", latency_quantile(0.5),
               latency_quantile(0.99));
    }
    puts("}");
}
