#include "postfix_join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/hash.h"
#include "store/base/mem.h"
#include "store/base/text.h"

#define NONE UINT32_MAX
#define SLOTS 2048 /* of the table by process: a power of two */
#define REUSE_SLOTS 4096
#define SAME_HANDSHAKE_MS 60000 /* lines of one handshake are no further apart */

struct connection {
	struct join_finding finding;
	uint64_t process, peer; /* hashes */
	uint32_t next;		/* in its slot, newer first */
	uint32_t older, newer;	/* in order of their last lines; or free: older */
	bool masked;		/* the process is not told */
	bool summary, failed, error, dane;
};

struct join {
	join_emit *emit;
	void *ctx;
	uint32_t slots[SLOTS];
	uint32_t oldest, newest;
	uint32_t unused;	    /* those that were open once */
	uint32_t touched_n, open_n; /* the others are untouched memory */
	struct {
		uint64_t shown; /* hash of a summary */
		int64_t time_ms;
	} established[REUSE_SLOTS];
	struct connection connections[JOIN_OPEN];
};

struct join *
join_create(join_emit *emit, void *ctx)
{
	struct join *j = mem_zero(1, sizeof(*j));

	j->emit = emit;
	j->ctx = ctx;
	j->oldest = j->newest = NONE;
	memset(j->slots, 0xff, sizeof(j->slots));
	j->unused = NONE;
	return j;
}

void
join_destroy(struct join *j)
{
	free(j);
}

bool
join_waits(const struct join *j)
{
	return j->open_n > 0;
}

/* ---- what is open --------------------------------------------------------------------------- */

static uint32_t *
slot_of(struct join *j, uint64_t process)
{
	return &j->slots[process % SLOTS];
}

static void
unlink_age(struct join *j, struct connection *c)
{
	if (c->older != NONE)
		j->connections[c->older].newer = c->newer;
	else
		j->oldest = c->newer;
	if (c->newer != NONE)
		j->connections[c->newer].older = c->older;
	else
		j->newest = c->older;
}

static void
link_newest(struct join *j, uint32_t i)
{
	struct connection *c = &j->connections[i];

	c->older = j->newest;
	c->newer = NONE;
	if (j->newest != NONE)
		j->connections[j->newest].newer = i;
	else
		j->oldest = i;
	j->newest = i;
}

static void
unlink_slot(struct join *j, uint32_t i)
{
	uint32_t *at = slot_of(j, j->connections[i].process);

	while (*at != i)
		at = &j->connections[*at].next;
	*at = j->connections[i].next;
}

static void
link_slot(struct join *j, uint32_t i)
{
	uint32_t *slot = slot_of(j, j->connections[i].process);

	j->connections[i].next = *slot;
	*slot = i;
}

/* Emits what there is to say of it, and forgets it. */
static int
close_one(struct join *j, uint32_t i, struct err *err)
{
	struct connection *c = &j->connections[i];
	struct join_finding *f = &c->finding;
	bool tells = c->summary || c->failed || c->error;

	unlink_slot(j, i);
	unlink_age(j, c);
	c->older = j->unused;
	j->unused = i;
	j->open_n--;
	if (c->failed && !c->summary && !c->error)
		strcpy(f->status, "Untrusted");
	f->sends_sni = f->sni[0] != '\0' || c->dane;
	return tells ? j->emit(j->ctx, f, err) : 0;
}

int
join_finish(struct join *j, struct err *err)
{
	int rc = 0;

	while (rc == 0 && j->oldest != NONE)
		rc = close_one(j, j->oldest, err);
	return rc;
}

/* ---- who speaks of whom --------------------------------------------------------------------- */

struct who {
	uint64_t process, proxy, peer;
	bool masked;
};

static uint64_t
mix(uint64_t h, struct syslog_text t)
{
	return (h ^ (t.p != NULL ? hash_quick(t.p, t.len) : 0)) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool
is_digits(struct syslog_text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	return t.len > 0;
}

static bool
is(struct syslog_text t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.p, word, t.len) == 0;
}

/* Handshakes that tlsproxy makes have no process in common with the smtp that asked for them. */
static void
who_speaks(struct who *w, const struct syslog_line *l, const struct postfix_event *e)
{
	uint64_t machine = mix(1, l->machine);

	w->proxy = mix(machine, (struct syslog_text){"tlsproxy", 8});
	w->process = l->program == SYSLOG_PROXY ? w->proxy : mix(mix(machine, l->name), l->process);
	w->masked = l->program == SYSLOG_PROXY || !is_digits(l->process);
	w->peer =
	    mix(mix(mix(2, e->at[POSTFIX_HOST]), e->at[POSTFIX_ADDRESS]), e->at[POSTFIX_PORT]);
}

