#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "differ/report/report.h"
#include "store/base/place.h"

#define LIMIT 200

static int
write_page(struct report *r, const char *path, struct err *err)
{
	struct buf page = {0};
	int rc = report_page(&page, r, err);

	if (rc >= 0 && strcmp(path, "-") == 0)
		fwrite(page.data, 1, page.len, stdout);
	else if (rc >= 0)
		rc = place_replace(path, page.data, page.len, 0, err);
	buf_finish(&page);
	return rc;
}

int
cmd_report(int argc, char **argv)
{
	const char *path = NULL;
	unsigned limit = LIMIT;
	const struct option_row rows[] = {
	    {"out", 'o', OPTION_TEXT, &path, "FILE.html", "where to; - for standard output"},
	    {"limit", 0, OPTION_UNSIGNED, &limit, "N",
		"so many roll-outs, changes and states at most, and count the others (200)"},
	    {0}};
	struct query q;
	struct report r = {.query = &q};
	struct err err = {0};
	bool missing = false;
	int status = query_open(&q, "report", "[HOST…]",
	    "One page of HTML to look at: the roll-outs and how they came along, the other "
	    "changes,\nand what each host shows. It stands alone, and loads nothing.",
	    QUERY_SPAN | QUERY_CHANGES | QUERY_WINDOWS | QUERY_VERDICTS | QUERY_NAMES, rows, argc,
	    argv);

	if (status >= 0)
		goto out;
	status = EXIT_TROUBLE;
	if (path == NULL) {
		options_usage_error("mxdiff", "report needs --out FILE.html, or --out -");
	} else if (q.options.json) {
		options_usage_error("mxdiff",
		    "report has no --json: mxdiff show, log and windows have what is in it");
	} else if (limit == 0) {
		options_usage_error("mxdiff", "--limit 0: must be at least 1");
	} else {
		status = EXIT_DONE;
		r.limit = limit;
		if (report_read(&r, &missing, &err) == 0)
			write_page(&r, path, &err);
		if (missing || (q.exit_code && (r.windows.n > 0 || r.all_changes_n > 0)))
			status = EXIT_MISSING;
	}
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	report_finish(&r);
	query_close(&q);
	return status;
}
