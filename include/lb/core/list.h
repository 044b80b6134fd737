/* SPDX-License-Identifier: Apache-2.0 */
/* Circular doubly linked list, its head among the nodes. A node on no list points to itself. */
#ifndef LB_CORE_LIST_H
#define LB_CORE_LIST_H

#include <lb/core/base.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_between(struct list *n, struct list *prev, struct list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

/* list_push(): at the front; list_append(): at the end */
static inline void list_push(struct list *head, struct list *n)
{
	list_add_between(n, head, head->next);
}

static inline void list_append(struct list *head, struct list *n)
{
	list_add_between(n, head->prev, head);
}

/* Safe on a node that is on no list. */
static inline void list_del(struct list *n)
{
	n->next->prev = n->prev;
	n->prev->next = n->next;
	list_init(n);
}

/* Moves all nodes of @from to the end of @to. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(ptr, type, member)  LB_CONTAINER_OF(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
/* The node of @pos by arithmetic: at a loop's end @pos is no object, and must not be looked into.
 */
#define list_node_of(pos, member) \
	((struct list *)((char *)(pos) + offsetof(__typeof__(*(pos)), member)))
#define list_for_each(pos, head, member)                               \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); \
		list_node_of(pos, member) != (head);                   \
		pos = list_entry(pos->member.next, __typeof__(*pos), member))
#define list_for_each_safe(pos, tmp, head, member)                                       \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),                   \
	    tmp = list_entry(list_node_of(pos, member)->next, __typeof__(*pos), member); \
		list_node_of(pos, member) != (head); pos = tmp,                          \
	    tmp = list_entry(list_node_of(tmp, member)->next, __typeof__(*tmp), member))

#endif
