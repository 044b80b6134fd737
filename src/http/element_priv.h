/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of one comma-separated value. */
#ifndef LB_HTTP_ELEMENT_PRIV_H
#define LB_HTTP_ELEMENT_PRIV_H

#include <lb/core/slice.h>

/* The next element of @v from *@pos (start with 0), trimmed. Return: false at the end. */
bool http_next_element(struct slice v, size_t *pos, struct slice *out);
/* Is @token (any case) an element of @list? */
bool http_list_has(struct slice list, struct slice token);

#endif
