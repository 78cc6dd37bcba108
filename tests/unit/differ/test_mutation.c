/*
 * No silent difference: certificates are changed one element of DER at a time (value, tag, length,
 * removed, doubled, swapped), and diff_facts() must tell every mutant from its original. That the
 * test can fail is shown in the same run: without the row der_residual, and without the row that
 * reads a place, mutants of that place do pass unseen.
 *
 *	test_mutation [-n MOST] FOLDER…   (files of certificates, PEM or DER; MOST of them)
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "differ/cert.h"
#include "differ/diff.h"
#include "differ/input.h"
#include "store/buf.h"
#include "store/mem.h"

#define ELEMENTS_MOST 150 /* of one certificate; larger ones are sampled */
#define NODES_MOST 200000

struct node {
	size_t head, len; /* of identifier and length; of the contents */
	size_t start;	  /* of the identifier */
	size_t after;	  /* number of the node behind this one and all in it */
	bool parent;	  /* has nodes in it */
	bool next;	  /* has a sibling behind it */
};

struct tree {
	const uint8_t *der;
	struct node *nodes;
	size_t n;
};

enum change { VALUE, TAG, LENGTH, REMOVED, DOUBLED, SWAPPED, CHANGES };

static const char *const change_names[] = {
    "value", "tag", "length", "removed", "doubled", "swapped"};

static struct {
	size_t certificates, mutants, told[CHANGES], malformed, residual, encoding_only;
	size_t unseen, unseen_without_residual, unseen_without_serial;
} count;

static const char **folders;
static int folders_n;
static size_t files_most = SIZE_MAX;

/* ---- DER as a tree ----------------------------------------------------------------------- */

static bool parse(struct tree *t, size_t start, size_t end);

/* One element of definite length; whatever parses to its end as elements is taken for a parent. */
static size_t
parse_one(struct tree *t, size_t start, size_t end)
{
	size_t len, head = 2, me = t->n;

	if (end - start < 2 || me == NODES_MOST || (t->der[start] & 0x1f) == 0x1f)
		return 0;
	len = t->der[start + 1];
	if (len > 0x80) {
		size_t octets = len & 0x7f;

		if (octets > 3 || end - start < 2 + octets)
			return 0;
		for (len = 0; octets > 0; octets--)
			len = len << 8 | t->der[start + head++];
	} else if (len == 0x80) {
		return 0;
	}
	if (len > end - start - head)
		return 0;
	t->nodes[t->n++] = (struct node){.start = start, .head = head, .len = len};
	if ((t->der[start] & 0x20) != 0 || t->der[start] == 0x04) {
		t->nodes[me].parent = len > 0 && parse(t, start + head, start + head + len);
		if (!t->nodes[me].parent)
			t->n = me + 1;
	}
	t->nodes[me].after = t->n;
	return head + len;
}

static bool
parse(struct tree *t, size_t start, size_t end)
{
	size_t before = SIZE_MAX;

	while (start < end) {
		size_t me = t->n, taken = parse_one(t, start, end);

		if (taken == 0)
			return false;
		if (before != SIZE_MAX)
			t->nodes[before].next = true;
		before = me;
		start += taken;
	}
	return true;
}

static void
append_head(struct buf *out, uint8_t id, size_t len)
{
	size_t octets = 0;

	buf_append_byte(out, id);
	if (len < 128) {
		buf_append_byte(out, (uint8_t)len);
		return;
	}
	while (len >> (8 * octets) != 0)
		octets++;
	buf_append_byte(out, (uint8_t)(0x80 | octets));
	while (octets-- > 0)
		buf_append_byte(out, (uint8_t)(len >> (8 * octets)));
}

static void append_node(
    struct buf *out, const struct tree *t, size_t i, size_t which, enum change change);

static void
append_children(struct buf *out, const struct tree *t, size_t i, size_t which, enum change change)
{
	for (size_t k = i + 1; k < t->nodes[i].after; k = t->nodes[k].after) {
		if (k == which && change == SWAPPED) {
			append_node(out, t, t->nodes[k].after, SIZE_MAX, change);
			append_node(out, t, k, SIZE_MAX, change);
			k = t->nodes[k].after;
		} else if (k != which || change != REMOVED) {
			append_node(out, t, k, which, change);
		}
		if (k == which && change == DOUBLED)
			append_node(out, t, k, SIZE_MAX, change);
	}
}

/* The lengths of what it stands in are made right, but for LENGTH. */
static void
append_node(struct buf *out, const struct tree *t, size_t i, size_t which, enum change change)
{
	const struct node *n = &t->nodes[i];
	bool me = i == which;
	uint8_t id = t->der[n->start];
	struct buf contents = {0};

	if (n->parent)
		append_children(&contents, t, i, which, change);
	else
		buf_append(&contents, t->der + n->start + n->head, n->len);
	if (me && change == VALUE && contents.len > 0)
		contents.data[contents.len / 2] ^= 0x01;
	if (me && change == TAG)
		id ^= 0x01;
	append_head(out, id, contents.len);
	if (me && change == LENGTH)
		out->data[out->len - 1] ^= 0x01;
	buf_append(out, contents.data, contents.len);
	buf_finish(&contents);
}

