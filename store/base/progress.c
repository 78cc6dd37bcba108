#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

#define FIRST_MS 1000
#define EVERY_MS 200

void
progress_init(struct progress *p, bool quiet)
{
	*p = (struct progress){.started_ms = clock_monotonic_ms()};
	p->shown_ms = p->started_ms + FIRST_MS - EVERY_MS;
	p->enabled = !quiet && isatty(STDERR_FILENO);
}

bool
progress_due(struct progress *p)
{
	return p->enabled && clock_monotonic_ms() >= p->shown_ms + EVERY_MS;
}

void
progress_show(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!progress_due(p))
		return;
	va_start(ap, fmt);
	fputs("\r\033[K", stderr);
	vfprintf(stderr, fmt, ap);
	fflush(stderr);
	va_end(ap);
	p->shown_ms = clock_monotonic_ms();
	p->shown = true;
}

void
progress_finish(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
