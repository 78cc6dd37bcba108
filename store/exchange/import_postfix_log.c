#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "importer.h"
#include "postfix_join.h"
#include "store/base/clock.h"
#include "store/base/mem.h"

#define HELD_MOST 16384 /* octets of a line with what was folded behind it */
#define QUEUE_ID_MOST 64
#define PORT 25 /* where none is told */
#define VANTAGE "postfix-log"
#define YEARS_BACK 8			  /* a leap day is found again in so many */
#define MTIME_LEAST INT64_C(946684800000) /* 2000: an older change of a file is none */

struct run {
	struct import_postfix_log *log;
	struct importer *im;
	struct join *join;
	/* A line that may go on in the next one. */
	struct buf held;
	uint64_t held_number;
	int64_t held_time_ms;
	/* When. */
	bool begun;	   /* newest_ms is known */
	int64_t newest_ms; /* nothing in the file is later */
	int64_t bare_ms;   /* of lines without a stamp */
	bool stamped;
	int64_t stamp_ms;		    /* the last one */
	int year, month;		    /* of the last stamp that had no year; 0: none yet */
	int64_t civil_minute, civil_utc_ms; /* the last minute that was looked up */
	/* From where. */
	struct buf machine;
	char vantage[LIMIT_VANTAGE + 1];
};

/* ---- when ----------------------------------------------------------------------------------- */

static void
begin(struct run *r)
{
	struct stat st;
	int64_t now_ms = clock_now_ms(), changed_ms = now_ms;

	if (fstat(r->im->lines.stream.fd, &st) == 0 && S_ISREG(st.st_mode))
		changed_ms = (int64_t)st.st_mtim.tv_sec * 1000;
	if (changed_ms > now_ms || changed_ms < MTIME_LEAST)
		changed_ms = now_ms;
	r->newest_ms = changed_ms + CLOCK_DAY_MS;
	r->bare_ms = r->log->time_ms != INT64_MIN ? r->log->time_ms : changed_ms;
	r->civil_minute = INT64_MIN;
	r->begun = true;
}

/* In the zone of the log; minutes are looked up once. */
static int64_t
to_utc(struct run *r, int64_t civil_ms)
{
	int64_t rest_ms = ((civil_ms % 60000) + 60000) % 60000, minute = civil_ms - rest_ms;

	if (r->civil_minute != minute) {
		r->civil_utc_ms = zone_to_utc(
		    &r->log->zone, minute, r->stamped ? r->stamp_ms - 60000 : INT64_MIN);
		r->civil_minute = minute;
	}
	return r->civil_utc_ms + rest_ms;
}

static bool
time_in(struct run *r, const struct syslog_line *l, int year, int64_t *time_ms)
{
	int second = l->second < 60 ? l->second : 59;
	int64_t civil_ms;

	if (!clock_from_civil(year, l->month, l->day, l->hour, l->minute, second, &civil_ms))
		return false;
	civil_ms += l->millis;
	*time_ms = l->has_zone ? civil_ms - l->zone_ms : to_utc(r, civil_ms);
	return true;
}

static int
year_of(int64_t time_ms)
{
	char text[CLOCK_TEXT_MAX];

	clock_format_ms(time_ms, text);
	return atoi(text);
}

/* The newest year in which it is not later than the file. */
static int
guess(struct run *r, const struct syslog_line *l)
{
	int newest = year_of(r->newest_ms) + 1;
	int64_t time_ms;

	for (int year = newest; year > newest - YEARS_BACK - 2; year--)
		if (time_in(r, l, year, &time_ms) && time_ms <= r->newest_ms)
			return year;
	return newest - 1;
}

/* Every stamp is looked at, so that no New Year is missed. */
static void
follow_year(struct run *r, const struct syslog_line *l)
{
	if (r->year == 0)
		r->year = r->log->year != 0 ? r->log->year : guess(r, l);
	else if (r->month >= 11 && l->month <= 2)
		r->year++;
	else if (r->month <= 2 && l->month >= 11)
		r->year--;
	r->month = l->month;
}

static int
time_of(struct run *r, const struct syslog_line *l, int64_t *time_ms, struct err *err)
{
	int year = l->year != 0 ? l->year : r->year;
	bool guessed = l->year == 0 && r->log->year == 0;

	if (!l->has_time) {
		*time_ms = r->stamped && r->log->time_ms == INT64_MIN ? r->stamp_ms : r->bare_ms;
		r->log->unstamped++;
		return 0;
	}
	if (guessed && (!time_in(r, l, year, time_ms) || *time_ms > r->newest_ms))
		year = guess(r, l);
	if (!time_in(r, l, year, time_ms))
		return err_set(err, ERR_INPUT, "no such moment in the year %d; give --year", year);
	r->log->guessed += guessed;
	r->stamp_ms = *time_ms;
	r->stamped = true;
	return 0;
}

