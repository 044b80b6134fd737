/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of fields in the case that some broken peer insists on ('h1-case-adjust').
 *
 * Everywhere else names are in lower case; a head is adjusted after it was written, where an option
 * asks for it. Filled by control while a configuration is read, then immutable.
 */
#ifndef LB_HTTP_NAME_CASE_H
#define LB_HTTP_NAME_CASE_H

#include <lb/core/arena.h>
#include <lb/core/slice.h>

struct name_case;

/**
 * name_case_add() - have @from written as @to
 * @map: in and out; NULL before the first one
 * @from: in lower case
 *
 * Return: NULL, or what is wrong with the two.
 */
const char *name_case_add(
	struct name_case **map, struct arena *a, struct slice from, struct slice to);
/* Adjusts the names in the lines [head, head + len), the first of which is one of a field. */
void name_case_apply(const struct name_case *map, char *head, size_t len);

#endif
