#include "observation.h"

#define TIME_MIN INT64_C(-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define TIME_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

bool
observation_time_valid(int64_t time_ms)
{
	return time_ms >= TIME_MIN && time_ms <= TIME_MAX;
}

int
observation_fits(
    const struct series *series, const struct observation *observation, struct err *err)
{
	const struct evidence *e = &observation->evidence;

	if (!observation_time_valid(observation->time_ms))
		return err_set(err, ERR_INPUT, "time: not between the years 1 and 9999");
	for (int i = 0; i < MS_N; i++)
		if (observation->ms[i] < -1)
			return err_set(err, ERR_INPUT, "ms: a negative duration");
	if (e->sni_sent != NULL && series->sni != SNI_HOSTNAME && series->sni != SNI_UNKNOWN)
		return err_set(err, ERR_INPUT, "sni_name: belongs to the series of sni %s",
		    sni_name(series->sni));
	if (e->domain != NULL && e->domain[0] == '\0' && series->sni != SNI_NEXTHOP)
		return err_set(err, ERR_INPUT, "domain: empty");
	return 0;
}

int
observation_valid(
    const struct series *series, const struct observation *observation, struct err *err)
{
	int rc = observation_fits(series, observation, err);

	return rc != 0 ? rc : evidence_valid(&observation->evidence, err);
}

const char *
observation_domain(const struct series *s, const struct evidence *e)
{
	if (s->sni == SNI_NEXTHOP && e->domain == NULL)
		return s->sni_name;
	return e->domain != NULL && e->domain[0] != '\0' ? e->domain : NULL;
}

const char *
observation_sni_name(const struct series *s, const struct evidence *e)
{
	return s->sni_name[0] != '\0' ? s->sni_name : e->sni_sent;
}
