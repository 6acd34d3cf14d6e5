/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing but what -include puts in front of it. */
typedef int not_empty;
