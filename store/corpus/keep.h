/*
 * keep: which sightings of a series before a moment its history from that moment on rests on, so
 * that the others can be dropped: what the lifetimes, the changes and the audit snapshots of later
 * times say is the same with them and without (CONTRACT "Time: the definitions").
 *
 * What lifetimes say rests on which states follow each other, and on how many observations of
 * others lie between two of one state, up to KEEP_SPAN times `settle` (then it does not matter any
 * more). So of an unbroken run of one state that many are kept, its first and its last ones; and of
 * the time before the lifetimes that may go on, or that tell what these are to them, nothing but
 * the last observation. Of the probes in vain: the one that made a series gone that is gone; of a
 * series in which nothing was ever observed the first and the last. What was seen at one moment is
 * kept together.
 *
 * Pure. States are numbers from 0, small ones. Threads: any.
 */
#ifndef MX509_KEEP_H
#define MX509_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEEP_SETTLE 20
#define KEEP_SPAN 8
#define KEEP_GONE_AFTER_MS (INT64_C(7) * 86400000)

struct keep_rules {
	uint64_t settle; /* at least 1 */
	int64_t gone_after_ms;
};

struct keep_sighting {
	int64_t time_ms;
	uint32_t state;
	bool observed;
	bool kept; /* set by keep_choose() */
};

/* All of a series before the moment, in the order in which lifetimes take them. Memory and time are
 * proportional to n and to the number of states. */
void keep_choose(struct keep_sighting *list, size_t n, const struct keep_rules *rules);

#endif
