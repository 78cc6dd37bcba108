#include "roots.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "differ/certificate/cert.h"
#include "differ/certificate/input.h"
#include "store/base/mem.h"

/* "5ed36f99.0" */
static bool
is_hashed_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] != '\0' &&
	       strspn(name + 9, "0123456789") == strlen(name + 9);
}

static int
look_into(struct roots *r, struct err *err)
{
	DIR *dir = opendir(r->path);
	struct dirent *entry;

	if (dir == NULL)
		return err_system(err, errno, "%s", r->path);
	r->kind = ROOTS_DIRECTORY;
	while (r->kind == ROOTS_DIRECTORY && (entry = readdir(dir)) != NULL)
		if (is_hashed_name(entry->d_name))
			r->kind = ROOTS_HASHED;
	closedir(dir);
	return 0;
}

int
roots_init(struct roots *r, const char *path, struct err *err)
{
	struct stat st;
	int rc = 0;

	*r = (struct roots){.path = mem_strdup(path)};
	if (stat(path, &st) != 0)
		return err_system(err, errno, "%s: no roots", path);
	if (S_ISDIR(st.st_mode))
		rc = look_into(r, err);
	/* What a hashed directory holds is looked at when it is asked for. */
	if (rc == 0 && r->kind != ROOTS_HASHED && roots_hash(r, err) == NULL)
		rc = err != NULL ? err->code : ERR_INPUT;
	return rc;
}

void
roots_finish(struct roots *r)
{
	free(r->path);
	free(r->names);
	*r = (struct roots){0};
}

static void
add_name(struct roots *r, const struct buf *der, const struct cert *cert)
{
	(void)der;
	if (r->names_n == r->names_cap) {
		r->names_cap = r->names_cap > 0 ? 2 * r->names_cap : 256;
		r->names = mem_grow(r->names, r->names_cap, sizeof(*r->names));
	}
	r->names[r->names_n++] = hash_sha256(cert->certificate.p, cert->certificate.len);
}

/* Its certificates; what else stands in it is passed over, as OpenSSL does. */
static void
read_file(struct roots *r, struct input *in, roots_each *each, void *ctx)
{
	while (input_next(in)) {
		struct cert cert;

		cert_init(&cert, in->der.data, in->der.len, in->trusted);
		if (cert.certificate.len > 0 && cert.part[CERT_KEY].state == PART_OK) {
			add_name(r, &in->der, &cert);
			if (each != NULL)
				each(ctx, &in->der, in->trusted);
		}
		cert_finish(&cert);
	}
}

static int
read_directory(struct roots *r, struct input *in, roots_each *each, void *ctx, struct err *err)
{
	DIR *dir = opendir(r->path);
	struct dirent *entry;
	struct buf path = {0};

	if (dir == NULL)
		return err_system(err, errno, "%s", r->path);
	while ((entry = readdir(dir)) != NULL) {
		struct err unreadable = {0};

		if (entry->d_name[0] == '.' ||
		    (r->kind == ROOTS_HASHED && !is_hashed_name(entry->d_name)))
			continue;
		buf_clear(&path);
		buf_printf(&path, "%s/%s", r->path, entry->d_name);
		if (input_open(in, buf_text(&path), &unreadable) >= 0)
			read_file(r, in, each, ctx);
	}
	closedir(dir);
	buf_finish(&path);
	return 0;
}

static int
by_bytes(const void *a, const void *b)
{
	return hash_compare(a, b);
}

/* Of all names, each once. */
static struct hash
hash_names(struct roots *r)
{
	size_t n = 0;

	qsort(r->names, r->names_n, sizeof(*r->names), by_bytes);
	for (size_t i = 0; i < r->names_n; i++)
		if (n == 0 || hash_compare(&r->names[n - 1], &r->names[i]) != 0)
			r->names[n++] = r->names[i];
	return hash_sha256(r->names, n * sizeof(*r->names));
}

int
roots_read(struct roots *r, roots_each *each, void *ctx, struct err *err)
{
	struct input in = {0};
	int rc = 0;

	r->names_n = 0;
	if (r->kind != ROOTS_FILE)
		rc = read_directory(r, &in, each, ctx, err);
	else if ((rc = input_open(&in, r->path, err)) >= 0)
		read_file(r, &in, each, ctx);
	input_finish(&in);
	if (rc >= 0 && r->names_n == 0)
		rc = err_set(err, ERR_INPUT,
		    "%s: no certificate in it; --roots takes a file of PEM or a directory of such "
		    "files",
		    r->path);
	if (rc >= 0) {
		r->hash = hash_names(r);
		r->has_hash = true;
	}
	free(r->names);
	r->names = NULL;
	r->names_n = r->names_cap = 0;
	return rc < 0 ? rc : 0;
}

const struct hash *
roots_hash(struct roots *r, struct err *err)
{
	if (!r->has_hash && roots_read(r, NULL, NULL, err) < 0)
		return NULL;
	return &r->hash;
}
