/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up in living lists, by workers: the indices of a view's segments are asked from the
 * oldest on. Where the first defined entry counts, the first answer is it; where the most specific
 * one counts, all are asked and the best answer wins, the older one if they are alike.
 *
 * Ordering: the control thread publishes a set with release after all that it points to was
 * written; a record is marked or given a value the same way. A reader stays online until its turn
 * ends, so what it found here lasts as long.
 */
#include "pat_ref_priv.h"
#include "sample_priv.h"

static inline const struct pat_set *set_of(const struct pat_view *v)
{
	return atomic_load_explicit(&v->set, memory_order_consume);
}

static const struct pat_rec *find_first(const struct pat_set *set, const struct sample *smp)
{
	for (uint32_t i = 0; i < set->n; i++) {
		uint32_t rank, idx = pat_list_find(set->lv[i], smp, &rank);

		if (idx != NO_ENTRY)
			return set->lv[i]->e[idx];
	}
	return NULL;
}

static const struct pat_rec *find_best(const struct pat_set *set, const struct sample *smp)
{
	const struct pat_rec *best = NULL;
	uint32_t best_rank = 0;

	for (uint32_t i = 0; i < set->n; i++) {
		uint32_t rank, idx = pat_list_find(set->lv[i], smp, &rank);

		if (idx == NO_ENTRY || (best && rank <= best_rank))
			continue;
		best = set->lv[i]->e[idx];
		best_rank = rank;
	}
	return best;
}

bool pat_view_find(const struct pat_view *v, struct sample *smp, struct pat_hit *hit)
{
	const struct pat_set *set = set_of(v);
	bool by_rank = pat_prefers_rank(v->kind.match, v->kind.icase);
	const struct pat_rec *r;
	const struct pat_val *val;

	if (set->n == 0 || !pat_cast(v->kind.match, smp))
		return false;
	do {
		r = by_rank ? find_best(set, smp) : find_first(set, smp);
		if (!r)
			return false;
		val = rec_val(r);
	} while (LB_UNLIKELY(val == &pat_dead)); /* at this very moment: what is next? */
	if (hit) {
		hit->key = rec_key(r);
		hit->value = val_text(val);
	}
	return true;
}

int pat_view_find_regex(const struct pat_view *v, struct slice subject, struct slice *value_out,
	struct slice *caps_out, int max)
{
	const struct pat_set *set = set_of(v);

	for (uint32_t k = 0; k < set->n; k++) {
		const struct pat_list *pl = set->lv[k];

		for (uint32_t i = 0; i < pl->n; i++) {
			const struct pat_val *val = rec_val(pl->e[i]);
			int n;

			if (val == &pat_dead)
				continue;
			n = regex_exec(pl->regexes[i], subject, caps_out, max);
			if (n <= 0)
				continue;
			*value_out = val_text(val);
			return n;
		}
	}
	return 0;
}

/* The entry at @i of @pl, or one behind it that matches the same, if its text is @key. */
static const struct pat_rec *in_chain(const struct pat_list *pl, uint32_t i, struct slice key)
{
	for (i = first_alive(pl, i); i != NO_ENTRY;
		i = pl->next_equal ? first_alive(pl, pl->next_equal[i]) : NO_ENTRY)
		if (slice_eq(rec_key(pl->e[i]), key))
			return pl->e[i];
	return NULL;
}

static const struct pat_rec *in_list(const struct pat_list *pl, struct slice key)
{
	uint32_t i;

	if (pat_list_equals(pl, key, &i))
		return in_chain(pl, i, key);
	for (i = 0; i < pl->n; i++)
		if (!rec_is_dead(pl->e[i]) && slice_eq(rec_key(pl->e[i]), key))
			return pl->e[i];
	return NULL;
}

bool pat_view_has(const struct pat_view *v, struct slice key, struct slice value)
{
	const struct pat_set *set = set_of(v);

	for (uint32_t k = 0; k < set->n; k++) {
		const struct pat_rec *r = in_list(set->lv[k], key);

		if (r)
			return !value.ptr || slice_eq(val_text(rec_val(r)), value);
	}
	return false;
}
