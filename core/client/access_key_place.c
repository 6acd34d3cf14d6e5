/* SPDX-License-Identifier: Apache-2.0 */
/* What variables and the profile say, and where nothing has to be said. */
#include "client/access_key_place.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "host/aws.h"
#include "wire/endpoint.h"

#define INSTANCE AQ_STR_INIT("http://169.254.169.254")
#define INSTANCE_V6 AQ_STR_INIT("http://[fd00:ec2::254]")
#define CONTAINER AQ_STR_INIT("http://169.254.170.2")

/* ---- STS ---- */

aq_status access_key_sts_url(const struct settings *settings, const struct aws_profile *profile,
                             struct buf *ret, struct aq_error *err)
{
    struct aq_str named = aws_variable(settings, "AWS_ENDPOINT_URL_STS");
    if (named.len) {
        aq_status st = endpoint_check(AQ_STR("AWS_ENDPOINT_URL_STS"), named, true, ret, err);
        buf_add_char(ret, '/');
        return st;
    }
    struct aq_str region = aws_variable(settings, "AWS_REGION");
    region = region.len ? region : aws_variable(settings, "AWS_DEFAULT_REGION");
    region = region.len ? region : aws_profile_value(profile, "region");
    region = region.len ? region : AQ_STR("us-east-1");
    if (!endpoint_region_valid(region)) {
        return error_set(err, AQ_E_INVALID, "AWS_REGION: '%.*s' is no region", AQ_STR_ARG(region));
    }
    buf_printf(ret, "https://sts.%.*s.amazonaws.com/", AQ_STR_ARG(region));
    return AQ_OK;
}

/* ---- what is asked in plain http ---- */

/* Where a request to a place may go, beside this machine. */
static bool is_metadata(enum access_key_place place, struct aq_str origin)
{
    static const struct {
        enum access_key_place place;
        struct aq_str origin;
    } known[] = {
        { PLACE_CONTAINER, CONTAINER },
        { PLACE_CONTAINER, AQ_STR_INIT("http://169.254.170.23") },
        { PLACE_CONTAINER, AQ_STR_INIT("http://[fd00:ec2::23]") },
        { PLACE_INSTANCE, INSTANCE },
        { PLACE_INSTANCE, INSTANCE_V6 },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct aq_str rest = str_from_offset(origin, known[i].origin.len);
        int64_t port;
        if (place == known[i].place && str_starts(origin, known[i].origin) &&
            (rest.len == 0 ||
             (rest.ptr[0] == ':' && str_to_i64(str_from_offset(rest, 1), &port)))) {
            return true;
        }
    }
    return false;
}

/* Append a URL that a variable or a profile names. */
static aq_status add_named(enum access_key_place place, const char *object, struct aq_str url,
                           struct buf *ret, struct aq_error *err)
{
    AUTO(buf) struct buf checked = BUF(0);
    struct aq_str rest = url;
    for (int slashes = 0; slashes < 3 && rest.ptr; slashes++) {
        str_cut(&rest, '/');
    }
    struct aq_str origin = { url.ptr, rest.ptr ? (size_t)(rest.ptr - url.ptr) - 1 : url.len };
    aq_status st = is_metadata(place, origin)
                       ? AQ_OK
                       : endpoint_check(str_from(object), origin, true, &checked, err);
    buf_add(ret, url);
    return st;
}

aq_status access_key_container_url(const struct settings *settings, struct buf *ret,
                                   struct aq_error *err)
{
    static const struct aq_str origin = CONTAINER;
    struct aq_str relative = aws_variable(settings, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    struct aq_str full = aws_variable(settings, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative.len) {
        buf_add(ret, origin);
        buf_add(ret, str_starts(relative, AQ_STR("/")) ? AQ_STR("") : AQ_STR("/"));
        buf_add(ret, relative);
        return AQ_OK;
    }
    return full.len
               ? add_named(PLACE_CONTAINER, "AWS_CONTAINER_CREDENTIALS_FULL_URI", full, ret, err)
               : AQ_E_NOTFOUND;
}

/* What says how an instance is reached: a variable, else the profile. */
static struct aq_str instance_setting(const struct settings *settings,
                                      const struct aws_profile *profile, const char *variable,
                                      const char *key)
{
    struct aq_str value = aws_variable(settings, variable);
    return value.len ? value : aws_profile_value(profile, key);
}

aq_status access_key_instance_origin(const struct settings *settings,
                                     const struct aws_profile *profile, struct buf *ret,
                                     struct aq_error *err)
{
    static const struct aq_str origins[] = { INSTANCE, INSTANCE_V6 };
    struct aq_str named = instance_setting(settings, profile, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                           "ec2_metadata_service_endpoint");
    struct aq_str mode =
        instance_setting(settings, profile, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                         "ec2_metadata_service_endpoint_mode");
    bool v6 = str_eq_nocase(mode, AQ_STR("ipv6"));
    if (named.len) {
        while (str_ends(named, AQ_STR("/"))) {
            named.len--;
        }
        return add_named(PLACE_INSTANCE, "AWS_EC2_METADATA_SERVICE_ENDPOINT", named, ret, err);
    }
    if (mode.len && !v6 && !str_eq_nocase(mode, AQ_STR("ipv4"))) {
        return error_set(err, AQ_E_INVALID,
                         "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: '%.*s' is neither IPv4 nor IPv6",
                         AQ_STR_ARG(mode));
    }
    buf_add(ret, origins[v6]);
    return AQ_OK;
}
