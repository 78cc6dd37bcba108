#include "zone.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "buf.h"
#include "clock.h"

static const char zone_files[] = "/usr/share/zoneinfo";

/* "+02:00", "-0730", "+2" */
static bool
parse_offset(const char *text, int64_t *east_ms)
{
	int sign = text[0] == '-' ? -1 : 1, hour = 0, minute = 0, n = 0;
	const char *p = text + 1;

	if (text[0] != '+' && text[0] != '-')
		return false;
	for (; n < 2 && isdigit((unsigned char)*p); n++)
		hour = hour * 10 + *p++ - '0';
	if (n == 0 || hour > 23)
		return false;
	if (*p == ':')
		p++;
	if (*p != '\0') {
		if (!isdigit((unsigned char)p[0]) || !isdigit((unsigned char)p[1]) || p[2] != '\0')
			return false;
		minute = (p[0] - '0') * 10 + p[1] - '0';
	}
	*east_ms = sign * (hour * INT64_C(3600000) + minute * INT64_C(60000));
	return minute <= 59;
}

/* Whether a file of the system defines it: the C library takes any other for UTC. */
static bool
is_known(const char *name)
{
	struct buf path = {0};
	struct stat st;
	bool known;

	if (name[0] == '\0' || name[0] == '/' || strstr(name, "..") != NULL || strlen(name) > 255)
		return false;
	buf_printf(&path, "%s/%s", zone_files, name);
	known = stat(buf_text(&path), &st) == 0 && S_ISREG(st.st_mode);
	buf_finish(&path);
	return known;
}

int
zone_parse(struct zone *zone, const char *text, struct err *err)
{
	*zone = (struct zone){0};
	if (text == NULL) {
		tzset();
		return 0;
	}
	zone->fixed = strcasecmp(text, "UTC") == 0 || strcasecmp(text, "Z") == 0 ||
		      parse_offset(text, &zone->east_ms);
	if (zone->fixed)
		return 0;
	if (!is_known(text))
		return err_set(err, ERR_INPUT,
		    "\"%.64s\" is no time zone: give +hh:mm or a name under %s", text, zone_files);
	if (setenv("TZ", text, 1) != 0)
		return err_set(err, ERR_SYSTEM, "cannot set the time zone");
	tzset();
	return 0;
}

/* What is read as standard time or as that of summer; false if no clock showed it so. */
static bool
moment(const struct tm *civil, int summer, int64_t *utc_s)
{
	struct tm tm = *civil, back;
	time_t t;

	tm.tm_isdst = summer;
	t = mktime(&tm);
	if (localtime_r(&t, &back) == NULL)
		return false;
	*utc_s = t;
	return back.tm_hour == civil->tm_hour && back.tm_min == civil->tm_min &&
	       back.tm_mday == civil->tm_mday;
}

int64_t
zone_to_utc(const struct zone *zone, int64_t civil_ms, int64_t earlier_ms)
{
	int64_t first, second, ms = ((civil_ms % 1000) + 1000) % 1000;
	time_t s = (time_t)((civil_ms - ms) / 1000);
	struct tm tm;
	bool in_summer, in_winter;

	if (zone->fixed)
		return civil_ms - zone->east_ms;
	if (gmtime_r(&s, &tm) == NULL)
		return civil_ms;
	in_summer = moment(&tm, 1, &first);
	in_winter = moment(&tm, 0, &second);
	if (in_summer && in_winter && second > first && first * 1000 + ms < earlier_ms)
		return second * 1000 + ms;
	if (in_summer)
		return first * 1000 + ms;
	if (in_winter)
		return second * 1000 + ms;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * 1000 + ms;
}
