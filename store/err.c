#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int
record(struct err *err, int code, const char *reason, const char *fmt, va_list ap)
{
	int n;

	if (err == NULL)
		return code;
	if (err->code != ERR_NONE)
		return err->code;
	err->code = code;
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	if (reason != NULL && n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", reason);
	return code;
}

int
err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = record(err, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int
err_system(struct err *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	int code = errnum == ENOSPC || errnum == EDQUOT ? ERR_FULL : ERR_SYSTEM;

	va_start(ap, fmt);
	code = record(err, code, strerror(errnum), fmt, ap);
	va_end(ap);
	return code;
}
