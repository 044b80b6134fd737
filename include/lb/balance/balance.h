/* SPDX-License-Identifier: Apache-2.0 */
/* Balancing algorithms: each precomputes what it needs per server set, so that a pick is cheap. */
#ifndef LB_BALANCE_BALANCE_H
#define LB_BALANCE_BALANCE_H

#include <lb/sample/sample.h>
#include <lb/server/backend.h>

LB_REGISTRY_DECLARE(balance);
#define LB_REGISTER_BALANCE(ops)	LB_REGISTER(balance, ops)
const struct balance_ops *balance_default(void);
const struct balance_ops *balance_find(const char *name);

#endif
