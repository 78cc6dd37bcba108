/*
 * observation: the narrow waist. What the collector hands to the store, and the store to the
 * differ: a series (where and how one looked), and an observation in it (when, and what was
 * shown). Evidence is never interpreted when it is taken: no certificate is parsed here.
 *
 * Words and definitions: CONTRACT "The series", "Records as JSON", "Outcomes".
 */
#ifndef MX509_OBSERVATION_H
#define MX509_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns_answer.h"
#include "evidence.h"
#include "host.h"
#include "series.h"
#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/hash.h"
#include "store/base/ip.h"
#include "store/base/limits.h"

/* Each counts from the end of the one before; -1: not reached, or not looked up. Milliseconds. */
enum measure { MS_DNS, MS_CONNECT, MS_GREETING, MS_STARTTLS, MS_HANDSHAKE, MS_N };

struct observation {
	int64_t time_ms;
	struct evidence evidence;
	int32_t ms[MS_N];
};

/* Time, measures and evidence within their limits, and fitting the series: a name that was sent
 * (evidence.sni_sent) belongs to hostname and unknown only. err names the member. */
int observation_valid(
    const struct series *series, const struct observation *observation, struct err *err);

/* The same of all but the evidence by itself (evidence_valid()). */
int observation_fits(
    const struct series *series, const struct observation *observation, struct err *err);

/* Whether it is a time of clock.h: years 1 to 9999. */
bool observation_time_valid(int64_t time_ms);

/* The recipient domain, and the name that was sent as SNI: the series holds them for some variants,
 * the evidence for the others. NULL: none. */
const char *observation_domain(const struct series *s, const struct evidence *e);
const char *observation_sni_name(const struct series *s, const struct evidence *e);

#endif
