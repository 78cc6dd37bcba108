#include "out_metrics.h"

#include <inttypes.h>

void
out_metrics_family(struct buf *out, const char *name, const char *unit, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
	if (unit != NULL)
		buf_printf(out, "# UNIT %s %s\n", name, unit);
}

static void
append_labels(struct buf *out, const struct out_label *labels, size_t n)
{
	const char *comma = "{";

	for (size_t i = 0; i < n; i++) {
		if (labels[i].value == NULL)
			continue;
		buf_printf(out, "%s%s=\"", comma, labels[i].name);
		for (const char *p = labels[i].value; *p != '\0'; p++) {
			if (*p == '\\' || *p == '"')
				buf_append_byte(out, '\\');
			if (*p == '\n')
				buf_append_text(out, "\\n");
			else
				buf_append_byte(out, (uint8_t)*p);
		}
		buf_append_byte(out, '"');
		comma = ",";
	}
	if (comma[0] == ',')
		buf_append_byte(out, '}');
}

void
out_metrics_sample(
    struct buf *out, const char *name, const struct out_label *labels, size_t n, int64_t value)
{
	buf_append_text(out, name);
	append_labels(out, labels, n);
	buf_printf(out, " %" PRId64 "\n", value);
}

void
out_metrics_seconds(
    struct buf *out, const char *name, const struct out_label *labels, size_t n, int64_t ms)
{
	uint64_t size = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;

	buf_append_text(out, name);
	append_labels(out, labels, n);
	buf_printf(out, " %s%" PRIu64, ms < 0 ? "-" : "", size / 1000);
	if (size % 1000 != 0)
		buf_printf(out, ".%03u", (unsigned)(size % 1000));
	buf_append_byte(out, '\n');
}

void
out_metrics_end(struct buf *out)
{
	buf_append_text(out, "# EOF\n");
}
