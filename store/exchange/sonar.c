#include "sonar.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/base64.h"
#include "store/base/clock.h"
#include "store/base/text.h"

#define SHA1_HEX (2 * HASH_SHA1_LEN)

/* ---- names of files ------------------------------------------------------------------------- */

/* n digits at p as a number; -1 if they are none. */
static int64_t
digits(const char *p, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = 10 * v + p[i] - '0';
	}
	return v;
}

static int64_t
time_of(const char *name)
{
	bool hyphens = strlen(name) >= 10 && name[4] == '-' && name[7] == '-';
	const char *month = name + (hyphens ? 5 : 4), *rest;
	int64_t y, m, d, second, time_ms;
	char *end;

	if (strlen(name) < 8 || (y = digits(name, 4)) < 0 || (m = digits(month, 2)) < 0 ||
	    (d = digits(month + (hyphens ? 3 : 2), 2)) < 0 ||
	    !clock_from_civil((int)y, (int)m, (int)d, 0, 0, 0, &time_ms))
		return INT64_MIN;
	rest = name + (hyphens ? 10 : 8);
	if (*rest == '-' && digits(rest + 1, 1) >= 0) {
		second = strtoll(rest + 1, &end, 10);
		/* The same day, or the next where the scan went on past midnight. */
		if (*end == '-' && second >= time_ms / 1000 - 86400 &&
		    second < time_ms / 1000 + 2 * 86400)
			return second * 1000;
	}
	return *rest == '_' || *rest == '-' ? time_ms : INT64_MIN;
}

void
sonar_file_of(struct sonar_file *file, const char *path)
{
	static const struct {
		const char *word;
		enum sonar_kind kind;
	} kinds[] = {{"certs", SONAR_CERTS}, {"hosts", SONAR_HOSTS}, {"endpoints", SONAR_ENDPOINTS},
	    {"names", SONAR_NAMES}};
	const char *slash = strrchr(path, '/');
	char name[256], *last, *port;
	int64_t v;

	*file = (struct sonar_file){.time_ms = INT64_MIN};
	path = slash != NULL ? slash + 1 : path;
	if (strlen(path) >= sizeof(name))
		return;
	strcpy(name, path);
	name[strcspn(name, ".")] = '\0';
	file->time_ms = time_of(name);
	if ((last = strrchr(name, '_')) == NULL)
		return;
	*last++ = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(last, kinds[i].word) == 0)
			file->kind = kinds[i].kind;
	port = strrchr(name, '_');
	v = port != NULL && strlen(port + 1) <= 5 ? digits(port + 1, strlen(port + 1)) : 0;
	if (v > 0 && v <= UINT16_MAX)
		file->port = (uint16_t)v;
}

/* ---- lines ---------------------------------------------------------------------------------- */

struct field {
	const char *p;
	size_t len;
};

/* Up to three fields, blanks and quotes around them taken away; 0 if there are more. */
static size_t
split(struct field fields[3], const char *line, size_t len)
{
	size_t n = 0;

	for (const char *p = line, *end = line + len;; p++) {
		const char *comma = memchr(p, ',', (size_t)(end - p)), *stop;

		if (n == 3)
			return 0;
		stop = comma != NULL ? comma : end;
		while (p < stop && (*p == ' ' || *p == '"'))
			p++;
		while (stop > p && (stop[-1] == ' ' || stop[-1] == '"'))
			stop--;
		fields[n++] = (struct field){p, (size_t)(stop - p)};
		if (comma == NULL)
			return n;
		p = comma;
	}
}

static bool
parse_sha1(const struct field *f, uint8_t out[HASH_SHA1_LEN])
{
	char text[SHA1_HEX + 1];

	if (f->len != SHA1_HEX)
		return false;
	memcpy(text, f->p, SHA1_HEX);
	text[SHA1_HEX] = '\0';
	return text_parse_hex(text, out, HASH_SHA1_LEN);
}

static int
parse_certificate(
    struct sonar_line *out, struct buf *der, const struct field *base64, struct err *err)
{
	uint8_t found[HASH_SHA1_LEN];

	out->is_certificate = true;
	buf_clear(der);
	if (base64->len == 0 || !base64_decode(der, base64->p, base64->len))
		return err_set(err, ERR_INPUT, "the second field is no base64");
	hash_sha1(der->data, der->len, found);
	if (memcmp(found, out->sha1, HASH_SHA1_LEN) != 0)
		return err_set(
		    err, ERR_INPUT, "the first field is not the SHA-1 of the certificate");
	return 0;
}

static bool
parse_address(const struct field *f, struct ip *ip)
{
	char text[IP_TEXT_MAX];

	if (f->len == 0 || f->len >= sizeof(text) || memchr(f->p, '\0', f->len) != NULL)
		return false;
	memcpy(text, f->p, f->len);
	text[f->len] = '\0';
	return ip_parse(ip, text);
}

int
sonar_parse(struct sonar_line *out, struct buf *der, const char *line, size_t len, struct err *err)
{
	struct field fields[3];
	size_t n = split(fields, line, len);
	int64_t port;

	*out = (struct sonar_line){0};
	if (n == 2 && parse_sha1(&fields[0], out->sha1))
		return parse_certificate(out, der, &fields[1], err);
	if (n < 2 || !parse_address(&fields[0], &out->address))
		return err_set(err, ERR_INPUT,
		    "neither SHA1,BASE64 nor ADDRESS[,PORT],SHA1: no line of Sonar's");
	if (!parse_sha1(&fields[n - 1], out->sha1))
		return err_set(err, ERR_INPUT, "the last field is no SHA-1");
	if (n == 2)
		return 0;
	port = fields[1].len > 0 && fields[1].len <= 5 ? digits(fields[1].p, fields[1].len) : -1;
	if (port < 1 || port > UINT16_MAX)
		return err_set(err, ERR_INPUT, "the second field is no port");
	out->port = (uint16_t)port;
	return 0;
}