/* ---- from where ----------------------------------------------------------------------------- */

static bool
is_masked(struct syslog_text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (strchr("Xx*#?.-_<>[]", t.p[i]) == NULL || t.p[i] == '\0')
			return false;
	return true;
}

/* Its name as a vantage: lower-case, what is no letter or digit a hyphen; one that is too long
 * ends in its hash. */
static void
vantage_of(char out[LIMIT_VANTAGE + 1], struct syslog_text machine)
{
	size_t n = machine.len < LIMIT_VANTAGE ? machine.len : LIMIT_VANTAGE;

	if (is_masked(machine)) {
		strcpy(out, VANTAGE);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char c = machine.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		out[i] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
	}
	out[n] = '\0';
	if (machine.len > LIMIT_VANTAGE)
		snprintf(out + LIMIT_VANTAGE - 9, 10, "-%08x",
		    (unsigned)(hash_quick(machine.p, machine.len) & 0xffffffff));
}

static const char *
vantage(struct run *r, const struct syslog_line *l)
{
	if (r->log->vantage != NULL)
		return r->log->vantage;
	if (r->vantage[0] == '\0' || r->machine.len != l->machine.len ||
	    (l->machine.len > 0 && memcmp(r->machine.data, l->machine.p, l->machine.len) != 0)) {
		buf_clear(&r->machine);
		buf_append(&r->machine, l->machine.p, l->machine.len);
		vantage_of(r->vantage, l->machine);
	}
	return r->vantage;
}

/* ---- findings into the store ---------------------------------------------------------------- */

static const char *
or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* The name that stands for the host, as with other imports where nobody named it. */
static int
take_host(struct series *s, const struct join_finding *f, struct err *err)
{
	struct ip ip;

	if (f->address[0] == '\0')
		return err_set(err, ERR_INPUT, "no address in it, nor in a line of a delivery");
	if (!ip_parse(&s->address, f->address))
		return err_set(
		    err, ERR_INPUT, "what stands in brackets behind the host is no address");
	if (!ip_parse(&ip, f->host))
		return host_normalise(f->host, s->host, err);
	ip_reverse_name(&s->address, s->host);
	return 0;
}

/* sni_sent is memory for a name that goes into the evidence, "" for none. */
static int
take_sni(
    struct series *s, const struct join_finding *f, char sni_sent[LIMIT_NAME + 1], struct err *err)
{
	int rc;

	sni_sent[0] = '\0';
	s->sni = f->sends_sni ? SNI_HOSTNAME : SNI_NONE;
	if (f->sni[0] == '\0')
		return 0;
	if ((rc = host_normalise(f->sni, sni_sent, err)) != 0)
		return rc;
	if (strcmp(sni_sent, s->host) != 0) {
		s->sni = SNI_LITERAL;
		strcpy(s->sni_name, sni_sent);
		sni_sent[0] = '\0';
	}
	return 0;
}

static int
add(struct run *r, const struct join_finding *f, struct err *err)
{
	struct series s = {.kind = SERIES_PROBE};
	struct observation o = {.time_ms = f->time_ms, .ms = {-1, -1, -1, -1, -1}};
	char sni_sent[LIMIT_NAME + 1];
	int rc;

	if ((rc = take_host(&s, f, err)) != 0 || (rc = take_sni(&s, f, sni_sent, err)) != 0)
		return rc;
	if (f->port > UINT16_MAX)
		return err_set(err, ERR_INPUT, "no port, %u", f->port);
	s.port = f->port != 0 ? (uint16_t)f->port : PORT;
	strcpy(s.vantage, f->vantage);
	o.evidence = (struct evidence){.outcome = f->did.outcome,
	    .smtp_code = f->did.smtp_code,
	    .tls_alert = f->did.tls_alert,
	    .errno_name = f->did.errno_name,
	    .starttls_offered = f->did.starttls_offered,
	    .tls_version = or_null(f->protocol),
	    .cipher = or_null(f->cipher),
	    .group = or_null(f->group),
	    .server_signature = or_null(f->signature),
	    .sni_sent = or_null(sni_sent)};
	if (f->status[0] != '\0') {
		o.evidence.reported_by = "postfix";
		o.evidence.reported_status = f->status;
		o.evidence.reported_reason = or_null(f->reason);
	}
	return importer_observation(r->im, &s, &o, err);
}

