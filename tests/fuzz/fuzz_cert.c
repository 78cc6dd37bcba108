/*
 * Everything that `mxdiff cert` does with what a stranger sends: PEM or DER, every field of the
 * table, every fault, as JSON and as text.
 */
#include <stdlib.h>

#include "differ/certificate/input.h"
#include "differ/facts/certificate_model.h"
#include "differ/out/out_json.h"
#include "differ/out/out_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
show(const struct facts *facts, size_t index)
{
	struct certificate_origin origin = {"fuzz", index};
	struct arena arena = {0};
	struct buf out = {0};

	out_json_value(&out, certificate_model(&arena, facts, &origin));
	out_text_certificate(&out, facts, &origin, index % 2 == 1);
	buf_finish(&out);
	arena_finish(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {0};

	input_open_bytes(&in, data, len);
	while (input_next(&in)) {
		struct facts *facts = in.trusted
					  ? facts_of_trusted_certificate(in.der.data, in.der.len)
					  : facts_of_certificate(in.der.data, in.der.len);

		show(facts, in.index);
		facts_destroy(facts);
	}
	input_finish(&in);
	return 0;
}
