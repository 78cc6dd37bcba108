#include <stdio.h>

#include "cmd.h"
#include "differ/out/out_json.h"
#include "differ/out/out_text.h"
#include "differ/time/classify.h"
#include "store/base/options.h"

static void
print_classes_json(struct buf *out)
{
	for (int i = 0; i < CLASS_N; i++) {
		const struct class_row *row = &class_table[i];
		struct arena arena = {0};
		struct value_builder b = {.arena = &arena};

		value_add_member(&b, "class", value_text_static(&arena, row->name));
		value_add_member(
		    &b, "severity", value_text_static(&arena, severity_name(row->severity)));
		value_add_member(&b, "doc", value_text_static(&arena, row->doc));
		out_json_value(out, value_object(&b));
		buf_append_byte(out, '\n');
		arena_finish(&arena);
	}
}

static void
print_classes(struct buf *out)
{
	buf_append_text(out, "\nCLASSES\n");
	for (int i = 0; i < CLASS_N; i++)
		buf_printf(out, "%-20s  %-8s  %s\n", class_table[i].name,
		    severity_name(class_table[i].severity), class_table[i].doc);
}

static void
print_fields_json(struct buf *out)
{
	static const char *const sources[] = {"certificate", "chain", "tls", "smtp", "dns"};

	for (int i = 0; i < FIELD_N; i++) {
		const struct field_row *row = &field_table[i];
		struct arena arena = {0};
		struct value_builder b = {.arena = &arena};

		value_add_member(&b, "field", value_text_static(&arena, row->name));
		value_add_member(&b, "source", value_text_static(&arena, sources[row->source]));
		value_add_member(
		    &b, "severity", value_text_static(&arena, severity_name(row->severity)));
		value_add_member(&b, "title", value_text_static(&arena, row->title));
		value_add_member(&b, "doc", value_text_static(&arena, row->doc));
		out_json_value(out, value_object(&b));
		buf_append_byte(out, '\n');
		arena_finish(&arena);
	}
}

int
cmd_fields(int argc, char **argv)
{
	static const struct option_row rows[] = {{0}};
	struct options options = {.program = "mxdiff", .command = "fields"};
	struct buf out = {0};

	switch (options_parse(&options, rows, argc, argv)) {
	case OPTIONS_USAGE:
		return EXIT_TROUBLE;
	case OPTIONS_HELP:
		printf("mxdiff fields [--json]\n"
		       "The table of fields (name, where it comes from, severity of a difference), "
		       "and that\n"
		       "of the classes of changes.\n");
		options_help(stdout, rows);
		return EXIT_DONE;
	case OPTIONS_DONE:
		return EXIT_DONE;
	case OPTIONS_OK:
		break;
	}
	if (options.operand_n > 0)
		return options_usage_error("mxdiff", "fields: takes no operands");
	if (options.json) {
		print_fields_json(&out);
		print_classes_json(&out);
	} else {
		out_text_fields(&out, options_colour(stdout));
		print_classes(&out);
	}
	fwrite(out.data, 1, out.len, stdout);
	buf_finish(&out);
	return EXIT_DONE;
}
