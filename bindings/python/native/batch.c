/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of libamazonq as Python objects, a batch per call: the one place where the binding is C,
 * for each event that crosses by itself would cost more than decoding it did.
 *
 * Every function is called through ctypes.PyDLL: it holds the GIL and never blocks. An event is a
 * tuple whose first item tells its form:
 *
 *     (kind, text, model)              an answer's piece that is its text (member "content") and
 *                                      the name of the model (member "modelId"; "" if absent)
 *     (kind, payload, name)            any other message: bytes, str
 *     (-type, ...)                     anything else, see event_object
 *
 * No Python headers are needed: what follows is from the stable ABI of Python 3.9.
 */
#include <amazonq/amazonq.h>
#include <string.h>
#include <time.h>

typedef struct _object PyObject;
extern PyObject *PyBytes_FromStringAndSize(const char *bytes, ptrdiff_t len);
extern PyObject *PyList_New(ptrdiff_t len);
extern int PyList_Append(PyObject *list, PyObject *item);
extern PyObject *PyLong_FromLong(long value);
extern PyObject *PyLong_FromVoidPtr(void *ptr);
extern PyObject *PyTuple_New(ptrdiff_t len);
extern int PyTuple_SetItem(PyObject *tuple, ptrdiff_t at, PyObject *item); /* takes the item */
extern PyObject *PyUnicode_DecodeUTF8(const char *text, ptrdiff_t len, const char *errors);
extern void Py_DecRef(PyObject *object);

#define EXPORT __attribute__((visibility("default")))

/*
 * At most cap events of an operation or an exchange, as a list; what came after the last one goes
 * into *ret_status: AQ_OK (there may be more at once), AQ_AGAIN, AQ_END, or a failure with *err.
 */
EXPORT PyObject *aqpy_op_drain(struct aq_op *op, int cap, aq_status *ret_status,
                               struct aq_error *err);
EXPORT PyObject *aqpy_exchange_drain(struct aq_exchange *x, int cap, aq_status *ret_status,
                                     struct aq_error *err);

/* Send what an exchange wants to be sent, over the client's transport. */
EXPORT aq_status aqpy_exchange_send(struct aq_client *client, struct aq_exchange *x,
                                    uint32_t connect_ms, uint32_t read_ms, struct aq_op **ret_op,
                                    struct aq_error *err);

/* Give the head of the answer to the exchange, which then gets the body; AQ_AGAIN: not here. */
EXPORT aq_status aqpy_exchange_receive(struct aq_exchange *x, struct aq_op *op,
                                       struct aq_error *err);

/*
 * Step a client; what its operations have to report, as a list of (address, status, events), with
 * AQ_OK and no events where there is something to drain. An operation's events are taken, at most
 * cap, if its userdata points to a number that is not 0, which becomes 0: its reader waits.
 */
EXPORT PyObject *aqpy_client_step(struct aq_client *client, int cap, aq_status *ret_status,
                                  struct aq_error *err);

enum { ITEMS_MAX = 4 };

/* ---- values ---- */

static PyObject *bytes_object(struct aq_bytes b)
{
    return PyBytes_FromStringAndSize((const char *)b.ptr, (ptrdiff_t)b.len);
}

/* Headers may hold anything; nothing is lost on the way to str and back. */
static PyObject *text_object(struct aq_str s)
{
    return PyUnicode_DecodeUTF8(s.ptr ? s.ptr : "", (ptrdiff_t)s.len, "surrogateescape");
}

/* A tuple of these items, which it takes; NULL if one of them is NULL. */
static PyObject *tuple_object(PyObject *const items[], int count)
{
    PyObject *tuple = PyTuple_New(count);
    int missing = !tuple;
    for (int i = 0; i < count; i++) {
        missing |= !items[i];
        if (tuple && items[i]) {
            PyTuple_SetItem(tuple, i, items[i]);
        } else if (items[i]) {
            Py_DecRef(items[i]);
        }
    }
    if (missing && tuple) {
        Py_DecRef(tuple);
        tuple = NULL;
    }
    return tuple;
}

/* Append an item, which it takes. */
static int list_add(PyObject *list, PyObject *item)
{
    int result = item ? PyList_Append(list, item) : -1;
    if (item) {
        Py_DecRef(item);
    }
    return result;
}

