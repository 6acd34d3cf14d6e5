/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AMAZONQ_CLIENT_H
#define AMAZONQ_CLIENT_H

/*
 * Clients and operations.
 *
 * A client is one thread's view of the library: its settings, at most one store and one transport
 * (loaded and opened on first use), and any number of operations. Everything that takes time is an
 * operation, struct aq_op, and has one shape:
 *
 *     aq_token_start / aq_stream_start / aq_chat_start -> op
 *     loop: aq_op_next(op, &event, &err)
 *           AQ_OK     an event; valid until the next call on this op
 *           AQ_AGAIN  wait until aq_client_fd() is readable, call aq_client_step(), try again
 *           AQ_END    complete
 *           negative  failed; err says why, the op can only be freed
 *     aq_op_free(op)
 *
 * Programs without an event loop call aq_op_wait() in place of aq_op_next() and never see AQ_AGAIN:
 *
 *     const struct aq_event *event;
 *     while ((st = aq_op_wait(op, &event, &err)) == AQ_OK)
 *         if (event->kind == AQ_MESSAGE_ASSISTANT_RESPONSE)
 *             fwrite(event->text.ptr, 1, event->text.len, stdout);
 *
 * Threads: a client and its operations belong to one thread at a time; different clients may be
 * used by different threads at once. The library starts no threads and calls nobody back.
 *
 * Fork: a child process gets AQ_E_FORKED from every call on an inherited client; it may free it.
 *
 * Freeing never loses a login: a token operation that has sent a refresh is finished in the
 * background of its client, and aq_client_free waits for that.
 */

#include <amazonq/status.h>
#include <amazonq/view.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(AQ_BUILDING) && defined(__GNUC__)
#define AQ_API __attribute__((visibility("default")))
#else
#define AQ_API
#endif

struct aq_client;
struct aq_op;
struct aq_token;
struct aq_exchange_header;
struct aq_access_key;
struct aq_login_step;

/* Types of an event. Ignore types you do not know. */
#define AQ_EVENT_TOKEN 1       /* token: a valid token */
#define AQ_EVENT_WARNING 2     /* text: something the user should know; the operation goes on */
#define AQ_EVENT_RETRY 3       /* delay_ms, attempt: will be repeated; name: at another host */
#define AQ_EVENT_NEED_TOKEN 4  /* call aq_op_give_token() to go on, or free the operation */
#define AQ_EVENT_RESPONSE 5    /* the service accepted the request; request_id; name: the site */
#define AQ_EVENT_MESSAGE 6     /* kind, name, payload, text: one event of the answer */
#define AQ_EVENT_REPLY 7       /* payload: the whole answer of an operation that does not stream */
#define AQ_EVENT_SEND 8        /* exchanges only: send aq_exchange_request() now */
#define AQ_EVENT_HEAD 9        /* aq_http_start only: http, headers, name: "HTTP/1.1" or "HTTP/2" */
#define AQ_EVENT_BODY 10       /* aq_http_start only: payload: the next bytes of the body */
#define AQ_EVENT_MIGRATED 11   /* token: the login in its new store; name: the store it came from */
#define AQ_EVENT_LOGGED_OUT 12 /* token: the login that was removed, without its tokens */
#define AQ_EVENT_VISIT 13      /* login: a page that a person has to open */
#define AQ_EVENT_WAITING 14    /* text: what for; delay_ms: at most so long; token: once saved */
#define AQ_EVENT_PROFILES 15   /* login: answer with aq_op_give_profile(), or free the operation */
#define AQ_EVENT_LOGGED_IN 16  /* token: the new login, which has been saved */
#define AQ_EVENT_FINDING 17    /* kind, name, text, payload: what a check found (check.h) */
#define AQ_EVENT_ACCESS_KEY 18 /* access_key: what a request can be signed with */

/* Kinds of AQ_EVENT_MESSAGE, named as the service names them. */
#define AQ_MESSAGE_UNKNOWN 0
#define AQ_MESSAGE_ASSISTANT_RESPONSE 1 /* text: the next piece of the answer */
#define AQ_MESSAGE_TOOL_USE 2           /* text: the next piece of the tool's input */
#define AQ_MESSAGE_REASONING_CONTENT 3  /* text: the next piece of the reasoning */
#define AQ_MESSAGE_CODE 4               /* text: the next piece of code */
#define AQ_MESSAGE_METADATA 5
#define AQ_MESSAGE_MESSAGE_METADATA 6
#define AQ_MESSAGE_METERING 7
#define AQ_MESSAGE_CITATION 8
#define AQ_MESSAGE_CODE_REFERENCE 9
#define AQ_MESSAGE_SUPPLEMENTARY_WEB_LINKS 10
#define AQ_MESSAGE_FOLLOWUP_PROMPT 11
#define AQ_MESSAGE_INTENTS 12
#define AQ_MESSAGE_INTERACTION_COMPONENTS 13
#define AQ_MESSAGE_INVALID_STATE 14
#define AQ_MESSAGE_TOOL_RESULT 15
#define AQ_MESSAGE_DRY_RUN_SUCCEED 16
#define AQ_MESSAGE_CONTEXT_USAGE 17
#define AQ_MESSAGE_INITIAL_RESPONSE 18
#define AQ_MESSAGE_BINARY_METADATA 19
#define AQ_MESSAGE_BINARY_PAYLOAD 20

