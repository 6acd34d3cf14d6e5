/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"
#include "json.h"
#include "report.h"

#include <string.h>

const char *format_of(const struct options *o)
{
    const char *format = o->value[OPTION_FORMAT] ? o->value[OPTION_FORMAT] : "plain";
    if (strcmp(format, "plain") != 0 && !json_is_format(format)) {
        report_error("format '%s': unknown, use plain, json or json-pretty", format);
        return NULL;
    }
    return format;
}
