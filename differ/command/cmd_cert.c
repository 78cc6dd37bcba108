#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "differ/certificate/der.h"
#include "differ/certificate/input.h"
#include "differ/out/out_json.h"
#include "differ/out/out_text.h"
#include "store/base/options.h"
#include "store/base/text.h"
#include "store/corpus/store.h"

struct cert_command {
	struct options options;
	bool colour;
	struct input input;
	struct buf line;
	struct store *store; /* opened when a certificate is asked from it */
	struct store_view *view;
};

static void
print_certificate(struct cert_command *c, const struct facts *facts, const char *file, size_t index)
{
	struct certificate_origin origin = {file, index};

	buf_clear(&c->line);
	if (c->options.json) {
		struct arena arena = {0};

		out_json_value(&c->line, certificate_model(&arena, facts, &origin));
		arena_finish(&arena);
	} else {
		out_text_certificate(&c->line, facts, &origin, c->colour);
	}
	buf_append_byte(&c->line, '\n');
	fwrite(c->line.data, 1, c->line.len, stdout);
}

/* What the certificates of one file are to each other; nothing of a bundle of roots. */
static void
print_chain(struct cert_command *c, const struct input_chain *chain, const char *path)
{
	struct evidence evidence = {.outcome = OUTCOME_SUCCESS,
	    .tls_alert = -1,
	    .chain = chain->names,
	    .chain_n = chain->n};
	struct facts *facts = facts_of_evidence(&evidence, chain->certificates);

	if (!facts_get(facts, FIELD_SELF_SIGNED)->truth) {
		buf_clear(&c->line);
		out_text_chain(&c->line, facts, path, c->colour);
		buf_append_byte(&c->line, '\n');
		fwrite(c->line.data, 1, c->line.len, stdout);
	}
	facts_destroy(facts);
}

static int
cert_file(struct cert_command *c, const char *path)
{
	struct err err = {0};
	struct input *in = &c->input;
	struct input_chain chain = {0};
	int status = EXIT_DONE;
	bool any = false;

	if (input_open(in, path, &err) < 0)
		return options_trouble("mxdiff", &err);
	while (input_next(in)) {
		any |= in->pem || (in->der.len > 0 && in->der.data[0] == DER_SEQUENCE);
		if (!c->options.json && in->index <= DIFFER_CHAIN_MAX)
			input_chain_add(&chain, &in->der);
		struct facts *facts = in->trusted
					  ? facts_of_trusted_certificate(in->der.data, in->der.len)
					  : facts_of_certificate(in->der.data, in->der.len);

		print_certificate(c, facts, path, in->index);
		facts_destroy(facts);
	}
	if (chain.n > 1 && chain.n <= DIFFER_CHAIN_MAX)
		print_chain(c, &chain, path);
	input_chain_finish(&chain);
	/* A malformed certificate is a finding; what is nothing of the kind was not to be had. */
	if (!any) {
		err_set(&err, ERR_INPUT, "%s: no certificate; give PEM or DER", path);
		options_trouble("mxdiff", &err);
		status = EXIT_MISSING;
	}
	return status;
}

static int
open_store(struct cert_command *c, struct err *err)
{
	struct buf dir = {0};
	int rc = 0;

	if (c->view != NULL)
		return 0;
	if (c->store == NULL && (rc = store_find_dir(c->options.store, &dir, err)) >= 0)
		rc = store_open(&c->store, buf_text(&dir), STORE_READ, err);
	if (rc >= 0)
		rc = store_view_open(c->store, &c->view, err);
	buf_finish(&dir);
	return rc;
}

static int
cert_stored(struct cert_command *c, const char *operand)
{
	struct err err = {0};
	struct buf der = {0};
	struct hash name;
	int status = EXIT_DONE, rc;

	if (!text_parse_hex(operand + strlen("sha256:"), name.bytes, HASH_LEN)) {
		err_set(&err, ERR_INPUT, "%s: no SHA-256; give 64 hexadecimal digits", operand);
		return options_trouble("mxdiff", &err);
	}
	if (open_store(c, &err) < 0)
		return options_trouble("mxdiff", &err);
	rc = store_certificate(c->view, &name, &der, &err);
	if (rc < 0) {
		status = options_trouble("mxdiff", &err);
		if (rc == ERR_NOT_FOUND)
			status = EXIT_MISSING;
	} else {
		struct facts *facts = facts_of_certificate(der.data, der.len);

		print_certificate(c, facts, operand, 0);
		facts_destroy(facts);
	}
	buf_finish(&der);
	return status;
}

int
cmd_cert(int argc, char **argv)
{
	static const struct option_row rows[] = {{0}};
	struct cert_command c = {.options = {.program = "mxdiff", .command = "cert"}};
	int status = EXIT_DONE;

	switch (options_parse(&c.options, rows, argc, argv)) {
	case OPTIONS_USAGE:
		return EXIT_TROUBLE;
	case OPTIONS_HELP:
		printf("mxdiff cert [--json] FILE|sha256:HEX…\n"
		       "Facts of certificates: PEM, DER, \"-\" for standard input, or by name from "
		       "the "
		       "store.\n");
		options_help(stdout, rows);
		return EXIT_DONE;
	case OPTIONS_DONE:
		return EXIT_DONE;
	case OPTIONS_OK:
		break;
	}
	if (c.options.operand_n == 0)
		return options_usage_error(
		    "mxdiff", "cert: no certificate; name a file, or sha256:HEX");
	c.colour = options_colour(stdout);
	for (int i = 0; i < c.options.operand_n; i++) {
		const char *operand = c.options.operands[i];
		int one = strncmp(operand, "sha256:", 7) == 0 ? cert_stored(&c, operand)
							      : cert_file(&c, operand);

		status = one > status ? one : status;
	}
	store_view_close(c.view);
	store_close(c.store);
	input_finish(&c.input);
	buf_finish(&c.line);
	return status;
}