/* The newest of the process, or of a peer's if by_peer. */
static uint32_t
find(struct join *j, uint64_t process, uint64_t peer, bool by_peer)
{
	uint32_t i = *slot_of(j, process);

	while (i != NONE && (j->connections[i].process != process ||
				(by_peer && j->connections[i].peer != peer)))
		i = j->connections[i].next;
	return i;
}

static void
touch(struct join *j, uint32_t i)
{
	unlink_slot(j, i);
	link_slot(j, i);
	unlink_age(j, &j->connections[i]);
	link_newest(j, i);
}

static void
copy(char *out, size_t size, struct syslog_text t)
{
	size_t n = t.len < size ? t.len : size - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = t.p[i] != '\0' ? t.p[i] : '?';
	out[n] = '\0';
}

static unsigned
number(struct syslog_text t)
{
	unsigned v = 0;

	for (size_t i = 0; i < t.len && v <= 99999; i++)
		v = v * 10 + (unsigned)(t.p[i] - '0');
	return v;
}

static void
take_peer(struct join_finding *f, const struct postfix_event *e)
{
	copy(f->host, sizeof(f->host), e->at[POSTFIX_HOST]);
	copy(f->address, sizeof(f->address), e->at[POSTFIX_ADDRESS]);
	f->port = number(e->at[POSTFIX_PORT]);
}

static void
start(struct connection *c, const struct join_line *line, const struct postfix_event *e)
{
	c->summary = c->failed = c->error = c->dane = false;
	c->finding = (struct join_finding){
	    .line = line->number,
	    .time_ms = line->time_ms,
	    .did = {.outcome = OUTCOME_SUCCESS, .tls_alert = -1},
	};
	snprintf(c->finding.vantage, sizeof(c->finding.vantage), "%s", line->vantage);
	take_peer(&c->finding, e);
}

static int
open_new(struct join *j, const struct join_line *line, const struct who *w,
    const struct postfix_event *e, uint32_t *out, struct err *err)
{
	struct connection *c;
	uint32_t i;
	int rc;

	if (j->open_n == JOIN_OPEN && (rc = close_one(j, j->oldest, err)) != 0)
		return rc;
	if (j->unused != NONE) {
		i = j->unused;
		j->unused = j->connections[i].older;
	} else {
		i = j->touched_n++;
	}
	c = &j->connections[i];
	j->open_n++;
	c->process = w->process;
	c->peer = w->peer;
	c->masked = w->masked;
	start(c, line, e);
	link_slot(j, i);
	link_newest(j, i);
	*out = i;
	return 0;
}

/* The connection that a line belongs to; a new one where the last one with the peer is over. */
static int
belongs(struct join *j, const struct join_line *line, const struct who *w,
    const struct postfix_event *e, bool over, struct connection **out, struct err *err)
{
	uint32_t i = find(j, w->process, w->peer, true);
	struct connection *c;
	int rc;

	if (i == NONE && w->process != w->proxy)
		i = find(j, w->proxy, w->peer, true);
	if (i != NONE) {
		c = &j->connections[i];
		if (c->summary || c->error || over ||
		    line->time_ms > c->finding.time_ms + SAME_HANDSHAKE_MS ||
		    line->time_ms < c->finding.time_ms) {
			if ((rc = close_one(j, i, err)) != 0)
				return rc;
			i = NONE;
		}
	}
	if (i == NONE) {
		if ((rc = open_new(j, line, w, e, &i, err)) != 0)
			return rc;
	} else {
		/* What tlsproxy began goes on under the process that asked for it. */
		unlink_slot(j, i);
		j->connections[i].process = w->process;
		j->connections[i].masked = w->masked;
		link_slot(j, i);
		touch(j, i);
	}
	*out = &j->connections[i];
	return 0;
}

/* ---- what the lines say --------------------------------------------------------------------- */

/* Fit for an evidence record: UTF-8, no NUL. */
static void
take_reason(struct join_finding *f, struct syslog_text t)
{
	struct buf valid = {0};
	uint32_t rune;
	size_t len = 0, n;

	text_valid_utf8(&valid, t.p, t.len < LIMIT_REASON ? t.len : LIMIT_REASON);
	while (len < valid.len && (n = text_utf8(valid.data + len, valid.len - len, &rune)) > 0 &&
	       len + n <= LIMIT_REASON)
		len += n;
	copy(f->reason, sizeof(f->reason), (struct syslog_text){buf_text(&valid), len});
	buf_finish(&valid);
}

/* A word of the negotiation: printable, and short enough; else it is left out. */
static void
take_word(char out[LIMIT_WORD + 1], struct syslog_text t)
{
	out[0] = '\0';
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] <= ' ' || t.p[i] > '~')
			return;
	if (t.p != NULL && t.len <= LIMIT_WORD)
		copy(out, LIMIT_WORD + 1, t);
}

