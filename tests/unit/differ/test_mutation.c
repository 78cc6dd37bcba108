/*
 * No silent difference: certificates are changed one element of DER at a time (value, tag, length,
 * removed, doubled, swapped), and diff_facts() must tell every mutant from its original. That the
 * test can fail is shown in the same run, for each row of the table: with that row taken out (and
 * der_residual, which tells what no row does), mutants pass unseen. Rows that never tell anything
 * alone are listed with the reason.
 *
 *	test_mutation [-n MOST] FOLDER…   (files of certificates, PEM or DER; MOST of each folder)
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

#include "differ/certificate/cert.h"
#include "differ/certificate/input.h"
#include "differ/facts/diff.h"
#include "store/base/buf.h"
#include "store/base/mem.h"

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
	size_t certificates, mutants, told[CHANGES], malformed, encoding_only, unseen;
	size_t of[FIELD_N];	 /* mutants that the row tells */
	size_t only_by[FIELD_N]; /* that it alone tells */
	size_t there[FIELD_N];	 /* originals that have a value in the row */
} count;

/* Rows whose loss hardly a mutant can show, since other rows tell of the same octets. */
static const struct {
	enum field field;
	const char *by;
} told_by[] = {
    {FIELD_KEY_ALGORITHM, "the key's hash"},
    {FIELD_KEY_ALGORITHM_OID, "the key's hash"},
    {FIELD_KEY_BITS, "the key's hash"},
    {FIELD_KEY_CURVE, "the key's hash"},
    {FIELD_KEY_PARAMETERS, "the key's hash"},
    {FIELD_KEY_STRENGTH_BITS, "the key's hash"},
    {FIELD_KEY_EXPONENT, "the key's hash"},
    {FIELD_SIGNATURE_ALGORITHM, "its OID, and its agreement with the inner one"},
    {FIELD_SIGNATURE_ALGORITHM_OID, "its name"},
    {FIELD_INNER_SIGNATURE_ALGORITHM, "its agreement with the outer one"},
    {FIELD_SIGNATURE_ALGORITHMS_AGREE, "the algorithms that it compares"},
    {FIELD_SELF_SIGNED, "the names and key ids that it compares"},
    {FIELD_SHA256, "all others: it names the certificate, and is no difference"},
};

static const char **folders;
static int folders_n;
static size_t files_most = SIZE_MAX; /* of one folder, and those in it */

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

static void
judge(const struct facts *original, const struct buf *mutant, enum change change, const char *path,
    size_t offset)
{
	struct facts *facts = facts_of_certificate(mutant->data, mutant->len);
	struct difference d[FIELD_N];
	struct arena arena = {0};
	size_t n = diff_facts(original, facts, &arena, d), faults;

	count.mutants++;
	count.told[change]++;
	cert_faults(facts_certificate(facts), FAULT_MALFORMED, &faults, NULL);
	count.malformed += faults > 0;
	for (size_t i = 0; i < n; i++) {
		count.of[d[i].field]++;
		count.encoding_only += d[i].encoding_only;
	}
	if (n == 0) {
		print_message(
		    "%s: %s at octet %zu passes unseen\n", path, change_names[change], offset);
		count.unseen++;
	}
	if (n == 1 || (n == 2 && d[1].field == FIELD_DER_RESIDUAL))
		count.only_by[d[0].field]++;
	arena_finish(&arena);
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
		for (int i = 0; i < FIELD_N; i++) {
			enum value_kind kind = facts_get(original, (enum field)i)->kind;

			count.there[i] += kind != VALUE_NULL && kind != VALUE_MALFORMED;
		}
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

struct files {
	char **paths;
	size_t n, cap;
};

static void
list_folder(struct files *files, const char *folder)
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
		if (S_ISDIR(st.st_mode)) {
			list_folder(files, path);
		} else if (st.st_size < 65536 && st.st_size > 0) {
			if (files->n == files->cap) {
				files->cap = 2 * files->cap + 64;
				files->paths =
				    mem_grow(files->paths, files->cap, sizeof(*files->paths));
			}
			files->paths[files->n++] = mem_strdup(path);
		}
	}
	if (n >= 0)
		free(entries);
}

/* Spread evenly over all, so that they are of all kinds; the same ones in every run. */
static void
mutate_folder(const char *folder)
{
	struct files files = {0};
	size_t before = count.certificates, stride;

	list_folder(&files, folder);
	stride = files.n > files_most ? files.n / files_most : 1;
	for (size_t from = 0; from < stride; from++) {
		for (size_t i = from; i < files.n; i += stride) {
			if (count.certificates - before < files_most)
				mutate_file(files.paths[i]);
		}
	}
	for (size_t i = 0; i < files.n; i++)
		free(files.paths[i]);
	free(files.paths);
}

static void
test_no_silent_difference(void **state)
{
	for (int i = 0; i < folders_n; i++)
		mutate_folder(folders[i]);
	print_message("# %zu mutants of %zu certificates; %zu malformed, %zu told by der_residual, "
		      "%zu as encoding only; unseen: %zu\n",
	    count.mutants, count.certificates, count.malformed, count.of[FIELD_DER_RESIDUAL],
	    count.encoding_only, count.unseen);
	for (int i = 0; i < CHANGES; i++)
		print_message("#   %s: %zu\n", change_names[i], count.told[i]);
	assert_true(count.certificates >= 60);
	assert_int_equal(count.unseen, 0);
}

static const char *
others(enum field field)
{
	for (size_t i = 0; i < sizeof(told_by) / sizeof(told_by[0]); i++) {
		if (told_by[i].field == field)
			return told_by[i].by;
	}
	return NULL;
}

/* Otherwise the test above would hold for any code. */
static void
test_each_row_is_needed(void **state)
{
	for (int i = 0; i < FIELD_N; i++) {
		const char *by = others((enum field)i);

		if (field_table[i].source != SOURCE_CERTIFICATE)
			continue;
		print_message("# without %s: %zu mutants of %zu unseen%s%s\n", field_table[i].name,
		    count.only_by[i], count.of[i], by != NULL ? "; the others are told by " : "",
		    by != NULL ? by : "");
		if (by == NULL && (count.there[i] > 0 || i == FIELD_DER_RESIDUAL))
			assert_true(count.only_by[i] > 0);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_silent_difference), cmocka_unit_test(test_each_row_is_needed)};

	folders = (const char **)argv + 1;
	folders_n = argc - 1;
	if (folders_n > 2 && strcmp(folders[0], "-n") == 0) {
		files_most = strtoul(folders[1], NULL, 10);
		folders += 2;
		folders_n -= 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