static PyObject *headers_object(const struct aq_event *event)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < event->header_count; i++) {
        struct aq_exchange_header header;
        memcpy(&header, (const char *)event->headers + (size_t)i * event->header_stride,
               sizeof(header));
        PyObject *const items[] = {
            PyBytes_FromStringAndSize(header.name.ptr, (ptrdiff_t)header.name.len),
            PyBytes_FromStringAndSize(header.value.ptr, (ptrdiff_t)header.value.len),
        };
        if (list_add(list, tuple_object(items, 2)) != 0) {
            Py_DecRef(list);
            list = NULL;
        }
    }
    return list;
}

/* ---- events ---- */

/* Does a backslash stand before it, that is not one of a pair itself? */
static int is_escaped(const uint8_t *at)
{
    int escaped = 0;
    while (*--at == '\\') {
        escaped = !escaped;
    }
    return escaped;
}

/* Does the rest of a payload begin with this? Then it is taken off. */
static int take(struct aq_bytes *rest, const char *front)
{
    const size_t len = strlen(front);
    if (rest->len < len || memcmp(rest->ptr, front, len) != 0) {
        return 0;
    }
    rest->ptr += len;
    rest->len -= len;
    return 1;
}

/* Take off a string up to its closing quote, and the quote; *ret is the string as it stands. */
static int take_string(struct aq_bytes *rest, struct aq_str *ret)
{
    const uint8_t *end = rest->ptr + rest->len;
    const uint8_t *quote = rest->ptr - 1;
    do {
        quote++;
        quote = memchr(quote, '"', (size_t)(end - quote));
    } while (quote && is_escaped(quote));
    if (!quote) {
        return 0;
    }
    *ret = (struct aq_str){ (const char *)rest->ptr, (size_t)(quote - rest->ptr) };
    rest->ptr = quote + 1;
    rest->len = (size_t)(end - rest->ptr);
    return 1;
}

/* Printable ASCII without escapes: it says what it looks like. */
static int is_plain(struct aq_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < ' ' || s.ptr[i] > '~' || s.ptr[i] == '\\') {
            return 0;
        }
    }
    return 1;
}

/* Is the payload {"content":"..."}, or that and a "modelId" that is not empty, and nothing else?
 * Then the event's text and *ret_model, which is empty without one, say all of it. */
static int is_text(struct aq_bytes payload, struct aq_str *ret_model)
{
    struct aq_str content;
    *ret_model = (struct aq_str){ NULL, 0 };
    return take(&payload, "{\"content\":\"") && take_string(&payload, &content) &&
           (!take(&payload, ",\"modelId\":\"") ||
            (take_string(&payload, ret_model) && ret_model->len > 0 && is_plain(*ret_model))) &&
           take(&payload, "}") && payload.len == 0;
}

static PyObject *message_object(const struct aq_event *event)
{
    struct aq_str model;
    PyObject *items[ITEMS_MAX] = { PyLong_FromLong(event->kind) };
    int count = 1;
    if (event->kind == AQ_MESSAGE_ASSISTANT_RESPONSE && is_text(event->payload, &model)) {
        items[count++] = text_object(event->text);
        items[count++] = text_object(model);
    } else {
        items[count++] = bytes_object(event->payload);
        items[count++] = text_object(event->name);
    }
    return tuple_object(items, count);
}

static PyObject *event_object(const struct aq_event *event)
{
    PyObject *items[ITEMS_MAX] = { PyLong_FromLong(-event->type) };
    int count = 1;
    switch (event->type) {
    case AQ_EVENT_MESSAGE:
        Py_DecRef(items[0]);
        return message_object(event);
    case AQ_EVENT_RESPONSE: /* status, request id, site */
        items[count++] = PyLong_FromLong(event->http);
        items[count++] = text_object(event->request_id);
        items[count++] = text_object(event->name);
        break;
    case AQ_EVENT_RETRY: /* attempt, milliseconds, status */
        items[count++] = PyLong_FromLong((long)event->attempt);
        items[count++] = PyLong_FromLong((long)event->delay_ms);
        items[count++] = PyLong_FromLong(event->http);
        break;
    case AQ_EVENT_NEED_TOKEN: /* status */
        items[count++] = PyLong_FromLong(event->http);
        break;
    case AQ_EVENT_HEAD: /* status, protocol, headers */
        items[count++] = PyLong_FromLong(event->http);
        items[count++] = text_object(event->name);
        items[count++] = headers_object(event);
        break;
    case AQ_EVENT_REPLY:
    case AQ_EVENT_BODY:
        items[count++] = bytes_object(event->payload);
        break;
    default:
        break;
    }
    return tuple_object(items, count);
}

