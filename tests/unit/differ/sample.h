/* sample: a certificate of corpus/ (its folder is $MX509_CORPUS), to be read or changed. For tests.
 */
#ifndef MX509_TEST_SAMPLE_H
#define MX509_TEST_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differ/certificate/input.h"
#include "differ/facts/facts.h"

/* The DER of the first certificate in a file: buf_finish(). */
static inline struct buf
sample_der(const char *name)
{
	struct input in = {0};
	struct err err = {0};
	struct buf der = {0};
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", getenv("MX509_CORPUS"), name);
	if (input_open(&in, path, &err) < 0 || !input_next(&in)) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	buf_append(&der, in.der.data, in.der.len);
	input_finish(&in);
	return der;
}

static inline struct facts *
sample_facts(const char *name)
{
	struct buf der = sample_der(name);
	struct facts *facts = facts_of_certificate(der.data, der.len);

	buf_finish(&der);
	return facts;
}

/* Puts `new` where `old` stands, the n-th time from 0; both of the same length. */
static inline void
sample_change(struct buf *der, const char *old, const char *new, size_t len, int nth)
{
	uint8_t *p = der->data;

	do {
		p = memmem(p, der->len - (size_t)(p - der->data), old, len);
		if (p == NULL) {
			fprintf(stderr, "sample_change: not there\n");
			exit(2);
		}
	} while (nth-- > 0 && p++ != NULL);
	memcpy(p, new, len);
}

#endif
