#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "text.h"

/* Values of getopt_long(3) beyond any letter: the common options, then the rows. */
enum { VALUE_STORE = 256, VALUE_JSON, VALUE_QUIET, VALUE_HELP, VALUE_VERSION, VALUE_ROWS };

static const struct option common[] = {
    {"store", required_argument, NULL, VALUE_STORE},
    {"json", no_argument, NULL, VALUE_JSON},
    {"quiet", no_argument, NULL, VALUE_QUIET},
    {"help", no_argument, NULL, VALUE_HELP},
    {"version", no_argument, NULL, VALUE_VERSION},
};
#define COMMON_N (sizeof(common) / sizeof(common[0]))

#define HELP_LEFT 30 /* columns of an option and its argument */

static volatile sig_atomic_t interrupted;

void
option_list_finish(struct option_list *list)
{
	free(list->items);
	*list = (struct option_list){0};
}

static void
print_line(const char *program, const char *line)
{
	struct buf out = {0};

	text_escape(&out, line, strlen(line));
	fprintf(stderr, "%s: %s\n", program, buf_text(&out));
	buf_finish(&out);
}

int
options_usage_error(const char *program, const char *fmt, ...)
{
	struct buf line = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	buf_printf(&line, "; see %s --help", program);
	print_line(program, buf_text(&line));
	buf_finish(&line);
	return EXIT_TROUBLE;
}

int
options_trouble(const char *program, const struct err *err)
{
	print_line(program, err->text);
	return EXIT_TROUBLE;
}

void
options_on_wait(void *program, const char *dir)
{
	struct buf line = {0};

	buf_printf(&line, "waiting for another writer of %s", dir);
	print_line(program, buf_text(&line));
	buf_finish(&line);
}

static bool
takes_argument(enum option_type type)
{
	return type != OPTION_FLAG && type != OPTION_COUNT;
}

static bool
parse_unsigned(const char *text, unsigned *v)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || n > INT32_MAX)
		return false;
	*v = (unsigned)n;
	return true;
}

static bool
parse_real(const char *text, double *v)
{
	char *end;
	double n = strtod(text, &end);

	if (!isdigit((unsigned char)text[0]) || *end != '\0' || !isfinite(n))
		return false;
	*v = n;
	return true;
}

static void
list_add(struct option_list *list, const char *text)
{
	list->items = mem_grow(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = text;
}

/* NULL, or what was expected. */
static const char *
store_value(const struct option_row *row, const char *text)
{
	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)row->value = true;
		return NULL;
	case OPTION_COUNT:
		++*(unsigned *)row->value;
		return NULL;
	case OPTION_TEXT:
		*(const char **)row->value = text;
		return NULL;
	case OPTION_LIST:
		list_add(row->value, text);
		return NULL;
	case OPTION_UNSIGNED:
		return parse_unsigned(text, row->value) ? NULL : "a whole number";
	case OPTION_REAL:
		return parse_real(text, row->value) ? NULL : "a number";
	case OPTION_TIME:
	case OPTION_TIMES:
		return clock_parse(text, clock_now_ms(), row->value)
			   ? NULL
			   : "a time such as 2026-03-19T06:10:00Z, -2h or yesterday";
	case OPTION_SPAN:
		return clock_parse_span(text, row->value) ? NULL : "a span such as 90s, 15m or 2h";
	}
	return "nothing";
}

static enum options_result
usage(const struct options *o, const char *fmt, const char *a, const char *b)
{
	struct buf line = {0};

	buf_printf(&line, fmt, a, b);
	options_usage_error(o->program, "%s%s%s", o->command != NULL ? o->command : "",
	    o->command != NULL ? ": " : "", buf_text(&line));
	buf_finish(&line);
	return OPTIONS_USAGE;
}