/* ---- mutants ----------------------------------------------------------------------------- */

static bool
possible(const struct node *n, enum change change)
{
	switch (change) {
	case VALUE:
		return !n->parent && n->len > 0;
	case SWAPPED:
		return n->next;
	default:
		return true;
	}
}

static bool
seen(const struct difference *d, size_t n, enum field without, enum field without_too)
{
	for (size_t i = 0; i < n; i++) {
		if (d[i].field != without && d[i].field != without_too)
			return true;
	}
	return false;
}

static void
judge(const struct facts *original, const struct buf *mutant, enum change change, const char *path,
    size_t offset)
{
	struct facts *facts = facts_of_certificate(mutant->data, mutant->len);
	struct difference d[FIELD_N];
	size_t n = diff_facts(original, facts, d), faults;

	count.mutants++;
	count.told[change]++;
	cert_faults(facts_certificate(facts), FAULT_MALFORMED, &faults, NULL);
	count.malformed += faults > 0;
	for (size_t i = 0; i < n; i++) {
		count.residual += d[i].field == FIELD_DER_RESIDUAL;
		count.encoding_only += d[i].encoding_only;
	}
	if (n == 0) {
		print_message(
		    "%s: %s at octet %zu passes unseen\n", path, change_names[change], offset);
		count.unseen++;
	}
	count.unseen_without_residual += !seen(d, n, FIELD_DER_RESIDUAL, FIELD_N);
	count.unseen_without_serial += !seen(d, n, FIELD_DER_RESIDUAL, FIELD_SERIAL);
	facts_destroy(facts);
}

static void
mutate(const struct buf *der, const char *path)
{
	struct tree t = {.der = der->data, .nodes = mem_zero(NODES_MOST, sizeof(struct node))};
	struct facts *original = facts_of_certificate(der->data, der->len);
	struct buf mutant = {0};

	if (parse(&t, 0, der->len) && t.n > 0 && t.nodes[0].after == t.n) {
		size_t step = t.n / ELEMENTS_MOST + 1;

		count.certificates++;
		for (size_t i = 1; i < t.n; i += step) {
			for (int change = 0; change < CHANGES; change++) {
				if (!possible(&t.nodes[i], (enum change)change))
					continue;
				buf_clear(&mutant);
				append_node(&mutant, &t, 0, i, (enum change)change);
				if (mutant.len != der->len ||
				    memcmp(mutant.data, der->data, der->len) != 0)
					judge(original, &mutant, (enum change)change, path,
					    t.nodes[i].start);
			}
		}
	}
	facts_destroy(original);
	buf_finish(&mutant);
	free(t.nodes);
}

/* ---- files ------------------------------------------------------------------------------- */

static void
mutate_file(const char *path)
{
	struct input in = {0};
	struct err err = {0};

	/* The first of a bundle: hundreds of roots are alike. */
	if (input_open(&in, path, &err) == 0 && input_next(&in))
		mutate(&in.der, path);
	input_finish(&in);
}

/* Every k-th file, so that MOST of them are of all kinds. */
static void
mutate_folder(const char *folder, size_t step, size_t *seen_files)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);
	struct stat st;

	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
		if (strrchr(path, '/')[1] == '.' || stat(path, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode))
			mutate_folder(path, step, seen_files);
		else if (st.st_size < 65536 && (*seen_files)++ % step == 0 &&
			 count.certificates < files_most)
			mutate_file(path);
	}
	if (n >= 0)
		free(entries);
}

static void
test_no_silent_difference(void **state)
{
	size_t files = 0, step = files_most == SIZE_MAX ? 1 : 7;

	for (int i = 0; i < folders_n; i++)
		mutate_folder(folders[i], step, &files);
	print_message(
	    "# %zu mutants of %zu certificates; %zu malformed, %zu told by der_residual, %zu "
	    "as encoding only; unseen: %zu; without der_residual: %zu; without the row serial, "
	    "too: %zu\n",
	    count.mutants, count.certificates, count.malformed, count.residual, count.encoding_only,
	    count.unseen, count.unseen_without_residual, count.unseen_without_serial);
	for (int i = 0; i < CHANGES; i++)
		print_message("#   %s: %zu\n", change_names[i], count.told[i]);
	assert_true(count.certificates >= 60);
	assert_int_equal(count.unseen, 0);
}

/* Otherwise the test above would hold for any code. */
static void
test_can_fail(void **state)
{
	assert_true(count.unseen_without_residual > 0);
	assert_true(count.unseen_without_serial > count.unseen_without_residual);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_silent_difference), cmocka_unit_test(test_can_fail)};

	folders = (const char **)argv + 1;
	folders_n = argc - 1;
	if (folders_n > 2 && strcmp(folders[0], "-n") == 0) {
		files_most = strtoul(folders[1], NULL, 10);
		folders += 2;
		folders_n -= 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
