#include <stdio.h>

#include "cmd.h"
#include "differ/out/out_policy.h"
#include "differ/out/print.h"
#include "store/base/clock.h"

/* "mxdiff: DOMAIN: why"; the domain is not what anybody sent, but may be anything. */
static int
say_without(const char *domain, const char *why)
{
	struct err err = {0};

	err_set(&err, ERR_NOT_FOUND, "%s: %s", domain, why);
	options_trouble("mxdiff", &err);
	return EXIT_MISSING;
}

static int
print_policy(struct query *q, const struct route *route, struct err *err)
{
	const struct out_style style = print_style(q);
	struct arena arena = {0};
	struct buf text = {0};
	const struct value *v;

	if (q->options.json) {
		v = out_policy_model(&arena, route, judge_engine(q->judge), err);
		if (v != NULL)
			print_json(v);
	} else {
		out_policy(&text, route, &style);
		fwrite(text.data, 1, text.len, stdout);
	}
	buf_finish(&text);
	arena_finish(&arena);
	return err->code != ERR_NONE ? err->code : 0;
}

/* The status; trouble is left in *err. */
static int
tell(struct query *q, const char *operand, struct err *err)
{
	char domain[LIMIT_NAME + 1];
	struct err bad = {0};
	struct route route;
	int64_t at_ms = q->at_ms < INT64_MAX ? q->at_ms : clock_now_ms();
	int status = EXIT_DONE;
	char why[160];

	if (host_normalise(operand, domain, &bad) < 0) {
		options_trouble("mxdiff", &bad);
		return EXIT_MISSING;
	}
	if (route_init(&route, q->view, q->judge, domain, q->vantage, at_ms, err) < 0)
		goto out;
	if (route.state == ROUTE_UNKNOWN) {
		/* What was then cannot be probed any more. */
		snprintf(why, sizeof(why),
		    q->at_ms < INT64_MAX ? "%s, as of that time" : "%s; first: mxcollect run %.64s",
		    out_policy_without(route.state), domain);
		status = say_without(domain, why);
	} else if (route.state != ROUTE_KNOWN) {
		status = say_without(domain, out_policy_without(route.state));
	} else if (policy_known(&route.policy) == 0) {
		status = say_without(domain, "none of its addresses has shown anything yet");
	} else {
		print_policy(q, &route, err);
	}
out:
	route_finish(&route);
	return status;
}

int
cmd_policy(int argc, char **argv)
{
	struct query q;
	struct err err = {0};
	int status = query_open(&q, "policy", "DOMAIN…",
	    "What a sender gets at each address of a domain's MXs, at each of Postfix's levels and "
	    "under\neach SNI; the lines for his configuration; what the domain's operator could "
	    "publish.",
	    QUERY_AT | QUERY_POLICY, NULL, argc, argv);

	if (status >= 0)
		goto out;
	status = EXIT_DONE;
	if (q.options.operand_n == 0) {
		status = options_usage_error("mxdiff", "policy: no DOMAIN");
		goto out;
	}
	for (int i = 0; i < q.options.operand_n && err.code == ERR_NONE; i++) {
		if (i > 0 && !q.options.json)
			putchar('\n');
		if (tell(&q, q.options.operands[i], &err) != EXIT_DONE)
			status = EXIT_MISSING;
		if (options_interrupted() && i + 1 < q.options.operand_n)
			err_set(&err, ERR_SYSTEM, "interrupted after %d of %d domains", i + 1,
			    q.options.operand_n);
	}
out:
	if (err.code != ERR_NONE)
		status = options_trouble("mxdiff", &err);
	query_close(&q);
	return status;
}