/**
 * What an operation reports. Owned by the operation; it and its views are valid until the next call
 * on the same operation. Members that the type does not mention are zero.
 */
struct aq_event {
    uint32_t struct_size; /* as the library sees it: newer libraries append members */
    int32_t type;         /* AQ_EVENT_... */
    int32_t kind;         /* AQ_MESSAGE_... */
    uint32_t attempt;     /* number of the attempt that failed, from 1 */
    uint32_t delay_ms;    /* time until the next one */
    int32_t http;         /* HTTP status, or 0 */
    struct aq_str name;   /* event name on the wire, also when the kind is unknown */
    struct aq_bytes payload;
    struct aq_str text; /* decoded from the payload: valid UTF-8, may be empty. Whatever the service
                           sent: filter it before a terminal sees it */
    struct aq_str request_id;
    const struct aq_token *token;
    const struct aq_exchange_header *headers; /* names in lower case */
    uint32_t header_count;
    uint32_t header_stride; /* bytes from one header to the next */
    const struct aq_login_step *login;
    const struct aq_access_key *access_key;
};

/** One explicit setting, as on a command line. Keys: docs/settings.md. */
struct aq_client_setting {
    struct aq_str key;
    struct aq_str value;
};

/* Bits of aq_client_options.flags. */
#define AQ_CLIENT_NO_ENV \
    0x1u /* no setting comes from the environment (HOME and XDG_DATA_HOME \
            still say where files are) */
#define AQ_CLIENT_NO_SETTINGS 0x2u /* read no settings.json */
#define AQ_CLIENT_CHECK_ONLY \
    0x4u /* settings that are wrong are no reason to fail yet: aq_check_start tells of them, \
            and whatever else would use them fails with AQ_E_INVALID */

/** How to make a client. Zero-initialise, then set struct_size; everything else is optional. */
struct aq_client_options {
    uint32_t struct_size;
    uint32_t flags;                           /* AQ_CLIENT_... */
    const struct aq_client_setting *settings; /* these beat environment, settings.json, defaults */
    uint32_t setting_count;
    uint32_t setting_stride;  /* bytes from one to the next; 0 means sizeof(*settings) */
    struct aq_str user_agent; /* appended to our own; "my-program/1.2" */
    int32_t log_level;        /* AQ_CLIENT_LOG_...; 0 keeps no log */
    uint32_t reserved;
};

#define AQ_CLIENT_OPTIONS_INIT \
    { \
        sizeof(struct aq_client_options), 0, NULL, 0, 0, { NULL, 0 }, 0, 0 \
    }

#define AQ_CLIENT_LOG_ERROR 1
#define AQ_CLIENT_LOG_WARN 2
#define AQ_CLIENT_LOG_INFO 3
#define AQ_CLIENT_LOG_DEBUG 4

/** Version of the running library, "MAJOR.MINOR.PATCH". Static text. Threads: any. Since: 0.1 */
AQ_API const char *aq_version(void);

/** Name of a status, such as "AQ_E_BUSY"; never NULL. Static text. Threads: any. Since: 0.1 */
AQ_API const char *aq_status_name(aq_status status);

/**
 * Make a client. Reads settings, but opens no store and no connection and loads no plugin.
 *
 * @param options  copied; NULL means all defaults
 * @param ret      written on success only; end it with aq_client_free
 * @return AQ_OK, AQ_E_INVALID (a setting or settings.json is wrong), AQ_E_NOMEM, AQ_E_IO
 * Threads: any.  Since: 0.1
 */
AQ_API aq_status aq_client_new(const struct aq_client_options *options, struct aq_client **ret,
                               struct aq_error *err);

/**
 * End a client and every operation still on it. Waits for a refresh that was already sent: 15 s,
 * and one call of the store (10 s at most) for the last try to save it. Everything else is
 * cancelled at once. Accepts NULL. Threads: the client's.  Since: 0.1
 */
AQ_API void aq_client_free(struct aq_client *client);

