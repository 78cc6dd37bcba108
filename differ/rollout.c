#include "rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../store/mem.h"
#include "../store/operator.h"
#include "rollout_states.h"

/* A change on its way into a window. */
struct item {
	struct change change;
	struct hash to, from_to; /* keys: same group and new state; same group and fields */
	size_t parent;		 /* union-find */
	size_t series_at;	 /* in series[] */
	bool own_leaf; /* a renewal where another address left the same state for another leaf */
};

/* A series of the corpus, whether it changed or not. */
struct member {
	uint32_t number;
	uint32_t group; /* index in groups[] */
	uint8_t sni, offer;
	uint16_t port;
	uint32_t shows; /* the state that was observed last; of one that never was, meaningless */
	struct ip address;
	size_t cut, window, index; /* marks: the cut, the window it is in, and its place there */
};

struct rollouts {
	struct changes *changes;
	enum rollout_group group;
	int64_t gap_ms;
	struct item *items;
	size_t items_n, items_cap;
	struct member *series;
	size_t series_n, series_cap;
	char **groups;
	size_t groups_n, groups_cap;
	uint32_t *slots; /* open addressing by name; 0: free, else index in groups[] + 1 */
	size_t slots_n;
	struct rollout_states states;
	size_t cuts, marks;
	struct rollout *found;
	size_t found_n, found_cap;
};

bool
rollout_group_parse(const char *text, enum rollout_group *group)
{
	static const char *const names[] = {"operator", "host", "address", "chain"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*group = (enum rollout_group)i;
			return true;
		}
	}
	return false;
}

const char *
rollout_state_name(enum rollout_state state)
{
	static const char *const names[] = {"converted", "mixed", "old"};

	return names[state];
}

struct rollouts *
rollouts_create(struct changes *changes, enum rollout_group group, int64_t gap_ms)
{
	struct rollouts *r = mem_zero(1, sizeof(*r));

	r->changes = changes;
	r->group = group;
	r->gap_ms = gap_ms;
	return r;
}

void
rollouts_destroy(struct rollouts *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->groups_n; i++)
		free(r->groups[i]);
	for (size_t i = 0; i < r->found_n; i++) {
		free(r->found[i].members);
		free(r->found[i].common);
	}
	free(r->items);
	free(r->series);
	free(r->groups);
	free(r->slots);
	rollout_states_finish(&r->states);
	free(r->found);
	free(r);
}

static void *
push(void *list, size_t *n, size_t *cap, size_t size)
{
	if (*n == *cap) {
		*cap = *cap > 0 ? 2 * *cap : 16;
		list = mem_grow(list, *cap, size);
	}
	(*n)++;
	return list;
}

/* ---- gathering --------------------------------------------------------------------------- */

static uint32_t *
find_slot(const struct rollouts *r, const char *name)
{
	size_t at = hash_checksum("", 0, name, strlen(name));

	for (;; at++) {
		uint32_t *slot = &r->slots[at & (r->slots_n - 1)];

		if (*slot == 0 || strcmp(r->groups[*slot - 1], name) == 0)
			return slot;
	}
}

static uint32_t
intern(struct rollouts *r, const char *name)
{
	uint32_t *slot;

	if (2 * (r->groups_n + 1) > r->slots_n) {
		free(r->slots);
		r->slots_n = r->slots_n > 0 ? 2 * r->slots_n : 64;
		r->slots = mem_zero(r->slots_n, sizeof(*r->slots));
		for (size_t i = 0; i < r->groups_n; i++)
			*find_slot(r, r->groups[i]) = (uint32_t)i + 1;
	}
	slot = find_slot(r, name);
	if (*slot == 0) {
		r->groups = push(r->groups, &r->groups_n, &r->groups_cap, sizeof(*r->groups));
		r->groups[r->groups_n - 1] = mem_strdup(name);
		*slot = (uint32_t)r->groups_n;
	}
	return *slot - 1;
}

static uint32_t
group_of(struct rollouts *r, const struct series *series)
{
	char name[LIMIT_NAME + 1] = "";

	switch (r->group) {
	case ROLLOUT_OPERATOR:
		operator_of_host(series->host, name);
		break;
	case ROLLOUT_HOST:
		snprintf(name, sizeof(name), "%s", series->host);
		break;
	case ROLLOUT_ADDRESS:
		ip_format(&series->address, name);
		break;
	case ROLLOUT_CHAIN: /* the chain is in the key of every window */
		break;
	}
	return intern(r, name);
}