static int
emit(void *ctx, const struct join_finding *f, struct err *err)
{
	struct run *r = ctx;
	struct import_postfix_log *log = r->log;
	struct err why = {0};
	int rc;

	/* A socket in the file system: LMTP on the machine itself. */
	if (f->address[0] == '/' || strncmp(f->address, "private/", 8) == 0) {
		r->im->counts->skipped++;
		return 0;
	}
	rc = add(r, f, &why);
	if (rc == ERR_INPUT || rc == ERR_LIMIT) {
		importer_complain(r->im, f->line, why.text);
		return 0;
	}
	if (rc < 0)
		return err_set(err, rc, "%s", why.text);
	if (!log->any || f->time_ms < log->first_ms)
		log->first_ms = f->time_ms;
	if (!log->any || f->time_ms > log->last_ms)
		log->last_ms = f->time_ms;
	log->any = true;
	return 0;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* What is held is a whole line now. */
static int
let_go(struct run *r, struct err *err)
{
	struct syslog_line l;
	struct postfix_event event;
	struct join_line line = {.number = r->held_number, .time_ms = r->held_time_ms, .log = &l};

	if (r->held.len == 0)
		return 0;
	syslog_parse(&l, (const char *)r->held.data, r->held.len);
	postfix_parse(&event, l.message);
	line.vantage = vantage(r, &l);
	buf_clear(&r->held);
	return join_take(r->join, &line, &event, err);
}

/* Whether a line without a stamp and a program is the rest of the one that is held. */
static bool
goes_on(struct run *r, const struct syslog_line *l)
{
	struct postfix_event event;
	struct syslog_line held;

	if (r->held.len == 0 || l->has_time || l->name.p != NULL)
		return false;
	syslog_parse(&held, (const char *)r->held.data, r->held.len);
	if (!l->indented && !held.has_time && held.name.p == NULL)
		return false;
	postfix_parse(&event, held.message);
	return postfix_goes_on(&event, l->message) ||
	       (l->indented && !postfix_is_likely(l->message));
}

static void
append(struct run *r, struct syslog_text t)
{
	while (r->held.len > 0 && r->held.data[r->held.len - 1] == ' ')
		r->held.len--;
	if (r->held.len + 1 + t.len > HELD_MOST)
		return;
	buf_append_byte(&r->held, ' ');
	buf_append(&r->held, t.p, t.len);
}

/* Deliveries are most of a log: they matter where a connection waits for one, or one was refused.
 */
static bool
matters(const struct run *r, const struct syslog_line *l)
{
	struct syslog_text m = l->message;

	if (l->program == SYSLOG_OTHER || !postfix_is_likely(m))
		return false;
	return join_waits(r->join) ||
	       memmem(m.p, m.len < QUEUE_ID_MOST ? m.len : QUEUE_ID_MOST, ": to=<", 6) == NULL ||
	       memmem(m.p, m.len, "TLS", 3) != NULL;
}

static int
take(struct importer *im, const char *text, size_t len, void *ctx, struct err *err)
{
	struct run *r = ctx;
	struct syslog_line l;
	int64_t time_ms;
	struct err why = {0};
	int rc;

	r->im = im;
	if (!r->begun)
		begin(r);
	syslog_parse(&l, text, len);
	if (l.has_time && l.year == 0)
		follow_year(r, &l);
	if (goes_on(r, &l)) {
		append(r, l.message);
		return 0;
	}
	if ((rc = let_go(r, err)) != 0)
		return rc;
	if (!matters(r, &l)) {
		im->counts->skipped++;
		return 0;
	}
	if (time_of(r, &l, &time_ms, &why) != 0) {
		importer_complain(im, im->lines.number, why.text);
		return 0;
	}
	r->held_number = im->lines.number;
	r->held_time_ms = time_ms;
	buf_append(&r->held, text, len < HELD_MOST ? len : HELD_MOST);
	return 0;
}

static int
finish(struct importer *im, void *ctx, struct err *err)
{
	struct run *r = ctx;
	int rc;

	r->im = im;
	rc = let_go(r, err);
	return rc == 0 ? join_finish(r->join, err) : rc;
}

int
import_postfix_log(struct store *store, const char *path, struct import_postfix_log *log,
    const struct import_hooks *hooks, struct import_counts *counts, struct err *err)
{
	static const struct importer_format format = {.take = take, .finish = finish};
	struct run r = {.log = log};
	int rc;

	r.join = join_create(emit, &r);
	rc = importer_run(store, path, &format, &r, hooks, counts, err);
	join_destroy(r.join);
	buf_finish(&r.held);
	buf_finish(&r.machine);
	return rc;
}
