/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"
#include "exitcode.h"
#include "report.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int fail(aq_status st, const struct aq_error *err)
{
    report_error("%s", err->text);
    return exitcode_of(st);
}

void find_done(struct aq_catalog **catalog)
{
    aq_catalog_free(*catalog);
}

int find_open(const struct options *o, struct aq_catalog **ret)
{
    struct aq_client_options options = AQ_CLIENT_OPTIONS_INIT;
    struct aq_client_setting more;
    struct aq_error err;
    if (o->value[OPTION_PLUGIN]) {
        more =
            (struct aq_client_setting){ AQ_STR("plugin.path"), text_of(o->value[OPTION_PLUGIN]) };
        options.settings = &more;
        options.setting_count = 1;
    }
    aq_status st = aq_catalog_open(&options, ret, &err);
    return st == AQ_OK ? EXITCODE_OK : fail(st, &err);
}

int find_plugin(struct aq_catalog *catalog, const char *name, struct aq_catalog_entry *ret)
{
    char path[PATH_MAX];
    struct aq_error err;
    if (strchr(name, '/') && name[0] != '/') {
        if (!realpath(name, path)) {
            report_error("plugin '%s': %s, correct the path", name, strerror(errno));
            return exitcode_of(AQ_E_PLUGIN);
        }
        name = path;
    }
    aq_status st = aq_catalog_find(catalog, text_of(name), ret, &err);
    return st == AQ_OK ? EXITCODE_OK : fail(st, &err);
}
