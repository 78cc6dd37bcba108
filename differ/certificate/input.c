#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "differ/limits.h"
#include "store/base/limits.h"
#include "store/base/mem.h"

static void
rewind_input(struct input *in)
{
	buf_clear(&in->file);
	in->at = in->index = 0;
	in->pem = in->begun = in->trusted = false;
}

void
input_open_bytes(struct input *in, const void *p, size_t len)
{
	rewind_input(in);
	buf_append(&in->file, p, len);
}

int
input_open(struct input *in, const char *path, struct err *err)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = 0;
	int rc = 0;

	rewind_input(in);
	if (fd < 0)
		return err_system(err, errno, "%s: cannot be opened", path);
	do {
		if (in->file.len > DIFFER_FILE_MAX) {
			rc = err_set(err, ERR_LIMIT,
			    "%s: larger than %u MiB; give certificates, one or many", path,
			    DIFFER_FILE_MAX >> 20);
			break;
		}
		n = read(fd, buf_reserve(&in->file, 65536), 65536);
		if (n > 0)
			in->file.len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (rc == 0 && n < 0)
		rc = err_system(err, errno, "%s: cannot be read", path);
	if (!standard)
		close(fd);
	return rc;
}

/* ---- PEM --------------------------------------------------------------------------------- */

static const uint8_t *
find(const struct buf *file, size_t from, const char *text)
{
	if (from >= file->len)
		return NULL;
	return memmem(file->data + from, file->len - from, text, strlen(text));
}

/* The next line that begins a certificate; *body is behind it. */
static bool
find_begin(struct input *in, size_t *body, bool *trusted)
{
	static const char *const labels[] = {
	    "CERTIFICATE-----", "X509 CERTIFICATE-----", "TRUSTED CERTIFICATE-----"};
	static const char begin[] = "-----BEGIN ";
	const uint8_t *p;

	while ((p = find(&in->file, in->at, begin)) != NULL) {
		size_t at = (size_t)(p - in->file.data) + sizeof(begin) - 1;

		in->at = at;
		for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
			size_t len = strlen(labels[i]);

			if (in->file.len - at < len ||
			    memcmp(in->file.data + at, labels[i], len) != 0)
				continue;
			*body = at + len;
			*trusted = i == 2;
			return true;
		}
	}
	return false;
}

static int
base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Up to the padding, or the end. */
static void
decode(struct buf *out, const uint8_t *p, const uint8_t *end)
{
	uint8_t *to = buf_reserve(out, (size_t)(end - p) / 4 * 3 + 3), *start = to;
	int8_t digits[256];
	uint32_t bits = 0;
	unsigned n = 0;

	for (int i = 0; i < 256; i++)
		digits[i] = (int8_t)base64_digit((uint8_t)i);
	for (; p < end && *p != '='; p++) {
		int digit = digits[*p];

		if (digit < 0)
			continue;
		bits = bits << 6 | (uint32_t)digit;
		n += 6;
		if (n >= 8) {
			n -= 8;
			*to++ = (uint8_t)(bits >> n);
		}
	}
	out->len += (size_t)(to - start);
}

bool
input_next(struct input *in)
{
	size_t body;
	bool trusted;
	const uint8_t *end;

	buf_clear(&in->der);
	if (find_begin(in, &body, &trusted)) {
		in->index += in->begun;
		in->pem = in->begun = true;
		in->trusted = trusted;
		end = find(&in->file, body, "-----");
		if (end == NULL)
			end = in->file.data + in->file.len;
		decode(&in->der, in->file.data + body, end);
		in->at = (size_t)(end - in->file.data);
		return true;
	}
	if (in->begun)
		return false;
	in->begun = true;
	buf_append(&in->der, in->file.data, in->file.len);
	return true;
}

void
input_finish(struct input *in)
{
	buf_finish(&in->file);
	buf_finish(&in->der);
}

/* ---- chains ------------------------------------------------------------------------------ */

void
input_chain_add(struct input_chain *chain, const struct buf *der)
{
	const uint8_t *at;

	buf_append(&chain->der, der->data, der->len);
	chain->names = mem_grow(chain->names, chain->n + 1, sizeof(*chain->names));
	chain->certificates =
	    mem_grow(chain->certificates, chain->n + 1, sizeof(*chain->certificates));
	chain->names[chain->n] = hash_sha256(der->data, der->len);
	chain->certificates[chain->n++].len = der->len;
	at = chain->der.data; /* which may have moved */
	for (size_t i = 0; i < chain->n; i++) {
		chain->certificates[i].p = at;
		at += chain->certificates[i].len;
	}
}

int
input_chain_read(struct input_chain *chain, const char *path, struct err *err)
{
	struct input in = {0};
	int rc = input_open(&in, path, err);

	while (rc >= 0 && input_next(&in)) {
		if (chain->n == LIMIT_CHAIN)
			rc = err_set(err, ERR_LIMIT,
			    "%s: more than %d certificates; give one chain", path, LIMIT_CHAIN);
		else
			input_chain_add(chain, &in.der);
	}
	input_finish(&in);
	return rc;
}

void
input_chain_finish(struct input_chain *chain)
{
	buf_finish(&chain->der);
	free(chain->names);
	free(chain->certificates);
	*chain = (struct input_chain){0};
}
