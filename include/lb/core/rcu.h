/* SPDX-License-Identifier: Apache-2.0 */
/* RCU in the QSBR flavour: readers pay nothing; see thread.h for who is online when. */
#ifndef LB_CORE_RCU_H
#define LB_CORE_RCU_H

#include <lb/core/base.h>

/* The library's plain names (call_rcu, rcu_read_lock...) for this flavour. */
#define URCU_API_MAP
#include <urcu/urcu-qsbr.h>

/*
 * The library is not instrumented, so the thread sanitizer is told of the order that a grace period
 * makes: all that happened before a thread's quiescent state is seen by callbacks that run after.
 */
#ifdef LB_TSAN
#include <stdlib.h>

extern char lb_tsan_grace;

struct lb_tsan_callback {
	struct rcu_head inner, *head;
	void (*run)(struct rcu_head *head);
};

static inline void lb_tsan_run(struct rcu_head *inner)
{
	struct lb_tsan_callback cb = *caa_container_of(inner, struct lb_tsan_callback, inner);

	LB_TSAN_ACQUIRE(&lb_tsan_grace);
	free(caa_container_of(inner, struct lb_tsan_callback, inner));
	cb.run(cb.head);
}

static inline void lb_tsan_call_rcu(struct rcu_head *head, void (*run)(struct rcu_head *head))
{
	struct lb_tsan_callback *cb = malloc(sizeof(*cb));

	LB_ASSERT(cb);
	cb->head = head;
	cb->run = run;
	LB_TSAN_RELEASE(&lb_tsan_grace);
	urcu_qsbr_call_rcu(&cb->inner, lb_tsan_run);
}

static inline void lb_tsan_quiescent_state(void)
{
	LB_TSAN_RELEASE(&lb_tsan_grace);
	urcu_qsbr_quiescent_state();
}

static inline void lb_tsan_thread_offline(void)
{
	LB_TSAN_RELEASE(&lb_tsan_grace);
	urcu_qsbr_thread_offline();
}

#undef call_rcu
#undef rcu_quiescent_state
#undef rcu_thread_offline
#define call_rcu            lb_tsan_call_rcu
#define rcu_quiescent_state lb_tsan_quiescent_state
#define rcu_thread_offline  lb_tsan_thread_offline
#endif

#endif