/* Postfix names the kind of a key exchange, and in brackets the group; of DHE its size, which in
 * TLS 1.3 names the group (RFC 8446 section 4.2.7). */
static void
take_group(struct join_finding *f, const struct postfix_event *e)
{
	struct syslog_text parameter = e->at[POSTFIX_KEY_EXCHANGE_PARAMETER];
	struct syslog_text name = e->at[POSTFIX_KEY_EXCHANGE], bits = parameter;

	if (parameter.p == NULL) {
		take_word(f->group, name);
		return;
	}
	bits.len = bits.len > 5 ? bits.len - 5 : 0;
	if (is(name, "DHE") && bits.len <= 5 && is_digits(bits) &&
	    memcmp(bits.p + bits.len, " bits", 5) == 0)
		snprintf(f->group, sizeof(f->group), "ffdhe%.*s", (int)bits.len, bits.p);
	else
		take_word(f->group, parameter);
}

static uint64_t
shown(const struct postfix_event *e, const struct who *w)
{
	uint64_t h = w->peer ^ w->proxy;

	for (int i = POSTFIX_PROTOCOL; i <= POSTFIX_CLIENT_DIGEST; i++)
		h = mix(h, e->at[i]);
	return mix(h, e->at[POSTFIX_STATUS]);
}

/* Whether a reused connection was told of when it was made. */
static bool
was_told(struct join *j, const struct join_line *line, const struct who *w,
    const struct postfix_event *e)
{
	uint64_t h = shown(e, w);
	int64_t since_ms, made_ms = j->established[h % REUSE_SLOTS].time_ms;
	bool reused = e->at[POSTFIX_USAGE].len == 6; /* "reused" */

	if (!reused) {
		j->established[h % REUSE_SLOTS].shown = h;
		j->established[h % REUSE_SLOTS].time_ms = line->time_ms;
		return false;
	}
	since_ms = line->time_ms - made_ms;
	return j->established[h % REUSE_SLOTS].shown == h && since_ms >= 0 &&
	       since_ms <= JOIN_REUSE_MS;
}

static int
take_summary(struct join *j, const struct join_line *line, const struct who *w,
    const struct postfix_event *e, struct err *err)
{
	struct connection *c;
	int rc;

	if (!is(e->at[POSTFIX_DIRECTION], "to") || was_told(j, line, w, e))
		return 0;
	if ((rc = belongs(j, line, w, e, false, &c, err)) != 0)
		return rc;
	c->summary = true;
	c->finding.line = line->number;
	c->finding.time_ms = line->time_ms;
	snprintf(c->finding.vantage, sizeof(c->finding.vantage), "%s", line->vantage);
	copy(c->finding.status, sizeof(c->finding.status), e->at[POSTFIX_STATUS]);
	take_word(c->finding.protocol, e->at[POSTFIX_PROTOCOL]);
	take_word(c->finding.cipher, e->at[POSTFIX_CIPHER]);
	take_word(c->finding.signature, e->at[POSTFIX_SERVER_SIGNATURE]);
	take_group(&c->finding, e);
	return 0;
}

static int
take_failure(struct join *j, const struct join_line *line, const struct who *w,
    const struct postfix_event *e, struct err *err)
{
	struct connection *c;
	int rc;

	if (e->at[POSTFIX_PORT].p == NULL && line->log->program == SYSLOG_UNNAMED &&
	    e->at[POSTFIX_ADDRESS].p != NULL)
		return 0; /* smtpd's, of a client */
	if ((rc = belongs(j, line, w, e, false, &c, err)) != 0)
		return rc;
	if (c->failed && line->log->program == SYSLOG_UNNAMED &&
	    (rc = belongs(j, line, w, e, true, &c, err)) != 0)
		return rc;
	if (!c->failed)
		take_reason(&c->finding, e->at[POSTFIX_REASON]);
	c->failed = true;
	return 0;
}

static int
take_error(struct join *j, const struct join_line *line, const struct who *w,
    const struct postfix_event *e, struct err *err)
{
	struct connection *c;
	int rc;

	if (!is(e->at[POSTFIX_DIRECTION], "connect"))
		return 0;
	if ((rc = belongs(j, line, w, e, false, &c, err)) != 0)
		return rc;
	c->error = true;
	c->finding.line = line->number;
	c->finding.time_ms = line->time_ms;
	c->finding.reason[0] = '\0';
	postfix_outcome_of_error(&c->finding.did, e->at[POSTFIX_REASON]);
	return 0;
}

