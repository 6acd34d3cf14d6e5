/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoders of the event stream, to be timed against each other:
 *
 *     decode DECODER ANSWER CHUNK [LIBRARY]...
 *
 *     libamazonq          ours: both checksums and every header of each frame
 *     libamazonq-text     the same, and the text of each event
 *     libamazonq-library  our frames, the text with the peer_text() of the library
 *     aws-c-event-stream  that of the library
 *
 * The libraries are loaded in this order and the last one counts: Python's _awscrt module has
 * aws-c-event-stream, and needs libpython before it.
 *
 * tests/bench/decoder.py says how it is spoken to.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "wire/chat.h"
#include "wire/eventstream.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a decoder found in an answer. */
struct tally {
    size_t frames, headers, payload_bytes, text_bytes;
};

/* Decodes the answer in chunks; false if it is broken. */
typedef bool decode_fn(struct aq_bytes answer, size_t chunk, struct tally *ret);

static struct aq_bytes chunk_at(struct aq_bytes answer, size_t at, size_t chunk)
{
    return (struct aq_bytes){ answer.ptr + at, answer.len - at < chunk ? answer.len - at : chunk };
}

/* ---- ours ---- */

/* Adds the text of a message, by one reader or another; false if it is malformed. */
typedef bool text_fn(const struct eventstream_message *m, struct buf *scratch, size_t *text_bytes);

/* Inlined, so that each decoder is compiled for the text it reads. */
static inline bool decode_frames(struct aq_bytes answer, size_t chunk, text_fn *text,
                                 struct tally *ret)
{
    AUTO(eventstream) struct eventstream_decoder d = { 0 };
    AUTO(buf) struct buf scratch = BUF(0);
    struct eventstream_message m;
    aq_status st = AQ_AGAIN;

    for (size_t at = 0; st == AQ_AGAIN && at < answer.len; at += chunk) {
        eventstream_feed(&d, chunk_at(answer, at, chunk), NULL);
        while ((st = eventstream_next(&d, &m, NULL)) == AQ_OK) {
            ret->frames++;
            ret->headers += m.header_count;
            ret->payload_bytes += m.payload.len;
            if (text && !text(&m, &scratch, &ret->text_bytes)) {
                return false;
            }
        }
    }
    eventstream_finish(&d);
    return st == AQ_AGAIN && eventstream_next(&d, &m, NULL) == AQ_END;
}

static bool own_text(const struct eventstream_message *m, struct buf *scratch, size_t *text_bytes)
{
    const struct chat_kind *kind = chat_kind_find(m->event_type);
    struct aq_str text;
    if (!kind || chat_text(kind, m->payload, scratch, &text, NULL) != AQ_OK) {
        return false;
    }
    *text_bytes += text.len;
    return true;
}

/* Of a library: the decoded bytes of the string that is the member, 0 if there is none, -1 if the
 * object is malformed. */
static long (*peer_text)(const char *object, size_t len, const char *member);

static bool library_text(const struct eventstream_message *m, struct buf *scratch,
                         size_t *text_bytes)
{
    const struct chat_kind *kind = chat_kind_find(m->event_type);
    (void)scratch;
    if (!kind || kind->text_key.len == 0) {
        return kind;
    }
    long len = peer_text((const char *)m->payload.ptr, m->payload.len, kind->text_key.ptr);
    *text_bytes += len > 0 ? (size_t)len : 0;
    return len >= 0;
}

static bool decode_ours(struct aq_bytes answer, size_t chunk, struct tally *ret)
{
    return decode_frames(answer, chunk, NULL, ret);
}

static bool decode_ours_text(struct aq_bytes answer, size_t chunk, struct tally *ret)
{
    return decode_frames(answer, chunk, own_text, ret);
}

static bool decode_ours_library(struct aq_bytes answer, size_t chunk, struct tally *ret)
{
    return decode_frames(answer, chunk, library_text, ret);
}

/* ---- aws-c-event-stream ---- */

/* What of its interface is needed; the decoder's own size is below 8 KiB. */
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