static uint64_t
bucket_of(const struct member *m)
{
	return (uint64_t)m->group << 16 | (uint64_t)m->sni << 8 | m->offer;
}

/* Conversions, roll-backs, disappearances and returns to the same state are kept apart. */
static uint8_t
direction(const struct change *c)
{
	return (uint8_t)((c->classes & (1u << CLASS_ROLLED_BACK)) != 0) |
	       (uint8_t)(((c->classes & (1u << CLASS_GONE)) != 0) << 1) |
	       (uint8_t)((c->event.kind == LIFETIME_BACK) << 2);
}

static struct hash
key_of(const struct rollouts *r, const struct member *m, const struct change *c,
    const struct hash *what)
{
	uint8_t bytes[HASH_LEN + 7];

	memcpy(bytes, what->bytes, HASH_LEN);
	memcpy(bytes + HASH_LEN, &m->group, 4);
	bytes[HASH_LEN + 4] = m->sni;
	bytes[HASH_LEN + 5] = m->offer;
	bytes[HASH_LEN + 6] = direction(c);
	return hash_sha256(bytes, sizeof(bytes));
}

static bool
is_about_presence(const struct change *c)
{
	return c->event.kind == LIFETIME_GONE || c->event.kind == LIFETIME_BACK;
}

static const struct hash *
new_state_id(const struct rollouts *r, const struct change *c)
{
	return &states_get(changes_history(r->changes)->states, c->event.new.state)->id;
}

void
rollouts_add(struct rollouts *r, uint32_t number, const struct series *series,
    const struct change *list, size_t n)
{
	static const struct hash presence;
	const struct lifetimes *lifetimes = &changes_history(r->changes)->lifetimes;
	struct member *m;

	r->series = push(r->series, &r->series_n, &r->series_cap, sizeof(*r->series));
	m = &r->series[r->series_n - 1];
	*m = (struct member){.number = number,
	    .group = group_of(r, series),
	    .sni = (uint8_t)series->sni,
	    .offer = (uint8_t)series->offer,
	    .port = series->port,
	    .address = series->address};
	if (lifetimes->n > 0)
		m->shows = lifetimes->list[lifetimes->current].first.state;
	rollout_states_add(&r->states, bucket_of(m), number, r->series_n - 1, lifetimes);
	for (size_t i = 0; i < n; i++) {
		struct item *item;

		r->items = push(r->items, &r->items_n, &r->items_cap, sizeof(*r->items));
		item = &r->items[r->items_n - 1];
		*item = (struct item){.change = list[i],
		    /* How a probe failed, and what came back, does not tell outages apart. */
		    .to = key_of(r, m, &list[i],
			is_about_presence(&list[i]) ? &presence : new_state_id(r, &list[i])),
		    .from_to = key_of(r, m, &list[i], &list[i].fields),
		    .parent = r->items_n - 1,
		    .series_at = r->series_n - 1};
	}
}

/* ---- linking ----------------------------------------------------------------------------- */

static size_t
find_root(struct item *items, size_t at)
{
	while (items[at].parent != at) {
		items[at].parent = items[items[at].parent].parent;
		at = items[at].parent;
	}
	return at;
}

struct sort_key {
	struct hash key;
	int64_t before_ms;
	size_t at;
};

