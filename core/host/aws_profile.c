/* SPDX-License-Identifier: Apache-2.0 */
#include "host/aws_profile.h"

#include "base/error.h"
#include "base/str.h"
#include "host/aws.h"
#include "wire/aws_config.h"

static aq_status read_file(const struct settings *settings, bool is_config, struct buf *path,
                           struct buf *text, struct aq_error *err)
{
    aq_status st = aws_file_path(settings, is_config, path, err);
    if (st == AQ_OK) {
        st = aws_file_read((const char *)path->ptr, text, err);
    }
    return st == AQ_E_NOTFOUND ? AQ_OK : st;
}

aq_status aws_profile_read(struct aws_profile *p, const struct settings *settings,
                           struct aq_error *err)
{
    p->name = aws_variable(settings, "AWS_PROFILE");
    p->named = p->name.len > 0;
    p->name = p->named ? p->name : AQ_STR("default");
    aq_status st = read_file(settings, false, &p->credentials_path, &p->credentials, err);
    if (st == AQ_OK) {
        st = read_file(settings, true, &p->config_path, &p->config, err);
    }
    if (st == AQ_OK && p->named && !aws_config_has(buf_str(&p->credentials), false, p->name) &&
        !aws_config_has(buf_str(&p->config), true, p->name)) {
        return error_set(err, AQ_E_INVALID,
                         "AWS_PROFILE: there is no profile '%.*s' in %s or %s, name another one",
                         AQ_STR_ARG(p->name), (const char *)p->credentials_path.ptr,
                         (const char *)p->config_path.ptr);
    }
    return st;
}

void aws_profile_done(struct aws_profile *p)
{
    buf_done(&p->credentials_path);
    buf_done(&p->credentials);
    buf_done(&p->config_path);
    buf_done(&p->config);
}

struct aq_str aws_profile_value(const struct aws_profile *p, const char *key)
{
    const struct aq_str wanted = str_from(key);
    struct aq_str value = aws_config_value(buf_str(&p->credentials), false, p->name, wanted);
    return value.len ? value : aws_config_value(buf_str(&p->config), true, p->name, wanted);
}

bool aws_profile_has_web_identity(const struct aws_profile *p)
{
    return aws_profile_value(p, "web_identity_token_file").len > 0;
}
