#include "target.h"

#include <string.h>

#include "collector/limits.h"
#include "store/base/text.h"
#include "store/record/host.h"

#define FIELDS 5 /* of a CSV line; zgrab2 knows four */

/* The first octets of a line, fit for a message. */
static const char *
quoted(struct buf *out, const char *text)
{
	struct buf *b = out;
	size_t len = strlen(text);

	buf_clear(b);
	text_escape(b, text, len < 80 ? len : 80);
	if (len > 80)
		buf_append_text(b, "...");
	return buf_text(b);
}

static int
bad(struct err *err, const char *text, const char *why)
{
	struct buf b = {0};
	int rc = err_set(err, ERR_INPUT, "\"%s\": %s", quoted(&b, text), why);

	buf_finish(&b);
	return rc;
}

static int
parse_name(struct target *target, const char *name, const char *line, struct err *err)
{
	if (host_normalise(name, target->name, NULL) != 0)
		return bad(err, line, "not a domain or host name");
	return 1;
}

/* ADDRESS[:PORT], an IPv6 address in brackets. */
static bool
parse_endpoint(struct target *target, const char *text)
{
	uint16_t port;

	if (!ip_parse_place(&target->address, &port, text) ||
	    (target->address.family == 6) != (text[0] == '['))
		return false;
	if (port != 0)
		target->port = port;
	return true;
}

static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	text[len] = '\0';
	return text;
}

/* Where the first `wanted` outside of quotes stands (RFC 4180 section 2; a doubled quote is two of
 * them); len if there is none. */
static size_t
find_unquoted(const char *text, size_t len, char wanted)
{
	bool quoted = false;
	size_t at;

	for (at = 0; at < len && (quoted || text[at] != wanted); at++)
		quoted ^= text[at] == '"';
	return at;
}

/* A field of CSV and what stands behind it: blanks around it, perhaps quoted. What is within the
 * quotes is left as it is: a tag may hold anything, and no other field of ours a quote. */
static char *
take_field(char **next)
{
	char *text = *next;
	size_t len = strlen(text), at = find_unquoted(text, len, ',');

	*next = at < len ? text + at + 1 : NULL;
	text[at] = '\0';
	text = trim(text);
	len = strlen(text);
	if (len < 2 || text[0] != '"' || text[len - 1] != '"')
		return text;
	text[len - 1] = '\0';
	return trim(text + 1);
}

static int
parse_csv(struct target *target, char *text, const char *line, struct err *err)
{
	char *field[FIELDS] = {NULL, NULL, NULL, NULL, NULL}, *next = text;
	const char *ip, *domain, *port;
	size_t n = 0;

	while (n < FIELDS && next != NULL)
		field[n++] = take_field(&next);
	if (n == FIELDS)
		return bad(err, line, "more than the four fields IP, DOMAIN, TAG, PORT");
	ip = field[0];
	domain = field[1] != NULL ? field[1] : "";
	port = field[3] != NULL ? field[3] : "";
	if (*port != '\0' && !ip_parse_port(&target->port, port))
		return bad(err, line, "the PORT of IP, DOMAIN, TAG, PORT is none");
	if (*domain == '\0')
		return bad(err, line, "no host name: write HOST@ADDRESS, or ADDRESS, HOST");
	if (*ip == '\0') {
		target->kind = TARGET_MX;
	} else {
		target->kind = TARGET_ADDRESS;
		if (strchr(ip, '/') != NULL)
			return bad(err, line, "a prefix is no address: list its hosts");
		if (!ip_parse(&target->address, ip))
			return bad(err, line, "the IP of IP, DOMAIN, TAG, PORT is none");
	}
	return parse_name(target, domain, line, err);
}

int
target_parse(struct target *target, const char *line, size_t len, struct err *err)
{
	char copy[LIMIT_TARGET_LINE + 1], work[LIMIT_TARGET_LINE + 1], *text, *at;
	struct ip ip;

	*target = (struct target){0};
	if (len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
		line += 3;
		len -= 3;
	}
	len = find_unquoted(line, len, '#');
	while (len > 0 && strchr("\r\n\t ", line[len - 1]) != NULL && line[len - 1] != '\0')
		len--;
	if (len > LIMIT_TARGET_LINE)
		return err_set(err, ERR_INPUT, "longer than %d octets", LIMIT_TARGET_LINE);
	memcpy(copy, line, len);
	copy[len] = '\0';
	if (strlen(copy) != len)
		return bad(err, copy, "has a NUL octet");
	text = trim(copy);
	if (*text == '\0')
		return 0;
	memcpy(work, text, strlen(text) + 1);
	if (strchr(text, ',') != NULL)
		return parse_csv(target, work, text, err);
	if ((at = strchr(work, '@')) != NULL) {
		target->kind = TARGET_ADDRESS;
		*at++ = '\0';
		if (!parse_endpoint(target, at))
			return bad(err, text,
			    "behind the @ must stand an address, IPv6 in brackets, then "
			    "perhaps :PORT");
		return parse_name(target, work, text, err);
	}
	if (ip_parse(&ip, text))
		return bad(err, text, "an address needs its host's name: HOST@ADDRESS");
	if (strncasecmp(work, "mx:", 3) == 0) {
		target->kind = TARGET_MX;
		return parse_name(target, work + 3, text, err);
	}
	return parse_name(target, work, text, err);
}
