/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "exitcode.h"
#include "format.h"
#include "json.h"
#include "output.h"

#include <unistd.h>

int cmd_version(const struct options *o)
{
    const char *format = format_of(o);
    const char *library = aq_version();
    AUTO(text) struct text out = { 0 };
    if (!format) {
        return EXITCODE_USAGE;
    }
    if (json_is_format(format)) {
        struct json j = { .out = &out, .pretty = json_is_pretty(format) };
        json_open(&j, NULL);
        json_string(&j, "version", AQ_STR(AQ_VERSION));
        json_string(&j, "library", text_of(library));
        json_close(&j);
    } else {
        text_add_literal(&out, "q " AQ_VERSION " (libamazonq ");
        text_add_literal(&out, library);
        text_add_literal(&out, ")\n");
    }
    return output_result(STDOUT_FILENO, &out);
}