static void
take_problem(struct join *j, const struct who *w, const struct postfix_event *e)
{
	uint32_t i = find(j, w->process, 0, false);

	if (i != NONE && j->connections[i].error)
		postfix_outcome_of_library(&j->connections[i].finding.did, e->at[POSTFIX_REASON]);
}

/* ---- what was done with the mail ------------------------------------------------------------ */

static int
take_refusal(struct join *j, const struct join_line *line, struct syslog_text t, struct err *err)
{
	struct postfix_outcome did;
	struct postfix_event peer;
	struct connection c;

	if (!postfix_outcome_of_refusal(&did, &peer, t))
		return 0;
	start(&c, line, &peer);
	c.finding.did = did;
	return j->emit(j->ctx, &c.finding, err);
}

/* All of a process: it has gone on to something else. */
static int
close_process(struct join *j, uint64_t process, struct err *err)
{
	uint32_t i;
	int rc = 0;

	while (rc == 0 && (i = find(j, process, 0, false)) != NONE)
		rc = close_one(j, i, err);
	return rc;
}

static int
take_not_delivered(struct join *j, const struct join_line *line, const struct who *w,
    const struct postfix_event *e, struct err *err)
{
	uint32_t i = find(j, w->process, 0, false);
	struct connection *c = i != NONE ? &j->connections[i] : NULL;

	/* Of masked processes it may be another one that speaks. */
	if (c != NULL && c->summary && strcmp(c->finding.status, "Verified") != 0 &&
	    c->finding.reason[0] == '\0' && postfix_outcome_is_distrust(e->at[POSTFIX_REASON]))
		take_reason(&c->finding, e->at[POSTFIX_REASON]);
	return take_refusal(j, line, e->at[POSTFIX_REASON], err);
}

/* A summary of old that names the host alone: the delivery tells where it was. */
static uint32_t
find_host(struct join *j, const struct who *w, const struct postfix_event *e)
{
	uint32_t i = find(j, w->process, 0, false);

	if (i == NONE || j->connections[i].finding.address[0] != '\0' ||
	    !is(e->at[POSTFIX_HOST], j->connections[i].finding.host))
		return NONE;
	take_peer(&j->connections[i].finding, e);
	return i;
}

static int
take_delivery(struct join *j, const struct join_line *line, const struct who *w,
    const struct postfix_event *e, struct err *err)
{
	uint32_t i = find(j, w->process, w->peer, true);
	struct connection *c;
	int rc = 0;

	if (i == NONE)
		i = find_host(j, w, e);
	if (i != NONE) {
		c = &j->connections[i];
		c->dane |= postfix_outcome_is_dane(e->at[POSTFIX_TLS_FEATURE]);
		if (c->summary && c->finding.reason[0] == '\0' &&
		    postfix_outcome_is_distrust(e->at[POSTFIX_REASON]))
			take_reason(&c->finding, e->at[POSTFIX_REASON]);
		if (c->masked)
			rc = close_one(j, i, err);
	}
	if (rc == 0 && !w->masked)
		rc = close_process(j, w->process, err);
	return rc == 0 ? take_refusal(j, line, e->at[POSTFIX_REASON], err) : rc;
}

/* ---- lines ---------------------------------------------------------------------------------- */

int
join_take(
    struct join *j, const struct join_line *line, const struct postfix_event *e, struct err *err)
{
	struct connection *c;
	struct who w;
	int rc;

	if (line->log->program == SYSLOG_OTHER)
		return 0;
	who_speaks(&w, line->log, e);
	switch (e->kind) {
	case POSTFIX_SUMMARY:
		return take_summary(j, line, &w, e, err);
	case POSTFIX_VERIFY_FAILED:
	case POSTFIX_PEERNAME_FAILED:
		return take_failure(j, line, &w, e, err);
	case POSTFIX_HANDSHAKE_ERROR:
		return take_error(j, line, &w, e, err);
	case POSTFIX_LIBRARY_PROBLEM:
		take_problem(j, &w, e);
		return 0;
	case POSTFIX_SETUP:
		return belongs(j, line, &w, e, true, &c, err);
	case POSTFIX_MATCHED_DANE:
	case POSTFIX_SNI_SENT:
		if ((rc = belongs(j, line, &w, e, false, &c, err)) != 0)
			return rc;
		c->dane |= e->kind == POSTFIX_MATCHED_DANE;
		if (e->kind == POSTFIX_SNI_SENT)
			copy(c->finding.sni, sizeof(c->finding.sni), e->at[POSTFIX_SNI]);
		return 0;
	case POSTFIX_NOT_DELIVERED:
		return take_not_delivered(j, line, &w, e, err);
	case POSTFIX_DELIVERY:
		return take_delivery(j, line, &w, e, err);
	default:
		return 0;
	}
}
