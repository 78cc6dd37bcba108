#include "talk.h"

#include <stdio.h>
#include <string.h>

#include "collector/limits.h"
#include "store/base/clock.h"

#define HOUR_MS 3600000
#define SUMMARY_MS 300000

void
talk_init(struct talk *talk, struct summary *summary)
{
	int64_t now = clock_monotonic_ms();

	*talk = (struct talk){.summary = summary,
	    .heard = recent_create(),
	    .hour_ms = now,
	    .summary_ms = now - SUMMARY_MS};
}

void
talk_finish(struct talk *talk)
{
	recent_destroy(talk->heard);
	talk->heard = NULL;
}

void
talk_pass(struct talk *talk)
{
	talk->pass++;
}

static void
new_hour(struct talk *talk)
{
	int64_t now = clock_monotonic_ms();
	char line[96];

	if (now - talk->hour_ms < HOUR_MS)
		return;
	if (talk->left_out > 0) {
		snprintf(line, sizeof(line), "%llu more lines like these were left out",
		    (unsigned long long)talk->left_out);
		summary_say(talk->summary, line);
	}
	talk->hour_ms = now;
	talk->said = talk->left_out = 0;
}

void
talk_say(struct talk *talk, const char *line)
{
	new_hour(talk);
	if (talk->said == LIMIT_WATCH_LINES) {
		if (talk->left_out++ == 0)
			summary_say(talk->summary, "so many lines are enough for an hour");
		return;
	}
	talk->said++;
	summary_say(talk->summary, line);
}

void
talk_notice(struct talk *talk, const char *line)
{
	uint32_t *heard = recent_at(talk->heard, line, strlen(line), NULL);
	uint32_t before = *heard;

	*heard = talk->pass;
	if (before == 0 || before + 1 < talk->pass)
		talk_say(talk, line);
}

void
talk_summary(struct talk *talk, const char *line)
{
	int64_t now = clock_monotonic_ms();
	char more[64];

	if (talk->summary->quiet)
		return;
	if (now - talk->summary_ms < SUMMARY_MS) {
		talk->summaries_left_out++;
		return;
	}
	if (talk->summaries_left_out > 0) {
		snprintf(more, sizeof(more), "%llu passes were not told of",
		    (unsigned long long)talk->summaries_left_out);
		summary_say(talk->summary, more);
	}
	talk->summaries_left_out = 0;
	talk->summary_ms = now;
	summary_say(talk->summary, line);
}