static int
by_key(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	int order = hash_compare(&x->key, &y->key);

	if (order != 0)
		return order;
	if (x->before_ms != y->before_ms)
		return x->before_ms < y->before_ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void
join(struct rollouts *r, size_t earlier, size_t later)
{
	if (r->items[later].change.before_ms - r->items[earlier].change.before_ms <= r->gap_ms)
		r->items[find_root(r->items, later)].parent = find_root(r->items, earlier);
}

static void
link_equal(struct rollouts *r, struct sort_key *keys, bool by_new_state)
{
	size_t last[CLASS_N + 1]; /* with each class, or with none: the newest so far */

	for (size_t i = 0; i < r->items_n; i++)
		keys[i] = (struct sort_key){by_new_state ? r->items[i].to : r->items[i].from_to,
		    r->items[i].change.before_ms, i};
	qsort(keys, r->items_n, sizeof(*keys), by_key);
	for (size_t i = 0; i < r->items_n; i++) {
		size_t at = keys[i].at;
		unsigned classes = r->items[at].change.classes;

		if (i == 0 || hash_compare(&keys[i - 1].key, &keys[i].key) != 0)
			memset(last, 0xff, sizeof(last));
		if (!by_new_state)
			classes = 0;
		for (unsigned c = 0; c <= CLASS_N; c++) {
			if (c < CLASS_N ? (classes & 1u << c) == 0 : classes != 0)
				continue;
			if (last[c] != SIZE_MAX)
				join(r, last[c], at);
			last[c] = at;
		}
	}
}

/* ---- renewals ---------------------------------------------------------------------------- */

struct renewal {
	uint64_t bucket;
	uint32_t old;
	size_t at;
};

static int
by_old(const void *a, const void *b)
{
	const struct renewal *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	if (x->old != y->old)
		return x->old < y->old ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static bool
is_renewal(const struct change *c)
{
	return (c->classes & (1u << CLASS_RENEWAL)) != 0;
}

static bool
same_place(const struct member *a, const struct member *b)
{
	return a->port == b->port && ip_compare(&a->address, &b->address) == 0;
}

static bool
to_other_leaves(const struct rollouts *r, size_t a, size_t b)
{
	const struct item *x = &r->items[a], *y = &r->items[b];

	return x->change.event.new.state != y->change.event.new.state &&
	       !same_place(&r->series[x->series_at], &r->series[y->series_at]);
}

/* "Renewals to different leaves are none": marks those that leave one state for several leaves. */
static void
mark_own_leaves(struct rollouts *r)
{
	struct renewal *list = mem_zero(r->items_n, sizeof(*list));
	size_t n = 0, end;

	for (size_t i = 0; i < r->items_n; i++)
		if (is_renewal(&r->items[i].change))
			list[n++] = (struct renewal){bucket_of(&r->series[r->items[i].series_at]),
			    r->items[i].change.event.old.state, i};
	if (n > 0)
		qsort(list, n, sizeof(*list), by_old);
	for (size_t begin = 0; begin < n; begin = end) {
		bool several = false;

		for (end = begin; end < n && list[end].bucket == list[begin].bucket &&
				  list[end].old == list[begin].old;
		     end++)
			several |= to_other_leaves(r, list[begin].at, list[end].at);
		for (size_t i = begin; several && i < end; i++)
			r->items[list[i].at].own_leaf = true;
	}
	free(list);
}

static bool
at_one_place(const struct rollouts *r, const size_t *at, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (!same_place(&r->series[r->items[at[0]].series_at],
			&r->series[r->items[at[i]].series_at]))
			return false;
	return true;
}

/* ---- one window -------------------------------------------------------------------------- */

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The states that its series showed before, ascending; to be freed. */
static uint32_t *
old_states(const struct rollouts *r, const size_t *at, size_t *n)
{
	uint32_t *states = mem_zero(*n, sizeof(*states));
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		states[i] = r->items[at[i]].change.event.old.state;
	qsort(states, *n, sizeof(*states), by_number);
	for (size_t i = 0; i < *n; i++)
		if (kept == 0 || states[kept - 1] != states[i])
			states[kept++] = states[i];
	*n = kept;
	return states;
}

static void
count(struct rollout *w, struct rollout_member *member)
{
	member->counted = true;
	w->total++;
	w->converted += member->state == ROLLOUT_CONVERTED;
	w->mixed += member->state == ROLLOUT_MIXED;
}

/* N, and those among it that have not changed. */
static int
count_total(struct rollouts *r, struct rollout *w, const size_t *at, size_t n, struct err *err)
{
	const struct item *first = &r->items[at[0]];
	size_t cap = w->members_n, states_n = n;
	uint32_t *states;
	int rc;

	if (first->change.event.kind == LIFETIME_BACK) {
		/* Gone is no state that is observed: N is what came back. */
		for (size_t i = 0; i < n; i++)
			count(w, &w->members[i]);
		return 0;
	}
	states = old_states(r, at, &states_n);
	rc = rollout_states_find(&r->states, changes_history(r->changes),
	    bucket_of(&r->series[first->series_at]), states, states_n,
	    first->change.event.before_ms, err);
	for (size_t i = 0; rc == 0 && i < r->states.found_n; i++) {
		struct member *m = &r->series[r->states.found[i]];

		if (m->window != r->marks) {
			w->members = push(w->members, &w->members_n, &cap, sizeof(*w->members));
			m->window = r->marks;
			m->index = w->members_n - 1;
			w->members[m->index] = (struct rollout_member){.series = m->number,
			    .state = ROLLOUT_OLD,
			    .left = bsearch(&m->shows, states, states_n, sizeof(*states),
					by_number) == NULL};
			w->elsewhere |= !same_place(m, &r->series[first->series_at]);
		}
		count(w, &w->members[m->index]);
	}
	free(states);
	return rc;
}

/* The fields that all changes share from-to. The same evidence needs no second look. */
static int
find_common(struct rollouts *r, struct rollout *w, const size_t *at, size_t n, struct err *err)
{
	const struct difference *d;
	struct hash others[FIELD_N];
	int rc;

	if ((rc = changes_differences(r->changes, &w->first, &d, err)) < 0)
		return rc;
	w->common = mem_zero((size_t)rc, sizeof(*w->common));
	for (int i = 0; i < rc; i++)
		w->common[w->common_n++] = change_difference_hash(&d[i]);
	for (size_t i = 1; i < n; i++) {
		const struct change *change = &r->items[at[i]].change;
		const struct change *before = &r->items[at[i - 1]].change;
		size_t kept = 0;

		if (change->event.old.evidence == before->event.old.evidence &&
		    change->event.new.evidence == before->event.new.evidence)
			continue;
		if ((rc = changes_differences(r->changes, change, &d, err)) < 0)
			return rc;
		for (int j = 0; j < rc; j++)
			others[j] = change_difference_hash(&d[j]);
		for (size_t k = 0; k < w->common_n; k++) {
			int j = 0;

			while (j < rc && hash_compare(&others[j], &w->common[k]) != 0)
				j++;
			if (j < rc)
				w->common[kept++] = w->common[k];
		}
		w->common_n = kept;
	}
	return 0;
}

bool
rollout_has_common(const struct rollout *w, const struct difference *difference)
{
	struct hash hash = change_difference_hash(difference);

	for (size_t i = 0; i < w->common_n; i++)
		if (hash_compare(&w->common[i], &hash) == 0)
			return true;
	return false;
}

static void
set_brackets(struct rollouts *r, struct rollout *w, const size_t *at, size_t n)
{
	struct rollout_bracket last;

	w->start = last = (struct rollout_bracket){w->first.after_ms, w->first.before_ms};
	for (size_t i = 1; i < n; i++) {
		const struct change *c = &r->items[at[i]].change;

		w->start.after_ms =
		    c->after_ms < w->start.after_ms ? c->after_ms : w->start.after_ms;
		w->start.before_ms =
		    c->before_ms < w->start.before_ms ? c->before_ms : w->start.before_ms;
		last.after_ms = c->after_ms > last.after_ms ? c->after_ms : last.after_ms;
		last.before_ms = c->before_ms > last.before_ms ? c->before_ms : last.before_ms;
	}
	w->end = last;
	w->instant = (struct rollout_bracket){last.after_ms, w->start.before_ms};
	w->has_instant = w->instant.after_ms < w->instant.before_ms;
}

static void
name_group(const struct rollouts *r, struct rollout *w, const struct item *first)
{
	char hex[2 * HASH_LEN + 1];

	hash_hex(new_state_id(r, &first->change), hex);
	snprintf(w->group, sizeof(w->group), "%s",
	    r->group == ROLLOUT_CHAIN ? hex : r->groups[r->series[first->series_at].group]);
}

static void
identify(const struct rollouts *r, struct rollout *w)
{
	struct buf b = {0};

	buf_printf(&b, "window\n%s\n%s\n%s\n%lld\n%lld\n", w->group, sni_name(w->sni),
	    offer_name(w->offer), (long long)w->start.after_ms, (long long)w->start.before_ms);
	buf_append_byte(&b, direction(&w->first));
	buf_append(&b, w->first.fields.bytes, HASH_LEN);
	buf_append(&b, new_state_id(r, &w->first)->bytes, HASH_LEN);
	change_id(w->id, b.data, b.len);
	buf_finish(&b);
}

static void
drop_window(struct rollouts *r)
{
	struct rollout *w = &r->found[--r->found_n];

	free(w->members);
	free(w->common);
}

/* Items at[0..n) in order of conversion, each of another series. A renewal at one address is a
 * window only where others showed the same certificate, and none of them went another way. */
static int
make_window(struct rollouts *r, const size_t *at, size_t n, struct err *err)
{
	const struct item *first = &r->items[at[0]];
	bool renewal = is_renewal(&first->change) && at_one_place(r, at, n);
	struct rollout *w;
	int rc;

	if (renewal && first->own_leaf)
		return 0;
	r->marks++;
	r->found = push(r->found, &r->found_n, &r->found_cap, sizeof(*r->found));
	w = &r->found[r->found_n - 1];
	*w = (struct rollout){.first = first->change,
	    .sni = (enum sni)r->series[first->series_at].sni,
	    .offer = (enum offer)r->series[first->series_at].offer,
	    .classes = first->change.classes,
	    .members = mem_zero(n, sizeof(*w->members)),
	    .members_n = n};
	for (size_t i = 0; i < n; i++) {
		const struct change *c = &r->items[at[i]].change;
		struct member *m = &r->series[r->items[at[i]].series_at];

		m->window = r->marks;
		m->index = i;
		w->members[i] = (struct rollout_member){.series = c->series,
		    .after_ms = c->after_ms,
		    .before_ms = c->before_ms,
		    .state = c->event.mixed ? ROLLOUT_MIXED : ROLLOUT_CONVERTED};
		if ((w->classes & c->classes) != 0)
			w->classes &= c->classes;
		if (c->severity > w->severity)
			w->severity = c->severity;
	}
	name_group(r, w, first);
	set_brackets(r, w, at, n);
	identify(r, w);
	if ((rc = count_total(r, w, at, n, err)) < 0)
		return rc;
	if (renewal && !w->elsewhere) {
		drop_window(r);
		return 0;
	}
	if ((rc = find_common(r, w, at, n, err)) < 0)
		return rc;
	w->has_end = w->converted == w->total && w->mixed == 0 && w->total > 0;
	return 0;
}

/* ---- all windows ------------------------------------------------------------------------- */

/* A series converts once in a window: cuts the linked items where one comes again. */
static int
cut_windows(struct rollouts *r, const size_t *at, size_t n, struct err *err)
{
	size_t begin = 0;
	int rc;

	r->cuts++;
	for (size_t i = 0; i < n; i++) {
		struct member *m = &r->series[r->items[at[i]].series_at];

		if (m->cut == r->cuts) {
			if ((rc = make_window(r, at + begin, i - begin, err)) < 0)
				return rc;
			begin = i;
			r->cuts++;
		}
		m->cut = r->cuts;
	}
	return make_window(r, at + begin, n - begin, err);
}

struct linked {
	size_t root;
	int64_t before_ms, after_ms;
	size_t at;
};

static int
by_root(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;

	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	if (x->before_ms != y->before_ms)
		return x->before_ms < y->before_ms ? -1 : 1;
	if (x->after_ms != y->after_ms)
		return x->after_ms < y->after_ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int
by_start(const void *a, const void *b)
{
	const struct rollout *x = a, *y = b;

	if (x->start.before_ms != y->start.before_ms)
		return x->start.before_ms < y->start.before_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

int
rollouts_find(struct rollouts *r, const struct rollout **list, struct err *err)
{
	struct sort_key *keys = mem_zero(r->items_n, sizeof(*keys));
	struct linked *linked = mem_zero(r->items_n, sizeof(*linked));
	size_t *at = mem_zero(r->items_n, sizeof(*at)), begin = 0;
	int rc = 0;

	rollout_states_sort(&r->states);
	mark_own_leaves(r);
	link_equal(r, keys, true);
	link_equal(r, keys, false);
	for (size_t i = 0; i < r->items_n; i++)
		linked[i] = (struct linked){find_root(r->items, i), r->items[i].change.before_ms,
		    r->items[i].change.after_ms, i};
	qsort(linked, r->items_n, sizeof(*linked), by_root);
	for (size_t i = 0; i < r->items_n; i++)
		at[i] = linked[i].at;
	for (size_t i = 1; i <= r->items_n && rc >= 0; i++) {
		if (i < r->items_n && linked[i].root == linked[begin].root)
			continue;
		rc = cut_windows(r, at + begin, i - begin, err);
		begin = i;
	}
	free(keys);
	free(linked);
	free(at);
	if (rc < 0)
		return rc;
	if (r->found_n > 0)
		qsort(r->found, r->found_n, sizeof(*r->found), by_start);
	*list = r->found;
	return (int)r->found_n;
}
