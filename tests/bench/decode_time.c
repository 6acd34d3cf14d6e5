/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times our decoder of the event stream against aws-c-event-stream:
 *
 *     decode_time ROUNDS [LIBRARY]...
 *
 * Each round decodes one answer with every decoder, in turn, in chunks as a socket gives them. The
 * answer fits a processor's cache, so that the work is measured and not the memory. The libraries
 * are loaded in this order; the last one has the peer (Python's _awscrt module has, and needs
 * libpython before it). Without libraries ours is timed alone. Decoders that disagree end the run.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "quantile.h"
#include "wire/eventstream.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS_MAX = 100000,
    WARM_UP_ROUNDS = 5,
    FRAMES = 1000,
    FRAMES_PER_TURN = 100, /* of which the first and the last are metadata */
    TOOL_FRAMES = 18,      /* a turn's pieces of a tool's input */
    WORDS_MAX = 6,         /* of a piece of text */
    CHUNK = 16 * 1024,     /* bytes */
};

/* What every decoder has to find. */
struct tally {
    size_t frames, headers, payload_bytes;
};

struct decoder {
    const char *label;
    bool (*decode)(struct aq_bytes stream, struct tally *ret);
    double *ns; /* a frame, of each round */
};

/* ---- the answer ---- */

/* Adds a piece of text such as {"content":"buffer the \"value\" of"}: the same in every run. */
static void add_text(struct buf *out, const char *member, unsigned *seed)
{
    static const char *const words[] = { "the",       "of",      "buffer", "returns", "function",
                                         "`await`",   "\n",      "error",  "a",       "\"value\"",
                                         "caf\u00e9", "because", "index",  "then",    "policy" };
    AUTO(buf) struct buf text = BUF(0);
    for (unsigned left = 1 + *seed % WORDS_MAX; left > 0; left--) {
        *seed = *seed * 1103515245 + 12345;
        buf_add(&text, str_from(words[(*seed >> 16) % (sizeof(words) / sizeof(words[0]))]));
        buf_add_char(&text, ' ');
    }
    buf_printf(out, "{\"%s\":", member);
    buf_add_json(out, buf_str(&text));
    buf_add_char(out, '}');
}

static struct eventstream_header header(const char *name, const char *value)
{
    struct aq_bytes bytes = { (const uint8_t *)value, strlen(value) };
    return (struct eventstream_header){ .name = str_from(name),
                                        .type = EVENTSTREAM_STRING,
                                        .bytes = bytes };
}

/* Returns the bytes of its payload. */
static size_t add_frame(struct buf *out, size_t place, unsigned *seed)
{
    AUTO(buf) struct buf payload = BUF(0);
    const char *event = "assistantResponseEvent";
    struct aq_error err;
    if (place == 0) {
        event = "messageMetadataEvent";
        buf_add(&payload, AQ_STR("{\"conversationId\":\"00000000-0000-4000-8000-000000000000\"}"));
    } else if (place == FRAMES_PER_TURN - 1) {
        event = "metadataEvent";
        buf_add(&payload, AQ_STR("{\"tokenUsage\":{\"outputTokens\":321,\"totalTokens\":654}}"));
    } else if (place >= FRAMES_PER_TURN - 1 - TOOL_FRAMES) {
        event = "toolUseEvent";
        add_text(&payload, "input", seed);
    } else {
        add_text(&payload, "content", seed);
    }
    const struct eventstream_header headers[] = { header(":event-type", event),
                                                  header(":content-type", "application/json"),
                                                  header(":message-type", "event") };
    if (eventstream_encode(headers, 3, buf_bytes(&payload), out, &err) != AQ_OK) {
        fprintf(stderr, "decode_time: %s\n", err.text);
        exit(1);
    }
    return payload.len;
}

/* ---- the decoders ---- */

static struct aq_bytes chunk_at(struct aq_bytes stream, size_t at)
{
    return (struct aq_bytes){ stream.ptr + at,
                              stream.len - at < CHUNK ? stream.len - at : (size_t)CHUNK };
}

static bool decode_ours(struct aq_bytes stream, struct tally *ret)
{
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    struct eventstream_message m;
    aq_status st = AQ_AGAIN;

    for (size_t at = 0; st == AQ_AGAIN && at < stream.len; at += CHUNK) {
        eventstream_feed(&d, chunk_at(stream, at), NULL);
        while ((st = eventstream_next(&d, &m, NULL)) == AQ_OK) {
            ret->frames++;
            ret->headers += m.header_count;
            ret->payload_bytes += m.payload.len;
        }
    }
    eventstream_finish(&d);
    return st == AQ_AGAIN && eventstream_next(&d, &m, NULL) == AQ_END;
}

/* What of aws-c-event-stream's interface is needed; the decoder's own size is below 8 KiB. */
struct aws_byte_buf {
    size_t len;
    uint8_t *buffer;
    size_t capacity;
    void *allocator;
};

struct aws_decoder {
    max_align_t room[512];
};

static struct {
    void *(*default_allocator)(void);
    void (*init)(struct aws_decoder *decoder, void *allocator,
                 void (*on_payload)(void *, struct aws_byte_buf *, int8_t, void *),
                 void (*on_prelude)(void *, void *, void *),
                 void (*on_header)(void *, void *, void *, void *),
                 void (*on_error)(void *, void *, int, const char *, void *), void *user_data);
    int (*pump)(struct aws_decoder *decoder, const struct aws_byte_buf *data);
    void (*clean_up)(struct aws_decoder *decoder);
} aws;

