#include "rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../store/mem.h"
#include "../store/operator.h"

/* A change on its way into a window. */
struct item {
	struct change change;
	struct hash to, from_to; /* keys: same group and new state; same group and fields */
	size_t parent;		 /* union-find */
	size_t series_at;	 /* in series[] */
};

/* A series of the corpus, whether it changed or not. */
struct member {
	uint32_t number;
	uint32_t group; /* index in groups[] */
	uint8_t sni, offer;
};

struct rollouts {
	struct changes *changes;
	enum rollout_group group;
	int64_t gap_ms;
	struct item *items;
	size_t items_n, items_cap;
	struct member *series;
	size_t series_n, series_cap;
	char **groups; /* series come in the order of hosts: equal names follow each other */
	size_t groups_n, groups_cap;
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

static uint32_t
group_of(struct rollouts *r, const struct series *series)
{
	char name[LIMIT_NAME + 1];

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
		name[0] = '\0';
		break;
	}
	if (r->groups_n > 0 && strcmp(r->groups[r->groups_n - 1], name) == 0)
		return (uint32_t)r->groups_n - 1;
	/* Addresses do not follow each other in the order of hosts. */
	for (size_t i = 0; r->group == ROLLOUT_ADDRESS && i < r->groups_n; i++)
		if (strcmp(r->groups[i], name) == 0)
			return (uint32_t)i;
	r->groups = push(r->groups, &r->groups_n, &r->groups_cap, sizeof(*r->groups));
	r->groups[r->groups_n - 1] = mem_strdup(name);
	return (uint32_t)r->groups_n - 1;
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

static const struct hash *
new_state_id(const struct rollouts *r, const struct change *c)
{
	return &states_get(changes_history(r->changes)->states, c->event.new.state)->id;
}

void
rollouts_add(struct rollouts *r, uint32_t number, const struct series *series,
    const struct change *list, size_t n)
{
	struct member *m;

	r->series = push(r->series, &r->series_n, &r->series_cap, sizeof(*r->series));
	m = &r->series[r->series_n - 1];
	*m = (struct member){.number = number,
	    .group = group_of(r, series),
	    .sni = (uint8_t)series->sni,
	    .offer = (uint8_t)series->offer};
	for (size_t i = 0; i < n; i++) {
		struct item *item;

		r->items = push(r->items, &r->items_n, &r->items_cap, sizeof(*r->items));
		item = &r->items[r->items_n - 1];
		*item = (struct item){.change = list[i],
		    .to = key_of(r, m, &list[i], new_state_id(r, &list[i])),
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
link_equal(struct rollouts *r, struct sort_key *keys, bool by_new_state)
{
	for (size_t i = 0; i < r->items_n; i++)
		keys[i] = (struct sort_key){by_new_state ? r->items[i].to : r->items[i].from_to,
		    r->items[i].change.before_ms, i};
	qsort(keys, r->items_n, sizeof(*keys), by_key);
	for (size_t i = 1; i < r->items_n; i++) {
		const struct change *a = &r->items[keys[i - 1].at].change;
		const struct change *b = &r->items[keys[i].at].change;

		if (hash_compare(&keys[i - 1].key, &keys[i].key) != 0 ||
		    b->before_ms - a->before_ms > r->gap_ms)
			continue;
		if (by_new_state && a->classes != b->classes && (a->classes & b->classes) == 0)
			continue;
		r->items[find_root(r->items, keys[i].at)].parent =
		    find_root(r->items, keys[i - 1].at);
	}
}

/* ---- one window -------------------------------------------------------------------------- */

/* The states that its series showed before: which of the others still show one of them? */
static bool
is_old_state(const struct rollouts *r, const size_t *at, size_t n, uint32_t state)
{
	for (size_t i = 0; i < n; i++)
		if (r->items[at[i]].change.event.old.state == state)
			return true;
	return false;
}

static struct rollout_member *
find_member(struct rollout *w, uint32_t series)
{
	for (size_t i = 0; i < w->members_n; i++)
		if (w->members[i].series == series)
			return &w->members[i];
	return NULL;
}

/* N, and those among it that have not changed. */
static int
count_total(struct rollouts *r, struct rollout *w, const size_t *at, size_t n, struct err *err)
{
	const struct member *first = &r->series[r->items[at[0]].series_at];
	int64_t start_ms = r->items[at[0]].change.event.before_ms;
	size_t cap = w->members_n;

	for (size_t i = 0; i < r->series_n; i++) {
		const struct member *m = &r->series[i];
		struct rollout_member *member;
		struct lifetime_sighting last;
		int rc;

		if (m->group != first->group || m->sni != first->sni || m->offer != first->offer)
			continue;
		if ((rc = history_last_observed(
			 changes_history(r->changes), m->number, start_ms, &last, err)) < 0)
			return rc;
		if (rc == 0 || !is_old_state(r, at, n, last.state))
			continue;
		w->total++;
		if ((member = find_member(w, m->number)) == NULL) {
			w->members = push(w->members, &w->members_n, &cap, sizeof(*w->members));
			member = &w->members[w->members_n - 1];
			*member =
			    (struct rollout_member){.series = m->number, .state = ROLLOUT_OLD};
		}
		member->counted = true;
		w->converted += member->state == ROLLOUT_CONVERTED;
		w->mixed += member->state == ROLLOUT_MIXED;
	}
	return 0;
}

/* The fields that all changes share from-to. Those with an equal digest need no second look. */
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
		size_t kept = 0;

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
	buf_append(&b, w->first.fields.bytes, HASH_LEN);
	buf_append(&b, new_state_id(r, &w->first)->bytes, HASH_LEN);
	change_id(w->id, b.data, b.len);
	buf_finish(&b);
}

/* Items at[0..n) in order of conversion, each of another series. */
static int
make_window(struct rollouts *r, const size_t *at, size_t n, struct err *err)
{
	const struct item *first = &r->items[at[0]];
	struct rollout *w;
	int rc;

	if (n == 1 && (first->change.classes & (1u << CLASS_RENEWAL)) != 0)
		return 0;
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
	if ((rc = count_total(r, w, at, n, err)) < 0 || (rc = find_common(r, w, at, n, err)) < 0)
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

	for (size_t i = 1; i < n; i++) {
		for (size_t j = begin; j < i; j++) {
			if (r->items[at[j]].change.series != r->items[at[i]].change.series)
				continue;
			if ((rc = make_window(r, at + begin, i - begin, err)) < 0)
				return rc;
			begin = i;
			break;
		}
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
