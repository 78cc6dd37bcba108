#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "buf.h"

/* What does not fit is left out in the middle: a line tends to begin with a path, which may be
 * long, and to end with what is wrong. */
static void
shorten(char *out, size_t size, const char *text, size_t len)
{
	static const char gap[] = "[...]";
	size_t gap_len = sizeof(gap) - 1, head = size / 4, tail = size - 1 - head - gap_len;

	memcpy(out, text, head);
	memcpy(out + head, gap, gap_len);
	memcpy(out + head + gap_len, text + len - tail, tail + 1);
}

static int
record(struct err *err, int code, const char *reason, const char *fmt, va_list ap)
{
	struct buf text = {0};

	if (err == NULL)
		return code;
	if (err->code != ERR_NONE)
		return err->code;
	err->code = code;
	buf_vprintf(&text, fmt, ap);
	if (reason != NULL)
		buf_printf(&text, ": %s", reason);
	buf_text(&text);
	if (text.len < sizeof(err->text))
		memcpy(err->text, text.data, text.len + 1);
	else
		shorten(err->text, sizeof(err->text), (const char *)text.data, text.len);
	buf_finish(&text);
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