/* ---- the calls ---- */

/* What both sources of events have in common: AQ_OK with an event, or what ends a batch. */
typedef aq_status (*next_fn)(void *source, const struct aq_event **ret, struct aq_error *err);

static aq_status op_next(void *op, const struct aq_event **ret, struct aq_error *err)
{
    return aq_op_next(op, ret, err);
}

struct exchange_source {
    struct aq_exchange *x;
    uint64_t now_us; /* when the batch was begun */
};

static aq_status exchange_next(void *source, const struct aq_event **ret, struct aq_error *err)
{
    const struct exchange_source *from = source;
    return aq_exchange_next(from->x, from->now_us, ret, err);
}

/* After these the caller has something to do before the next event. */
static int ends_batch(const struct aq_event *event)
{
    return event->type == AQ_EVENT_SEND || event->type == AQ_EVENT_RETRY ||
           event->type == AQ_EVENT_NEED_TOKEN || event->type == AQ_EVENT_HEAD;
}

static PyObject *drain(next_fn next, void *source, int cap, aq_status *ret_status,
                       struct aq_error *err)
{
    PyObject *list = PyList_New(0);
    const struct aq_event *event;
    *ret_status = AQ_OK;
    for (int i = 0; list && i < cap; i++) {
        *ret_status = next(source, &event, err);
        if (*ret_status != AQ_OK) {
            break;
        }
        if (list_add(list, event_object(event)) != 0) {
            Py_DecRef(list);
            list = NULL;
        } else if (ends_batch(event)) {
            break;
        }
    }
    return list;
}

PyObject *aqpy_op_drain(struct aq_op *op, int cap, aq_status *ret_status, struct aq_error *err)
{
    return drain(op_next, op, cap, ret_status, err);
}

PyObject *aqpy_exchange_drain(struct aq_exchange *x, int cap, aq_status *ret_status,
                              struct aq_error *err)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    struct exchange_source source = { x, now_us };
    return drain(exchange_next, &source, cap, ret_status, err);
}

aq_status aqpy_exchange_send(struct aq_client *client, struct aq_exchange *x, uint32_t connect_ms,
                             uint32_t read_ms, struct aq_op **ret_op, struct aq_error *err)
{
    struct aq_exchange_request request = { .struct_size = sizeof(request) };
    aq_status st = aq_exchange_request(x, &request, err);
    if (st != AQ_OK) {
        return st;
    }
    const struct aq_http_options options = {
        .struct_size = sizeof(options),
        .method = request.method,
        .url = request.url,
        .headers = request.headers,
        .header_count = request.header_count,
        .header_stride = request.header_stride,
        .body = request.body,
        .connect_timeout_ms = connect_ms,
        .first_byte_timeout_ms = read_ms,
        .idle_timeout_ms = read_ms,
    };
    return aq_http_start(client, &options, ret_op, err);
}

aq_status aqpy_exchange_receive(struct aq_exchange *x, struct aq_op *op, struct aq_error *err)
{
    const struct aq_event *head;
    aq_status st = aq_op_next(op, &head, err);
    if (st == AQ_OK) {
        st = aq_exchange_response(x, head->http, head->headers, head->header_count,
                                  head->header_stride, err);
    }
    return st == AQ_OK ? aq_http_feed(op, x, err) : st;
}

/* (address, status, events): what aqpy_client_step reports of one. */
static PyObject *taken_object(struct aq_op *op, int cap)
{
    struct aq_error err;
    int32_t *wanted = aq_op_userdata(op);
    aq_status st = AQ_OK;
    PyObject *items[ITEMS_MAX] = { PyLong_FromVoidPtr(op) };
    if (wanted && *wanted) {
        *wanted = 0;
        items[2] = drain(op_next, op, cap, &st, &err);
    } else {
        items[2] = PyList_New(0);
    }
    items[1] = PyLong_FromLong(st < 0 ? AQ_OK : st); /* the next drain tells of it again */
    return tuple_object(items, 3);
}

PyObject *aqpy_client_step(struct aq_client *client, int cap, aq_status *ret_status,
                           struct aq_error *err)
{
    PyObject *list = PyList_New(0);
    struct aq_op *op;
    *ret_status = aq_client_step(client, err);
    while (list && (op = aq_client_ready(client))) {
        if (list_add(list, taken_object(op, cap)) != 0) {
            Py_DecRef(list);
            list = NULL;
        }
    }
    return list;
}
