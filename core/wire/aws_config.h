/* SPDX-License-Identifier: Apache-2.0 */
/* The files ~/.aws/config and ~/.aws/credentials: sections of lines "key = value". */
#ifndef AQ_WIRE_AWS_CONFIG_H
#define AQ_WIRE_AWS_CONFIG_H

#include <amazonq/view.h>
#include <stdbool.h>

/*
 * A value of a profile: a view of the text, with the blanks around it taken off. The empty view if
 * it has none. Where a key or a section is there twice, the last value counts, as in the AWS SDKs.
 *
 * In the file `config` a profile is a section [profile NAME], but for [default], which counts
 * unless there is a [profile default]; in `credentials` the section is [NAME] (is_config says which
 * file it is). Lines that begin with # or ; are comments, and so is what follows " #" or " ;"
 * behind a value. Lines that begin with a blank belong to a nested setting, which none of ours is.
 */
struct aq_str aws_config_value(struct aq_str text, bool is_config, struct aq_str profile,
                               struct aq_str key);

/* Is there such a profile? */
bool aws_config_has(struct aq_str text, bool is_config, struct aq_str profile);

#endif
