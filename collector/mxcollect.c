/*
 * mxcollect: collects what mail exchangers show to those who connect to them. See mxcollect(1).
 */
#include <stdio.h>
#include <string.h>

#include "collector/probe/spare.h"
#include "collector/run/run.h"
#include "collector/watch/watch.h"
#include "store/base/options.h"
#include "store/record/host.h"
#include "store/record/operator.h"

#define PROGRAM "mxcollect"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
    {"run", run_command, "one pass over the targets"},
    {"watch", watch_command, "passes for ever, closer together after a change"},
};

#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static void
help(void)
{
	printf("usage: mxcollect COMMAND [options] [TARGET...]\n\n");
	for (size_t i = 0; i < COMMANDS_N; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	printf("\nmxcollect COMMAND --help has its options; mxcollect(1) is the manual.\n");
}

/* Options before a command: --help and --version are all there are. */
static int
without_command(int argc, char **argv)
{
	struct options options = {.program = PROGRAM};

	switch (options_parse(&options, NULL, argc, argv)) {
	case OPTIONS_USAGE:
		return EXIT_TROUBLE;
	case OPTIONS_HELP:
		help();
		return options_finish(PROGRAM, EXIT_DONE);
	case OPTIONS_DONE:
		return options_finish(PROGRAM, EXIT_DONE);
	case OPTIONS_OK:
		break;
	}
	return options_usage_error(
	    PROGRAM, "no command: mxcollect run TARGET... makes one pass over the targets");
}

int
main(int argc, char **argv)
{
	spare_install();
	operator_load(); /* while there are file descriptors */
	host_load();
	options_open_streams();
	if (argc < 2 || argv[1][0] == '-')
		return without_command(argc, argv);
	for (size_t i = 0; i < COMMANDS_N; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return options_usage_error(
	    PROGRAM, "unknown command \"%s\": there are run and watch", argv[1]);
}
