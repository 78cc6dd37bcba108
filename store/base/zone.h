/*
 * zone: what a clock on a wall showed somewhere, as a point in time. For logs whose stamps name no
 * zone. Zones by name are the C library's: the process' TZ is set to one, so only one is used at a
 * time, and local times of messages are then told in it. Threads: one.
 */
#ifndef MX509_ZONE_H
#define MX509_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct zone {
	bool fixed;
	int64_t east_ms; /* if fixed */
};

/* "+02:00", "-0730", "UTC", "Z", or a name of the IANA's ("Europe/Berlin"), which must be among the
 * files of the system; NULL: the zone of the user. */
int zone_parse(struct zone *zone, const char *text, struct err *err);

/* civil_ms: date and time of day as if they were UTC. Where the clock was set back they mean two
 * moments: the first that is not before earlier_ms. Where it was set forward they mean none, and
 * are read as if it had not been. */
int64_t zone_to_utc(const struct zone *zone, int64_t civil_ms, int64_t earlier_ms);

#endif
