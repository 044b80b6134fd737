/* SPDX-License-Identifier: Apache-2.0 */
/* RCU in the QSBR flavour: readers pay nothing; see thread.h for who is online when. */
#ifndef LB_CORE_RCU_H
#define LB_CORE_RCU_H

#include <urcu/urcu-qsbr.h>

#endif
