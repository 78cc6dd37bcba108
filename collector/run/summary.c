#include "summary.h"

#include <stdio.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/options.h"
#include "store/base/text.h"

typedef unsigned long long llu;

void
summary_init(struct summary *s, const char *program, bool quiet)
{
	*s = (struct summary){.program = program, .quiet = quiet, .began_ms = clock_monotonic_ms()};
	progress_init(&s->progress, quiet);
}

void
summary_say(struct summary *s, const char *line)
{
	struct buf safe = {0};

	progress_finish(&s->progress);
	text_escape(&safe, line, strlen(line));
	fprintf(stderr, "%s: %s\n", s->program, buf_text(&safe));
	buf_finish(&safe);
}

static double
seconds(const struct summary *s)
{
	return (double)(clock_monotonic_ms() - s->began_ms) / 1000;
}

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

void
summary_progress(struct summary *s, const struct pass_counts *c)
{
	progress_show(&s->progress,
	    "%llu target%s, %llu probe%s (%llu succeeded), %llu under way, %llu waiting, %.0f s",
	    (llu)c->targets, plural(c->targets), (llu)c->probes, plural(c->probes),
	    (llu)c->succeeded, (llu)c->under_way, (llu)c->queued, seconds(s));
}

static void
append_count(struct buf *line, uint64_t n, const char *what)
{
	if (n > 0)
		buf_printf(line, "%s%llu %s", line->len > 0 ? ", " : "", (llu)n, what);
}

static void
append_noun(struct buf *line, uint64_t n, const char *noun, const char *many)
{
	buf_printf(line, "%s%llu %s", line->len > 0 ? ", " : "", (llu)n, n == 1 ? noun : many);
}

void
summary_text(struct buf *line, const struct pass_counts *c, const struct record_counts *stored)
{
	struct buf part = {0};

	append_noun(line, c->targets, "target", "targets");
	append_noun(line, c->hosts, "host", "hosts");
	append_noun(line, c->addresses, "address", "addresses");
	if (c->policies > 0)
		append_noun(line, c->policies, "MTA-STS policy", "MTA-STS policies");
	append_noun(line, stored->observations, "probe", "probes");
	for (unsigned i = 0; i < OUTCOME_N; i++)
		append_count(&part, stored->outcomes[i], outcome_name(i));
	if (part.len > 0)
		buf_printf(line, ": %s", buf_text(&part));
	buf_clear(&part);
	for (unsigned i = LOOKUP_DONE + 1; i < LOOKUP_END_N; i++)
		append_count(&part, c->ends[i], lookup_end_name(i));
	append_count(
	    &part, c->aliases, c->aliases == 1 ? "MX that is an alias" : "MXs that are aliases");
	append_count(&part, c->refused, "refused");
	append_count(&part, c->blocked, "blocklisted");
	append_count(&part, c->left_out, "left out");
	append_count(&part, c->bad_lines, c->bad_lines == 1 ? "bad line" : "bad lines");
	append_count(&part, c->local, "not begun");
	append_count(&part, c->dead, "skipped (their address timed out)");
	append_count(&part, c->unwelcome, "skipped (their address asks to come later)");
	append_count(&part, c->nexthops, "next hops skipped (--max-nexthop-per-address)");
	append_count(&part, c->done_before, "done before");
	if (part.len > 0)
		buf_printf(line, "; %s", buf_text(&part));
	buf_finish(&part);
}

static void
summarise(struct summary *s, const struct pass_counts *c, const struct record_counts *stored)
{
	struct buf line = {0};

	summary_text(&line, c, stored);
	buf_printf(&line, "; %.1f s", seconds(s));
	summary_say(s, buf_text(&line));
	buf_finish(&line);
}

static bool
is_left(const struct pass_counts *c)
{
	return c->left > 0 || c->held > 0 || c->more_targets;
}

static void
say_what_was_left(struct summary *s, const struct pass_counts *c)
{
	char line[320];

	snprintf(line, sizeof(line),
	    "stopped: %llu probe%s or look-up%s of the targets begun %s not done, nor %llu that "
	    "%s read%s; what was done is stored: the same command with --resume does the rest",
	    (llu)c->left, plural(c->left), plural(c->left), c->left == 1 ? "was" : "were",
	    (llu)c->held, c->held == 1 ? "was" : "were",
	    c->more_targets ? ", nor any further ones" : "");
	summary_say(s, line);
}

const struct err *
summary_records(struct summary *s, struct record *record)
{
	const struct err *failed = record_failed(record), *refused = record_refused(record);
	struct record_counts stored = record_counts(record);
	uint64_t n = stored.observations + stored.dns_answers;
	char line[640];

	if (refused != NULL) {
		snprintf(line, sizeof(line), "%llu record%s could not be stored: %s",
		    (llu)stored.refused, plural(stored.refused), refused->text);
		summary_say(s, line);
	}
	if (failed != NULL) {
		snprintf(line, sizeof(line), "%s (%llu record%s stored, %llu not)", failed->text,
		    (llu)n, n == 1 ? " is" : "s are", (llu)stored.lost);
		summary_say(s, line);
	}
	return failed;
}

bool
summary_is_complete(struct pass *pass, struct record *record)
{
	return !is_left(pass_counts(pass)) && record_failed(record) == NULL;
}

int
summary_conclude(struct summary *s, struct pass *pass, struct record *record)
{
	const struct pass_counts *c = pass_counts(pass);
	struct record_counts stored = record_counts(record);
	bool failed;

	progress_finish(&s->progress);
	failed = summary_records(s, record) != NULL;
	if (pass_stopped(pass) && is_left(c) && !failed)
		say_what_was_left(s, c);
	/* The commonest reason for a run that finds nothing. */
	if (c->on_25 > 0 && c->connected_on_25 == 0)
		summary_say(s, "no address answered on port 25: many networks block it for their "
			       "customers; run mxcollect from a network that does not");
	if (!s->quiet)
		summarise(s, c, &stored);
	if (failed)
		return EXIT_TROUBLE;
	return c->notices || stored.refused > 0 || is_left(c) ? EXIT_MISSING : EXIT_DONE;
}
