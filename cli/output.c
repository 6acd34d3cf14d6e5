/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"
#include "exitcode.h"
#include "interrupt.h"
#include "report.h"
#include "write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int output_finish(int fd, int err)
{
    if (err == 0 && close(fd) < 0) { /* some file systems tell only now that they are full */
        err = errno;
    }
    if (err == 0) {
        return EXITCODE_OK;
    }
    if (err == EINTR && interrupt_signal()) {
        return EXITCODE_SIGNAL + interrupt_signal();
    }
    char object[40] = "standard output";
    if (fd != STDOUT_FILENO) {
        (void)snprintf(object, sizeof(object), "file descriptor %d", fd);
    }
    report_error("%s: %s, the result is not complete, write it elsewhere", object, strerror(err));
    return EXITCODE_OTHER;
}

int output_result(int fd, const struct text *result)
{
    if (!text_ok(result)) {
        report_error("memory: there is not enough for the result, close other programs");
        return EXITCODE_OTHER;
    }
    return output_finish(fd, write_all(fd, text_view(result)));
}
