/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transport that plays a script instead of using a network, for tests of what drives a transport.
 *
 * The script is a file of lines; each request plays the next part, parts end with a line "---":
 *     wait N          the next N steps bring nothing
 *     sleep MS        nothing comes for so many milliseconds
 *     status 200      the head of the answer
 *     header a: b     more of it, after status
 *     body TEXT       a piece of the body, delivered by one read
 *     hex 0A0B        the same in hexadecimal
 *     file PATH       the same, the content of a file
 *     error NETWORK   the call fails (NETWORK, TIMEOUT, TRUNCATED; NOT_SENT: before anything was
 * sent) Each request is appended to the log: URL, then headers as "name: value", then the body.
 */
#include <amazonq/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SETTING_SCRIPT, SETTING_LOG };
enum { MAX_LINES = 64, MAX_HEADERS = 16, LINE_SIZE = 8192 };

struct instance;

struct play {
    struct instance *owner;
    void *cookie;
    char *lines[MAX_LINES];
    int line_count, at;
    int wait;
    uint64_t until_us; /* of a sleep */
    int status;
    struct aq_header headers[MAX_HEADERS];
    uint32_t header_count;
    int announced;
    struct play *next;
};

struct instance {
    const struct aq_host *host;
    FILE *script;
    const char *log;
    int fd;
    struct play *plays;
};

static void script_wake(const struct instance *self)
{
    const uint64_t one = 1;
    if (write(self->fd, &one, sizeof(one)) < 0) {
        abort();
    }
}

static aq_status script_open(const struct aq_open_args *args, void **ret_self, struct aq_error *err)
{
    struct instance *self = calloc(1, sizeof(*self));
    const char *path = args->values[SETTING_SCRIPT].text.ptr;
    self->host = args->host;
    self->log = args->values[SETTING_LOG].text.ptr;
    self->script = fopen(path, "r");
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!self->script) {
        snprintf(err->text, sizeof(err->text), "script: %s: cannot be read", path);
        free(self);
        return err->status = AQ_E_INVALID;
    }
    *ret_self = self;
    return AQ_OK;
}

static void script_close(void *ptr)
{
    struct instance *self = ptr;
    if (self) {
        fclose(self->script);
        close(self->fd);
        free(self);
    }
}

static void script_interest(void *ptr, struct aq_interest *ret)
{
    const struct instance *self = ptr;
    ret->fd = self->fd;
    ret->deadline_us = UINT64_MAX;
    for (const struct play *play = self->plays; play; play = play->next) {
        if (play->until_us && play->until_us < ret->deadline_us) {
            ret->deadline_us = play->until_us;
        }
    }
}

static aq_status script_step(void *ptr, struct aq_error *err)
{
    struct instance *self = ptr;
    uint64_t count;
    ssize_t ignored = read(self->fd, &count, sizeof(count));
    (void)ignored;
    (void)err;
    for (struct play *play = self->plays; play; play = play->next) {
        if (play->until_us > self->host->now_us(self->host->ctx)) {
            continue;
        }
        play->until_us = 0;
        if (play->wait > 0) {
            play->wait--;
            script_wake(self);
        } else if (!play->announced) {
            play->announced = 1;
            self->host->ready(self->host->ctx, play->cookie);
        }
    }
    return AQ_OK;
}

static void script_log(const struct instance *self, const struct aq_request *request)
{
    FILE *log = self->log ? fopen(self->log, "a") : NULL;
    if (!log) {
        return;
    }
    fprintf(log, "%.*s %.*s\n", AQ_STR_ARG(request->method), AQ_STR_ARG(request->url));
    const char *at = (const char *)request->headers;
    for (uint32_t i = 0; i < request->header_count; i++, at += request->header_stride) {
        const struct aq_header *header = (const void *)at;
        fprintf(log, "%.*s: %.*s\n", AQ_STR_ARG(header->name), AQ_STR_ARG(header->value));
    }
    fprintf(log, "%.*s\n", (int)request->body.len, (const char *)request->body.ptr);
    fclose(log);
}

static aq_status script_start(void *ptr, const struct aq_request *request, void *cookie,
                              void **ret_call, struct aq_error *err)
{
    struct instance *self = ptr;
    struct play *play = calloc(1, sizeof(*play));
    char line[LINE_SIZE];
    (void)err;
    play->owner = self;
    play->cookie = cookie;
    while (play->line_count < MAX_LINES && fgets(line, sizeof(line), self->script)) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "---") == 0) {
            break;
        }
        play->lines[play->line_count++] = strdup(line);
    }
    if (play->line_count == 0) {
        play->lines[play->line_count++] = strdup("error NETWORK");
    }
    script_log(self, request);
    play->next = self->plays;
    self->plays = play;
    *ret_call = play;
    script_wake(self);
    return AQ_OK;
}

