/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what a descriptor has to give. Who opens it decides what may be opened, and names it in
 * the error: here nobody knows what it is.
 */
#ifndef AQ_BASE_FILE_H
#define AQ_BASE_FILE_H

#include "base/buf.h"

/*
 * Append all that is left; `ret->max` is the limit.
 *
 * Returns AQ_OK; AQ_E_LIMIT: there is more than that; AQ_E_NOMEM; AQ_E_IO: errno says why, EAGAIN
 * that a descriptor which does not block has nothing yet. After a failure the part that was read
 * is there.
 */
aq_status file_read(int fd, struct buf *ret);

/* The same, one piece: AQ_OK, AQ_END (there is no more), AQ_AGAIN (nothing yet), or as above. */
aq_status file_read_some(int fd, struct buf *ret);

#endif
