/* SPDX-License-Identifier: Apache-2.0 */
/* RCU in the QSBR flavour: readers pay nothing; see thread.h for who is online when. */
#ifndef LB_CORE_RCU_H
#define LB_CORE_RCU_H

/* The library's plain names (call_rcu, rcu_read_lock...) for this flavour. */
#define URCU_API_MAP
#include <urcu/urcu-qsbr.h>

#endif