/**
 * The file descriptor to wait on, for readability only, level-triggered, with any event loop. It
 * includes all timers, never changes, and is not to be read or closed.
 *
 * @return the descriptor, or -1 in a forked child
 * Threads: the client's.  Since: 0.1
 */
AQ_API int aq_client_fd(struct aq_client *client);

/**
 * Do what can be done without waiting. Call when the descriptor is readable; harmless otherwise.
 * Saves the answer of a refresh that is under way on this client, and may block in the store for
 * that (see aq_op_may_block); clients that only stream never block here.
 *
 * @return AQ_OK; AQ_E_FORKED; or an error that has ended every operation with a request under way
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_client_step(struct aq_client *client, struct aq_error *err);

/**
 * Name an operation that has something to report, so that one watcher can serve many.
 *
 * @return the operation, or NULL if there is none (wait and step first); each is named again only
 *         after it has been read down to AQ_AGAIN and has something new
 * Threads: the client's.  Since: 0.1
 */
AQ_API struct aq_op *aq_client_ready(struct aq_client *client);

/**
 * Take the oldest line of the log. Lines never hold secrets. 256 lines are kept, newer ones
 * dropped.
 *
 * @param ret_level  AQ_CLIENT_LOG_...
 * @param ret_line   valid until the next call on the client
 * @return AQ_OK, AQ_END when there is none
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_client_next_log(struct aq_client *client, int32_t *ret_level,
                                    struct aq_str *ret_line);

/**
 * Get the next event of an operation, without waiting (but see aq_op_may_block).
 *
 * @param ret  written on AQ_OK only
 * @return AQ_OK, AQ_AGAIN, AQ_END, or the error that ended the operation (again on every call)
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_op_next(struct aq_op *op, const struct aq_event **ret, struct aq_error *err);

/**
 * Get the next event, waiting for it. Other operations of the client go on meanwhile, and their
 * news make the descriptor readable; news of this one do not: read it down before you wait for
 * that.
 *
 * @return as aq_op_next, but never AQ_AGAIN; AQ_E_AUTH while AQ_EVENT_NEED_TOKEN, AQ_E_STATE while
 *         AQ_EVENT_PROFILES is not answered (the operation goes on after aq_op_give_...)
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_op_wait(struct aq_op *op, const struct aq_event **ret, struct aq_error *err);

/**
 * Get several events at once, without waiting; for bindings that pay per call. Stops at the first
 * result that is not AQ_OK and returns it; the events before it have been written.
 *
 * @param events   cap elements, stride bytes apart; views stay valid until the next call on this op
 * @param ret_len  number of events written, whatever is returned
 * @return AQ_OK (cap reached, or the batch ends with a token, a head or a login), or as aq_op_next
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_op_drain(struct aq_op *op, struct aq_event *events, uint32_t cap,
                             uint32_t stride, uint32_t *ret_len, struct aq_error *err);

/**
 * Tell whether aq_op_next may block in a store (at most 10 s a call; 1 s in a token server). Such
 * operations belong on a client of their own in a worker thread when the program has an event loop.
 *
 * @return 1 or 0
 * Threads: the client's.  Since: 0.1
 */
AQ_API int aq_op_may_block(const struct aq_op *op);

/**
 * Answer AQ_EVENT_NEED_TOKEN.
 *
 * @param access_token  copied, wiped after use; 1 to 16,384 printable ASCII characters
 * @return AQ_OK, AQ_E_INVALID, AQ_E_STATE (none was asked for)
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_op_give_token(struct aq_op *op, struct aq_str access_token,
                                  struct aq_error *err);

/**
 * Answer AQ_EVENT_PROFILES.
 *
 * @param arn  copied: one of those that were listed; empty: none, to go on without
 * @return AQ_OK, AQ_E_INVALID (not one of them: ask again), AQ_E_STATE (none was asked for),
 *         AQ_E_NOMEM
 * Threads: the client's.  Since: 0.1
 */
AQ_API aq_status aq_op_give_profile(struct aq_op *op, struct aq_str arn, struct aq_error *err);

/** Attach a pointer of the caller's. Threads: the client's.  Since: 0.1 */
AQ_API void aq_op_set_userdata(struct aq_op *op, void *userdata);

/** @return the pointer attached last, or NULL. Threads: the client's.  Since: 0.1 */
AQ_API void *aq_op_userdata(const struct aq_op *op);

/**
 * End an operation; cancels it if it is not complete. Never blocks and never loses a login (see the
 * top of this header). Accepts NULL.
 * Threads: the client's.  Since: 0.1
 */
AQ_API void aq_op_free(struct aq_op *op);

#ifdef __cplusplus
}
#endif

#endif
