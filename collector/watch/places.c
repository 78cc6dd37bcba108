#include "places.h"

#include <stdlib.h>
#include <string.h>

#include "collector/limits.h"
#include "store/base/mem.h"
#include "store/record/operator.h"

#define SLOTS_FIRST 256
#define STIRS_MOST 256 /* changes noted at once; there are more in the next look */

/* A change, for those around it. */
struct stir {
	uint64_t host_id, operator_id;
	struct ip address;
	size_t left; /* places that may still be looked at closely for it */
};

struct places {
	const struct visit_plan *plan;
	int64_t interval_ms, close_interval_ms;
	size_t rank[VISIT_STEPS_MAX]; /* of a step among those of its kind of place */
	size_t series_n[2];	      /* of a place; [1]: of a next hop */
	struct place **slots;
	size_t slots_n, n, octets;
	struct place *timed; /* those with a time of their own */
	size_t timed_n, close_n;
	struct stir stirs[STIRS_MOST];
	size_t stirs_n;
};

static bool
is_nexthop(const struct visit_plan *plan, unsigned step)
{
	return plan->variants[step / OFFER_N].sni == SNI_NEXTHOP;
}

struct places *
places_create(const struct visit_plan *plan, int64_t interval_ms, int64_t close_interval_ms)
{
	struct places *p = mem_zero(1, sizeof(*p));

	p->plan = plan;
	p->interval_ms = interval_ms;
	p->close_interval_ms = close_interval_ms;
	for (unsigned step = 0; step < plan->variants_n * OFFER_N; step++)
		if (plan->offers[step % OFFER_N])
			p->rank[step] = p->series_n[is_nexthop(plan, step)]++;
	p->slots_n = SLOTS_FIRST;
	p->slots = mem_zero(p->slots_n, sizeof(struct place *));
	return p;
}

static void
place_destroy(struct place *place)
{
	free(place->series);
	free(place);
}

void
places_destroy(struct places *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->slots_n; i++) {
		struct place *next;

		for (struct place *place = p->slots[i]; place != NULL; place = next) {
			next = place->chain;
			place_destroy(place);
		}
	}
	free(p->slots);
	free(p);
}

/* ---- the table ----------------------------------------------------------------------------- */

static uint64_t
id_of(const char *name)
{
	return hash_quick(name, strlen(name));
}

static struct place **
slot(const struct places *p, uint64_t host_id, const struct ip *address, const char *domain)
{
	uint64_t sum = hash_checksum(address, sizeof(*address), domain, strlen(domain)) ^ host_id;

	return &p->slots[sum & (p->slots_n - 1)];
}

static void
grow(struct places *p)
{
	struct places larger = *p;

	larger.slots_n *= 4;
	larger.slots = mem_zero(larger.slots_n, sizeof(struct place *));
	for (size_t i = 0; i < p->slots_n; i++) {
		struct place *next;

		for (struct place *place = p->slots[i]; place != NULL; place = next) {
			struct place **at =
			    slot(&larger, place->host_id, &place->address, place->domain);

			next = place->chain;
			place->chain = *at;
			*at = place;
		}
	}
	free(p->slots);
	*p = larger;
}

static size_t
octets_of(const struct places *p, const struct place *place)
{
	return sizeof(*place) + strlen(place->host) + strlen(place->domain) + 2 +
	       p->series_n[*place->domain != '\0'] * sizeof(struct place_series) +
	       4 * sizeof(void *);
}

static struct place *
add(struct places *p, const struct visit *visit, const char *domain, int64_t now_ms)
{
	const struct series *series = &visit->job.series;
	size_t host_len = strlen(series->host) + 1, domain_len = strlen(domain) + 1;
	struct place *place = mem_zero(1, sizeof(*place) + host_len + domain_len), **at;
	char operator_name[LIMIT_NAME + 1];

	if (p->n++ == p->slots_n)
		grow(p);
	memcpy(place->host, series->host, host_len);
	memcpy(place->host + host_len, domain, domain_len);
	place->domain = place->host + host_len;
	place->address = series->address;
	place->port = series->port;
	place->host_id = id_of(series->host);
	operator_of_host(series->host, operator_name);
	place->operator_id = id_of(operator_name);
	place->due_ms = INT64_MAX;
	place->looked_ms = now_ms;
	place->series = mem_zero(p->series_n[*domain != '\0'], sizeof(struct place_series));
	at = slot(p, place->host_id, &place->address, domain);
	place->chain = *at;
	*at = place;
	p->octets += octets_of(p, place);
	return place;
}

static bool
has_steps(const struct visit *visit, bool nexthop)
{
	for (unsigned i = 0; i < visit->plan->variants_n * OFFER_N; i++)
		if ((visit->todo[i / 64] >> i % 64 & 1) != 0 &&
		    is_nexthop(visit->plan, i) == nexthop)
			return true;
	return false;
}

