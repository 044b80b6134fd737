/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of texts with their lengths in front, as req.hdrs_bin gives them: foreign bytes. */
#ifndef LB_HTTP_HDRS_BIN_PRIV_H
#define LB_HTTP_HDRS_BIN_PRIV_H

#include <lb/core/slice.h>

/**
 * hdrs_bin_next() - the next text of a list
 * @in: what is left of it; moves on
 *
 * Return: 1; 0 at the end (an empty text, or no more bytes); -EINVAL when the bytes are no list.
 */
int hdrs_bin_next(struct slice *in, struct slice *out);
/* The next two, a name and a value, which may be empty. Return: the same. */
int hdrs_bin_pair(struct slice *in, struct slice *name, struct slice *value);

#endif