static bool decode_aws(struct aq_bytes answer, size_t chunk, struct tally *ret)
{
    static struct aws_decoder d;
    bool ok = true;

    aws.init(&d, aws.default_allocator(), aws_on_payload, aws_on_prelude, aws_on_header,
             aws_on_error, ret);
    for (size_t at = 0; ok && at < answer.len; at += chunk) {
        struct aq_bytes part = chunk_at(answer, at, chunk);
        struct aws_byte_buf data = { part.len, (uint8_t *)part.ptr, part.len, NULL };
        ok = aws.pump(&d, &data) == 0;
    }
    aws.clean_up(&d);
    return ok;
}

/* ---- the story ---- */

static const struct decoder {
    const char *name;
    decode_fn *decode;
    const char *symbol; /* what the last library must have; NULL: nothing */
    bool reads_text;
} decoders[] = {
    { "libamazonq", decode_ours, NULL, false },
    { "libamazonq-text", decode_ours_text, NULL, true },
    { "libamazonq-library", decode_ours_library, "peer_text", true },
    { "aws-c-event-stream", decode_aws, "aws_event_stream_streaming_decoder_pump", false },
};

__attribute__((noreturn)) static void stop(const char *what, const char *why)
{
    fprintf(stderr, "decode: %s: %s\n", what, why);
    exit(1);
}

static const struct decoder *decoder_find(const char *name)
{
    for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
        if (strcmp(decoders[i].name, name) == 0) {
            return &decoders[i];
        }
    }
    stop(name, "no such decoder");
}

/* Loads the libraries and takes what the last one has. */
static void libraries_load(const struct decoder *decoder, char **paths)
{
    void *library = NULL;
    for (; *paths; paths++) {
        library = dlopen(*paths, RTLD_NOW | RTLD_GLOBAL);
        if (!library) {
            stop(*paths, dlerror());
        }
    }
    if (decoder->symbol) {
        if (!library || !dlsym(library, decoder->symbol)) {
            stop(decoder->name, "is not in the last library");
        }
        *(void **)&peer_text = dlsym(library, "peer_text");
        *(void **)&aws.default_allocator = dlsym(library, "aws_default_allocator");
        *(void **)&aws.init = dlsym(library, "aws_event_stream_streaming_decoder_init");
        *(void **)&aws.pump = dlsym(library, "aws_event_stream_streaming_decoder_pump");
        *(void **)&aws.clean_up = dlsym(library, "aws_event_stream_streaming_decoder_clean_up");
    }
}

static void answer_read(const char *path, struct buf *ret)
{
    FILE *file = fopen(path, "rb");
    uint8_t bytes[BUFSIZ];
    size_t len;
    if (!file) {
        stop(path, "cannot be read");
    }
    while ((len = fread(bytes, 1, sizeof(bytes), file)) > 0) {
        buf_add_bytes(ret, (struct aq_bytes){ bytes, len });
    }
    fclose(file);
    if (buf_status(ret) != AQ_OK || ret->len == 0) {
        stop(path, "is empty or too large");
    }
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    AUTO(buf) struct buf answer = BUF(0);
    char line[32];
    size_t chunk = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    if (chunk == 0) {
        fputs("usage: decode DECODER ANSWER CHUNK [LIBRARY]...\n", stderr);
        return 2;
    }
    const struct decoder *decoder = decoder_find(argv[1]);
    libraries_load(decoder, argv + 4);
    answer_read(argv[2], &answer);

    while (fgets(line, sizeof(line), stdin)) {
        unsigned long passes = strtoul(line, NULL, 10);
        struct tally found = { 0 };
        double ns = INFINITY;
        for (unsigned long i = 0; i < passes; i++) {
            double before = now_ns();
            found = (struct tally){ 0 };
            if (!decoder->decode(buf_bytes(&answer), chunk, &found)) {
                stop(decoder->name, "calls the answer broken");
            }
            ns = fmin(ns, now_ns() - before);
        }
        printf("%zu %zu %zu ", found.frames, found.headers, found.payload_bytes);
        if (decoder->reads_text) {
            printf("%zu %.1f\n", found.text_bytes, ns);
        } else {
            printf("- %.1f\n", ns);
        }
        fflush(stdout);
    }
    return 0;
}
