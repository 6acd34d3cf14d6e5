/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"
#include "duration.h"
#include "fault.h"

#include <json-c/json.h>
#include <string.h>

enum { DEPTH_MAX = 4 };

/* The member of that name; false if it is there and has another type. *ret is NULL if it is not. */
static bool member(json_object *object, const char *name, json_type type, json_object **ret,
                   struct aq_error *err)
{
    *ret = NULL;
    if (!json_object_object_get_ex(object, name, ret) || json_object_is_type(*ret, type)) {
        return true;
    }
    fault_set(err, AQ_E_INVALID, "request: '%s' has the wrong type, see the protocol", name);
    return false;
}

static bool read_version(json_object *object, struct aq_error *err)
{
    json_object *v;
    if (!member(object, "v", json_type_int, &v, err)) {
        return false;
    }
    if (!v || json_object_get_int64(v) != REQUEST_VERSION) {
        fault_set(err, AQ_E_INVALID, "request: this broker speaks version %d, send \"v\":%d",
                  REQUEST_VERSION, REQUEST_VERSION);
        return false;
    }
    return true;
}

static bool read_op(json_object *object, struct request *r, struct aq_error *err)
{
    json_object *op;
    if (!member(object, "op", json_type_string, &op, err)) {
        return false;
    }
    const char *name = op ? json_object_get_string(op) : "";
    if (strcmp(name, "token") == 0) {
        r->op = REQUEST_TOKEN;
    } else if (strcmp(name, "login") == 0) {
        r->op = REQUEST_LOGIN;
    } else {
        fault_set(err, AQ_E_INVALID, "request: 'op' must be token or login");
        return false;
    }
    return true;
}

static bool read_source(json_object *object, struct request *r, struct aq_error *err)
{
    json_object *source;
    if (!member(object, "source", json_type_string, &source, err)) {
        return false;
    }
    const char *name = source ? json_object_get_string(source) : "";
    size_t len = strlen(name);
    if (len >= sizeof(r->source)) {
        fault_set(err, AQ_E_INVALID, "request: 'source' is no name of a login");
        return false;
    }
    memcpy(r->source, name, len + 1);
    return true;
}

static bool read_wishes(json_object *object, struct request *r, struct aq_error *err)
{
    json_object *min_valid, *force, *no_refresh;
    if (!member(object, "min_valid_s", json_type_int, &min_valid, err) ||
        !member(object, "force", json_type_boolean, &force, err) ||
        !member(object, "no_refresh", json_type_boolean, &no_refresh, err)) {
        return false;
    }
    r->min_valid_s = min_valid ? json_object_get_int64(min_valid) : 0;
    r->force = force && json_object_get_boolean(force);
    r->no_refresh = no_refresh && json_object_get_boolean(no_refresh);
    if (r->min_valid_s < 0 || r->min_valid_s > DURATION_MAX_S) {
        fault_set(err, AQ_E_INVALID, "request: 'min_valid_s' must be 0 to %d", DURATION_MAX_S);
        return false;
    }
    if (r->force && r->no_refresh) {
        fault_set(err, AQ_E_INVALID, "request: 'force' contradicts 'no_refresh', leave one out");
        return false;
    }
    return true;
}

static bool read_all(json_object *object, struct request *r, struct aq_error *err)
{
    if (!json_object_is_type(object, json_type_object)) {
        fault_set(err, AQ_E_INVALID, "request: is not one JSON object on one line");
        return false;
    }
    return read_version(object, err) && read_op(object, r, err) && read_source(object, r, err) &&
           read_wishes(object, r, err);
}

aq_status request_parse(struct aq_str line, struct request *ret, struct aq_error *err)
{
    struct request r = { 0 };
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    if (!tokener) {
        return fault_set(err, AQ_E_NOMEM, "request: out of memory");
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *object =
        line.len < REQUEST_MAX ? json_tokener_parse_ex(tokener, line.ptr, (int)line.len) : NULL;
    bool whole = json_tokener_get_error(tokener) == json_tokener_success &&
                 json_tokener_get_parse_end(tokener) == line.len;
    bool good = read_all(whole ? object : NULL, &r, err);
    json_object_put(object);
    json_tokener_free(tokener);
    if (!good) {
        return AQ_E_INVALID;
    }
    *ret = r;
    return AQ_OK;
}