struct place *
places_meet(
    struct places *p, const struct visit *visit, bool nexthop, uint32_t pass, int64_t now_ms)
{
	const struct series *series = &visit->job.series;
	/* Who is first to lead there may be another one each time. */
	const char *domain = nexthop ? visit->domain : "";
	uint64_t host_id = id_of(series->host);
	struct place *place = *slot(p, host_id, &series->address, domain);

	if (!has_steps(visit, nexthop))
		return NULL;
	while (place != NULL &&
	       (place->host_id != host_id || place->port != series->port ||
		   ip_compare(&place->address, &series->address) != 0 ||
		   strcmp(place->host, series->host) != 0 || strcmp(place->domain, domain) != 0))
		place = place->chain;
	if (place == NULL)
		place = add(p, visit, domain, now_ms);
	place->pass = pass;
	places_visit(p, place);
	return place;
}

void
places_visit(struct places *p, struct place *place)
{
	(void)p;
	place->visits++;
	place->looking = false;
}

/* ---- those with a time of their own --------------------------------------------------------- */

static void
set_due(struct places *p, struct place *place, int64_t due_ms)
{
	bool was = place->due_ms != INT64_MAX, is = due_ms != INT64_MAX;

	place->due_ms = due_ms;
	if (was == is)
		return;
	if (is) {
		place->prev = NULL;
		place->next = p->timed;
		if (place->next != NULL)
			place->next->prev = place;
		p->timed = place;
		p->timed_n++;
		return;
	}
	*(place->prev != NULL ? &place->prev->next : &p->timed) = place->next;
	if (place->next != NULL)
		place->next->prev = place->prev;
	place->prev = place->next = NULL;
	p->timed_n--;
}

static void
set_close(struct places *p, struct place *place, bool is)
{
	p->close_n += is && !place->close;
	p->close_n -= !is && place->close;
	place->close = is;
}

static void
drop(struct places *p, struct place **at)
{
	struct place *place = *at;

	set_due(p, place, INT64_MAX);
	set_close(p, place, false);
	*at = place->chain;
	p->n--;
	p->octets -= octets_of(p, place);
	place_destroy(place);
}

size_t
places_sweep(struct places *p, uint32_t pass)
{
	size_t dropped = 0;

	for (size_t i = 0; i < p->slots_n; i++)
		for (struct place **at = &p->slots[i]; *at != NULL;) {
			if ((*at)->pass + 1 >= pass || (*at)->visits > 0) {
				at = &(*at)->chain;
				continue;
			}
			drop(p, at);
			dropped++;
		}
	return dropped;
}

/* The end of validity is a time of the wall's clock. */
static int64_t
due_by_leaf(const struct places *p, const struct place *place, int64_t now_ms, int64_t wall_ms)
{
	int64_t to_end_ms = place->leaf_ends_s * 1000 - wall_ms;
	int64_t part = p->interval_ms / LIMIT_WATCH_END_PART;

	if (place->leaf_ends_s == 0 || to_end_ms < -LIMIT_WATCH_END_MS)
		return INT64_MAX;
	if (to_end_ms <= LIMIT_WATCH_END_MS)
		return place->looked_ms +
		       (part > p->close_interval_ms ? part : p->close_interval_ms);
	if (to_end_ms - LIMIT_WATCH_END_MS < p->interval_ms)
		return now_ms + to_end_ms - LIMIT_WATCH_END_MS;
	return INT64_MAX;
}

static int64_t
close_interval(const struct places *p, const struct place *place)
{
	return p->close_interval_ms << place->step;
}

static void
reckon(struct places *p, struct place *place, int64_t now_ms, int64_t wall_ms)
{
	int64_t due = due_by_leaf(p, place, now_ms, wall_ms);

	if (place->close && place->looked_ms + close_interval(p, place) < due)
		due = place->looked_ms + close_interval(p, place);
	set_due(p, place, due);
}

/* One that does not answer relaxes like any other. */
static void
relax(struct places *p, struct place *place)
{
	if (!place->close || place->anew) {
		place->anew = false;
		return;
	}
	place->step++;
	if (close_interval(p, place) >= p->interval_ms) {
		set_close(p, place, false);
		place->restarts = place->step = 0;
	}
}

void
places_over(struct places *p, struct place *place, int64_t now_ms, int64_t wall_ms)
{
	place->visits -= place->visits > 0;
	place->looked_ms = now_ms;
	relax(p, place);
	reckon(p, place, now_ms, wall_ms);
}

void
places_leave(struct places *p, struct place *place)
{
	set_close(p, place, false);
	place->restarts = place->step = 0;
	set_due(p, place, INT64_MAX);
}

/* ---- what is shown -------------------------------------------------------------------------- */