static enum options_result
unknown(const struct options *o, int value, bool lacks_argument, char **argv)
{
	char letter[3] = {'-', (char)value, '\0'};
	/* An octet beyond ASCII is a negative char. */
	const char *name = value != 0 && value < 256 ? letter : argv[optind - 1];
	const char *equals = strchr(name, '=');
	char shown[80];

	snprintf(shown, sizeof(shown), "%.*s",
	    equals != NULL ? (int)(equals - name) : (int)strlen(name), name);
	if (lacks_argument)
		return usage(o, "option %s needs an argument%s", shown, "");
	if (value >= 256)
		return usage(o, "option %s takes no argument%s", shown, "");
	return usage(o, "unknown option %s%s", shown, "");
}

struct table {
	struct option *longs;
	struct buf shorts;
	size_t rows_n;
};

static void
table_build(struct table *t, const struct option_row *rows)
{
	while (rows[t->rows_n].name != NULL)
		t->rows_n++;
	t->longs = mem_zero(t->rows_n + COMMON_N + 1, sizeof(*t->longs));
	buf_append_byte(&t->shorts, ':');
	for (size_t i = 0; i < t->rows_n; i++) {
		bool argument = takes_argument(rows[i].type);

		t->longs[i] = (struct option){rows[i].name,
		    argument ? required_argument : no_argument, NULL, VALUE_ROWS + (int)i};
		if (rows[i].letter != 0) {
			buf_append_byte(&t->shorts, (uint8_t)rows[i].letter);
			if (argument)
				buf_append_byte(&t->shorts, ':');
		}
	}
	memcpy(t->longs + t->rows_n, common, sizeof(common));
}

static const struct option_row *
row_of(const struct table *t, const struct option_row *rows, int value)
{
	if (value >= VALUE_ROWS)
		return &rows[value - VALUE_ROWS];
	for (size_t i = 0; i < t->rows_n; i++)
		if (rows[i].letter == value)
			return &rows[i];
	return NULL;
}

static enum options_result
refuse_value(
    struct options *o, const struct option_row *row, const char *text, const char *expected)
{
	struct buf what = {0};

	buf_printf(&what, "--%s: \"%s\"", row->name, text);
	usage(o, "%s is not %s", buf_text(&what), expected);
	buf_finish(&what);
	return OPTIONS_USAGE;
}

/* The second argument of an option that takes two: what getopt_long(3) would look at next. */
static enum options_result
take_second(struct options *o, const struct option_row *row, int argc, char **argv)
{
	struct option_row second = {.type = OPTION_TIME, .value = (int64_t *)row->value + 1};
	const char *expected;

	if (optind >= argc)
		return usage(o, "option --%s needs two arguments%s", row->name, "");
	if ((expected = store_value(&second, argv[optind])) != NULL)
		return refuse_value(o, row, argv[optind], expected);
	optind++;
	return OPTIONS_OK;
}

static enum options_result
take(struct options *o, const struct table *t, const struct option_row *rows, int value, int argc,
    char **argv)
{
	const struct option_row *row;
	const char *expected;

	switch (value) {
	case VALUE_STORE:
		o->store = optarg;
		return OPTIONS_OK;
	case VALUE_JSON:
		o->json = true;
		return OPTIONS_OK;
	case VALUE_QUIET:
		o->quiet = true;
		return OPTIONS_OK;
	case VALUE_HELP:
		return OPTIONS_HELP;
	case VALUE_VERSION:
		printf("%s %s\n", o->program, MX509_VERSION);
		return OPTIONS_DONE;
	}
	row = row_of(t, rows, value);
	if ((expected = store_value(row, optarg)) != NULL)
		return refuse_value(o, row, optarg, expected);
	return row->type == OPTION_TIMES ? take_second(o, row, argc, argv) : OPTIONS_OK;
}

