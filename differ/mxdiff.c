#include <stdio.h>
#include <string.h>

#include "differ/command/cmd.h"
#include "store/base/options.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
    {"cert", cmd_cert, "facts of certificates"},
    {"diff", cmd_diff, "what differs between two certificates, or two moments"},
    {"show", cmd_show, "what each series shows, or showed at a time"},
    {"log", cmd_log, "the history as changes, newest last"},
    {"windows", cmd_windows, "the roll-outs: the same change over many series"},
    {"feed", cmd_feed, "changes as they were found, from a cursor"},
    {"metrics", cmd_metrics, "the present as metrics, for Prometheus"},
    {"policy", cmd_policy, "what senders get at a domain's MXs, and what to write for it"},
    {"report", cmd_report, "roll-outs, changes and the present as one page of HTML"},
    {"fields", cmd_fields, "the table of fields, classes and severities"},
};

static void
print_help(void)
{
	printf("mxdiff COMMAND [OPTION…] [OPERAND…]\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].help);
	printf("\nmxdiff COMMAND --help says more of each.\n");
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	options_open_streams();
	options_catch_signals();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return options_finish("mxdiff", commands[i].run(argc - 1, argv + 1));
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		print_help();
		return options_finish("mxdiff", EXIT_DONE);
	}
	if (strcmp(name, "--version") == 0) {
		printf("mxdiff %s\n", MX509_VERSION);
		return options_finish("mxdiff", EXIT_DONE);
	}
	if (name[0] == '\0')
		return options_usage_error("mxdiff", "no command");
	return options_usage_error("mxdiff", "unknown command %s", name);
}