struct place_series *
places_series(const struct places *p, struct place *place, const struct visit *visit)
{
	return &place->series[p->rank[visit->step]];
}

uint32_t
places_state(const struct hash *shown)
{
	uint32_t state;

	memcpy(&state, shown->bytes, sizeof(state));
	return state != 0 ? state : 1;
}

void
places_remember(struct place_series *series, uint32_t state)
{
	for (size_t i = 0; i < PLACES_STATES; i++) {
		if (series->states[i] == state)
			return;
		if (series->states[i] == 0) {
			series->states[i] = state;
			return;
		}
	}
}

static void
note(struct places *p, const struct place *place)
{
	for (size_t i = 0; i < p->stirs_n; i++)
		if (p->stirs[i].host_id == place->host_id &&
		    ip_compare(&p->stirs[i].address, &place->address) == 0)
			return;
	if (p->stirs_n < STIRS_MOST)
		p->stirs[p->stirs_n++] = (struct stir){.host_id = place->host_id,
		    .operator_id = place->operator_id,
		    .address = place->address,
		    .left = LIMIT_WATCH_OPERATOR};
}

bool
places_saw(struct places *p, struct place *place, struct place_series *series, uint32_t state)
{
	size_t at = 0;
	bool first = series->states[0] == 0, known;

	while (at < PLACES_STATES - 1 && series->states[at] != state && series->states[at] != 0)
		at++;
	known = series->states[at] == state;
	/* The latest comes first; the eldest makes room. */
	memmove(series->states + 1, series->states, at * sizeof(series->states[0]));
	series->states[0] = state;
	if (first || known)
		return false;
	note(p, place);
	return true;
}

void
places_leaf_ends(struct place *place, int64_t leaf_ends_s)
{
	if (leaf_ends_s == 0)
		return;
	if (!place->looking || leaf_ends_s < place->leaf_ends_s)
		place->leaf_ends_s = leaf_ends_s;
	place->looking = true;
}

/* ---- what it means for others ---------------------------------------------------------------- */

/* True: it was not looked at as closely before. */
static bool
tighten(struct places *p, struct place *place, int64_t now_ms)
{
	bool fresh = !place->close;
	int64_t due;

	if (fresh && p->close_n >= LIMIT_WATCH_CLOSE)
		return false;
	if (!fresh && !place->anew && place->restarts++ >= LIMIT_WATCH_RESTARTS)
		return false;
	set_close(p, place, true);
	place->step = 0;
	place->anew = true;
	due = place->looked_ms + p->close_interval_ms;
	if (due < now_ms)
		due = now_ms;
	if (place->due_ms > due)
		set_due(p, place, due);
	return fresh;
}

enum nearness { FAR, OPERATOR, NEAR };

static enum nearness
nearness(const struct stir *stir, const struct place *place)
{
	if (stir->host_id == place->host_id || ip_compare(&stir->address, &place->address) == 0)
		return NEAR;
	return stir->operator_id == place->operator_id ? OPERATOR : FAR;
}

/* The places that are so near to any of the changes. */
static size_t
tend_those(struct places *p, enum nearness how, int64_t now_ms)
{
	size_t more = 0;

	for (size_t i = 0; i < p->slots_n; i++)
		for (struct place *place = p->slots[i]; place != NULL; place = place->chain)
			for (size_t j = 0; j < p->stirs_n; j++)
				if (p->stirs[j].left > 0 && nearness(&p->stirs[j], place) == how) {
					p->stirs[j].left--;
					more += tighten(p, place, now_ms);
					break;
				}
	return more;
}

size_t
places_tend(struct places *p, int64_t now_ms)
{
	size_t more;

	if (p->stirs_n == 0)
		return 0;
	more = tend_those(p, NEAR, now_ms);
	more += tend_those(p, OPERATOR, now_ms);
	p->stirs_n = 0;
	return more;
}

void
places_due(
    struct places *p, int64_t now_ms, void (*look)(void *ctx, struct place *place), void *ctx)
{
	struct place *next;

	for (struct place *place = p->timed; place != NULL; place = next) {
		next = place->next;
		if (place->due_ms <= now_ms && place->visits == 0)
			look(ctx, place);
	}
}

int64_t
places_wait_ms(const struct places *p, int64_t now_ms)
{
	int64_t due = INT64_MAX;

	for (const struct place *place = p->timed; place != NULL; place = place->next)
		if (place->visits == 0 && place->due_ms < due)
			due = place->due_ms;
	if (due == INT64_MAX)
		return -1;
	return due > now_ms ? due - now_ms : 0;
}

size_t
places_n(const struct places *p)
{
	return p->n;
}

size_t
places_close(const struct places *p)
{
	return p->close_n;
}

size_t
places_octets(const struct places *p)
{
	return p->octets + p->slots_n * sizeof(struct place *);
}
