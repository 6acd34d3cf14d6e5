/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "json.h"
#include "output.h"
#include "report.h"

#include <string.h>
#include <unistd.h>

int cmd_version(const struct options *o)
{
    const char *format = o->value[OPTION_FORMAT] ? o->value[OPTION_FORMAT] : "plain";
    const char *library = aq_version();
    AUTO(text) struct text out = { 0 };

    if (strcmp(format, "plain") == 0) {
        text_add_literal(&out, "q " AQ_VERSION " (libamazonq ");
        text_add_literal(&out, library);
        text_add_literal(&out, ")\n");
    } else if (json_is_format(format)) {
        struct json j = { .out = &out, .pretty = json_is_pretty(format) };
        json_open(&j, NULL);
        json_string(&j, "version", AQ_STR(AQ_VERSION));
        json_string(&j, "library", (struct aq_str){ library, strlen(library) });
        json_close(&j);
    } else {
        report_error("format '%s': unknown, use plain, json or json-pretty", format);
        return EXITCODE_USAGE;
    }
    return output_result(STDOUT_FILENO, &out);
}