static void aws_on_payload(void *decoder, struct aws_byte_buf *part, int8_t is_last, void *tally)
{
    struct tally *t = tally;
    (void)decoder;
    t->payload_bytes += part->len;
    t->frames += is_last != 0;
}

static void aws_on_prelude(void *decoder, void *prelude, void *tally)
{
    (void)decoder, (void)prelude, (void)tally;
}

static void aws_on_header(void *decoder, void *prelude, void *found, void *tally)
{
    struct tally *t = tally;
    (void)decoder, (void)prelude, (void)found;
    t->headers++;
}

static void aws_on_error(void *decoder, void *prelude, int code, const char *text, void *tally)
{
    (void)decoder, (void)prelude, (void)code, (void)text, (void)tally; /* pump says so as well */
}

static bool decode_aws(struct aq_bytes stream, struct tally *ret)
{
    static struct aws_decoder d;
    bool ok = true;

    aws.init(&d, aws.default_allocator(), aws_on_payload, aws_on_prelude, aws_on_header,
             aws_on_error, ret);
    for (size_t at = 0; ok && at < stream.len; at += CHUNK) {
        struct aq_bytes chunk = chunk_at(stream, at);
        struct aws_byte_buf data = { chunk.len, (uint8_t *)chunk.ptr, chunk.len, NULL };
        ok = aws.pump(&d, &data) == 0;
    }
    aws.clean_up(&d);
    return ok;
}

/* Loads the libraries; true if the last one has the peer. */
static bool aws_load(char **paths)
{
    void *library = NULL;
    for (; *paths; paths++) {
        library = dlopen(*paths, RTLD_LAZY | RTLD_GLOBAL);
        if (!library) {
            printf("aws-c-event-stream: skipped: %s\n", dlerror());
            return false;
        }
    }
    if (!library) {
        return false;
    }
    *(void **)&aws.default_allocator = dlsym(library, "aws_default_allocator");
    *(void **)&aws.init = dlsym(library, "aws_event_stream_streaming_decoder_init");
    *(void **)&aws.pump = dlsym(library, "aws_event_stream_streaming_decoder_pump");
    *(void **)&aws.clean_up = dlsym(library, "aws_event_stream_streaming_decoder_clean_up");
    if (!aws.default_allocator || !aws.init || !aws.pump || !aws.clean_up) {
        printf("aws-c-event-stream: skipped: the library has no streaming decoder\n");
        return false;
    }
    return true;
}

/* ---- the story ---- */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double run(const struct decoder *decoder, struct aq_bytes stream, size_t payload_bytes)
{
    struct tally found = { 0 };
    double before = now_ns();
    bool ok = decoder->decode(stream, &found);
    double after = now_ns();

    if (!ok || found.frames != FRAMES || found.headers != (size_t)3 * FRAMES ||
        found.payload_bytes != payload_bytes) {
        fprintf(stderr, "decode_time: %s: %zu frames, %zu headers, %zu bytes of payload: wrong\n",
                decoder->label, found.frames, found.headers, found.payload_bytes);
        exit(1);
    }
    return (after - before) / FRAMES;
}

static void print_table(const struct decoder *decoders, size_t count, size_t rounds, size_t bytes)
{
    double *column = calloc(rounds, sizeof(double));

    if (!column) {
        perror("decode_time");
        exit(1);
    }
    printf("%d frames of %zu bytes in the mean\n", FRAMES, bytes / FRAMES);
    printf("%-28s %9s %9s %9s %9s\n", "decoder", "ns/frame", "p10", "p90", "ratio");
    for (size_t i = 0; i < count; i++) {
        memcpy(column, decoders[i].ns, rounds * sizeof(double));
        double median = quantile(column, rounds, 0.5);
        double p10 = quantile(column, rounds, 0.1);
        double p90 = quantile(column, rounds, 0.9);
        for (size_t r = 0; r < rounds; r++) {
            column[r] = decoders[i].ns[r] / decoders[0].ns[r];
        }
        printf("%-28s %9.1f %9.1f %9.1f %9.2f\n", decoders[i].label, median, p10, p90,
               quantile(column, rounds, 0.5));
    }
    free(column);
}

int main(int argc, char **argv)
{
    struct decoder decoders[] = { { .label = "libamazonq", .decode = decode_ours },
                                  { .label = "aws-c-event-stream", .decode = decode_aws } };
    AUTO(buf) struct buf answer = BUF(0);
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    size_t payload_bytes = 0;
    unsigned seed = 1;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fputs("usage: decode_time ROUNDS [LIBRARY]...\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < FRAMES; i++) {
        payload_bytes += add_frame(&answer, i % FRAMES_PER_TURN, &seed);
    }
    size_t count = aws_load(argv + 2) ? 2 : 1;
    for (size_t i = 0; i < count; i++) {
        decoders[i].ns = calloc((size_t)rounds, sizeof(double));
        if (!decoders[i].ns) {
            perror("decode_time");
            return 1;
        }
    }
    for (long r = -WARM_UP_ROUNDS; r < rounds; r++) {
        for (size_t i = 0; i < count; i++) {
            double ns = run(&decoders[i], buf_bytes(&answer), payload_bytes);
            if (r >= 0) {
                decoders[i].ns[r] = ns;
            }
        }
    }
    print_table(decoders, count, (size_t)rounds, answer.len);
    for (size_t i = 0; i < count; i++) {
        free(decoders[i].ns);
    }
    return 0;
}
