/*
 * rotation: names whose addresses rotate. A balancer that answers from a pool has another set each
 * time: no set of them is news, though each is a state of its own.
 *
 * Of a series of addresses that showed at least two other sets lately (within LIFETIME_RESUME times
 * settle observations), a set of which each address stood in one of them is no change, and neither
 * is it that a set is not seen again. So a pool costs a change for each of its addresses at most,
 * and a set that takes the place of another for good is told.
 */
#ifndef MX509_ROTATION_H
#define MX509_ROTATION_H

#include "history.h"

/* 1: the event is explained so; 0: not; <0: error. Just after history_read() of the series. */
int rotation_explains(const struct history *h, const struct series *series,
    const struct lifetime_event *event, struct err *err);

#endif