enum options_result
options_parse(struct options *o, const struct option_row *rows, int argc, char **argv)
{
	static const struct option_row none[] = {{0}};
	enum options_result result = OPTIONS_OK;
	struct table t = {0};
	int value;

	if (rows == NULL)
		rows = none;
	table_build(&t, rows);
	opterr = 0;
	optind = 0; /* glibc: start anew, also after another command's options */
	while (result == OPTIONS_OK &&
	       (value = getopt_long(argc, argv, buf_text(&t.shorts), t.longs, NULL)) != -1) {
		if (value == '?' || value == ':')
			result = unknown(o, optopt, value == ':', argv);
		else
			result = take(o, &t, rows, value, argc, argv);
	}
	o->operands = argv + optind;
	o->operand_n = argc - optind;
	free(t.longs);
	buf_finish(&t.shorts);
	return result;
}

static void
help_line(FILE *out, int letter, const char *name, const char *argument, const char *help)
{
	struct buf left = {0};
	size_t columns;

	if (letter != 0)
		buf_printf(&left, "-%c, ", letter);
	else
		buf_append_text(&left, "    ");
	buf_printf(&left, "--%s", name);
	if (argument != NULL)
		buf_printf(&left, " %s", argument);
	columns = text_width(left.data, left.len);
	fprintf(out, "  %s%*s %s\n", buf_text(&left),
	    columns < HELP_LEFT ? (int)(HELP_LEFT - columns) : 0, "", help);
	buf_finish(&left);
}

void
options_help(FILE *out, const struct option_row *rows)
{
	for (; rows != NULL && rows->name != NULL; rows++)
		help_line(out, rows->letter, rows->name, rows->argument, rows->help);
	help_line(out, 0, "store", "DIR",
	    "the corpus; else $MX509_STORE, $XDG_DATA_HOME/mx509, ~/.local/share/mx509");
	help_line(out, 0, "json", NULL, "one JSON object a line");
	help_line(out, 0, "quiet", NULL, "no progress, no summary");
	help_line(out, 0, "help", NULL, "this help");
	help_line(out, 0, "version", NULL, "the version");
}

bool
options_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0 &&
	       isatty(fileno(out));
}

int
options_finish(const char *program, int status)
{
	struct err err = {0};
	bool failed = ferror(stdout) != 0;

	if ((fflush(stdout) == 0 && !failed) || status == EXIT_TROUBLE)
		return status;
	err_system(&err, errno != 0 ? errno : EIO, "standard output: cannot be written");
	return options_trouble(program, &err);
}

static void
on_signal(int number)
{
	interrupted = 1;
}

static void
end_with(const char *line, size_t len)
{
	ssize_t written = write(STDERR_FILENO, line, len);

	(void)written; /* there is nowhere left to say that it failed */
	_exit(EXIT_TROUBLE);
}

/* The corpus is mapped: a page that is not in the file, or that the disk does not give, comes as
 * SIGBUS to whoever reads it. */
static void
on_bus_error(int number)
{
	static const char line[] =
	    "mx509: the corpus is damaged: its file is cut short, a page of it sends past its end, "
	    "or "
	    "the disk does not give it; keep a copy, and bring what can be read into a new one: "
	    "mxstore merge --store NEW OLD\n";

	end_with(line, sizeof(line) - 1);
}

/* LMDB believes what a damaged page says. */
static void
on_memory_fault(int number)
{
	static const char line[] =
	    "mx509: ended by a fault in memory: run mxstore check; if it finds nothing in the "
	    "corpus, this is a bug to report\n";

	end_with(line, sizeof(line) - 1);
}

/* A sanitizer that has taken SIGSEGV tells more. */
static void
catch_faults(void)
{
	struct sigaction now;

	signal(SIGBUS, on_bus_error);
	if (sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGSEGV, on_memory_fault);
}

void
options_ignore_signals(void)
{
	catch_faults();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

void
options_open_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		exit(EXIT_TROUBLE); /* there is nowhere to say it */
	close(fd);
}

void
options_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	catch_faults();
	signal(SIGXFSZ, SIG_IGN);
}

void
options_catch_hangup(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}, now;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

bool
options_interrupted(void)
{
	return interrupted != 0;
}