static aq_status script_fail(const char *kind, struct aq_error *err)
{
    int not_sent = strcmp(kind, "NOT_SENT") == 0;
    aq_status status = strcmp(kind, "TIMEOUT") == 0     ? AQ_E_TIMEOUT
                       : strcmp(kind, "TRUNCATED") == 0 ? AQ_E_TRUNCATED
                                                        : AQ_E_NETWORK;
    snprintf(err->text, sizeof(err->text), "script: played the error %s", kind);
    err->flags = not_sent ? AQ_ERROR_NOT_SENT : 0;
    return err->status = status;
}

static const char *script_argument(const struct play *play, const char *verb)
{
    const char *line = play->at < play->line_count ? play->lines[play->at] : "";
    size_t len = strlen(verb);
    return strncmp(line, verb, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
}

/* Waits come to an end in step; until then nothing behind them is visible. */
static int script_is_waiting(struct play *play)
{
    const struct aq_host *host = play->owner->host;
    const char *text;
    while (play->wait == 0 && play->until_us == 0) {
        if ((text = script_argument(play, "wait")) != NULL) {
            play->wait = atoi(text);
            script_wake(play->owner);
        } else if ((text = script_argument(play, "sleep")) != NULL) {
            play->until_us = host->now_us(host->ctx) + (uint64_t)atoi(text) * 1000;
        } else {
            return 0;
        }
        play->announced = 0;
        play->at++;
    }
    return 1;
}

static aq_status script_response(void *call, struct aq_response *ret, struct aq_error *err)
{
    struct play *play = call;
    const char *text;
    if (play->status == 0) {
        if (script_is_waiting(play)) {
            return AQ_AGAIN;
        }
        if ((text = script_argument(play, "error")) != NULL) {
            return script_fail(text, err);
        }
        text = script_argument(play, "status");
        if (!text) {
            return script_fail("NETWORK", err);
        }
        play->status = atoi(text);
        play->at++;
        while ((text = script_argument(play, "header")) != NULL &&
               play->header_count < MAX_HEADERS) {
            const char *colon = strstr(text, ": ");
            play->headers[play->header_count++] =
                (struct aq_header){ { text, (size_t)(colon - text) },
                                    { colon + 2, strlen(colon + 2) } };
            play->at++;
        }
    }
    ret->status = play->status;
    ret->headers = play->headers;
    ret->header_count = play->header_count;
    ret->header_stride = sizeof(play->headers[0]);
    ret->protocol = AQ_STR("HTTP/1.1");
    return AQ_OK;
}

static size_t script_unhex(const char *text, uint8_t *buf, size_t cap)
{
    size_t len = 0;
    unsigned byte;
    for (; len < cap && sscanf(text, "%2x", &byte) == 1; text += 2) {
        buf[len++] = (uint8_t)byte;
    }
    return len;
}

static size_t script_file(const char *path, uint8_t *buf, size_t cap)
{
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(buf, 1, cap, file) : 0;
    if (file) {
        fclose(file);
    }
    return len;
}

static aq_status script_read(void *call, uint8_t *buf, size_t cap, size_t *ret_len,
                             struct aq_error *err)
{
    struct play *play = call;
    const char *text;
    if (script_is_waiting(play)) {
        return AQ_AGAIN;
    }
    if (play->at == play->line_count) {
        return AQ_END;
    }
    if ((text = script_argument(play, "error")) != NULL) {
        return script_fail(text, err);
    }
    if ((text = script_argument(play, "body")) != NULL) {
        size_t len = strlen(text);
        memcpy(buf, text, len < cap ? len : cap);
        *ret_len = len < cap ? len : cap;
    } else if ((text = script_argument(play, "hex")) != NULL) {
        *ret_len = script_unhex(text, buf, cap);
    } else if ((text = script_argument(play, "file")) != NULL) {
        *ret_len = script_file(text, buf, cap);
    } else {
        return script_fail("NETWORK", err);
    }
    play->at++;
    return AQ_OK;
}

static void script_finish(void *call)
{
    struct play *play = call;
    if (!play) {
        return;
    }
    struct play **at = &play->owner->plays;
    while (*at != play) {
        at = &(*at)->next;
    }
    *at = play->next;
    for (int i = 0; i < play->line_count; i++) {
        free(play->lines[i]);
    }
    free(play);
}

static const struct aq_setting settings[] = {
    [SETTING_SCRIPT] = { .key = "script",
                         .type = AQ_SETTING_PATH,
                         .flags = AQ_SETTING_REQUIRED,
                         .help = "file to play" },
    [SETTING_LOG] = { .key = "log", .type = AQ_SETTING_PATH, .help = "file that gets requests" },
};

static const struct aq_transport_ops ops = {
    AQ_TRANSPORT_OPS,
    .open = script_open,
    .close = script_close,
    .interest = script_interest,
    .step = script_step,
    .start = script_start,
    .response = script_response,
    .read = script_read,
    .finish = script_finish,
};

static const struct aq_plugin plugin = {
    AQ_PLUGIN_INFO, AQ_PLUGIN_SETTINGS(settings), .kind = AQ_PLUGIN_TRANSPORT, .name = "script",
    .version = "1", .summary = "plays a script",  .transport = &ops,
};

AQ_PLUGIN(plugin)
