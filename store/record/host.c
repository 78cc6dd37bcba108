#include "host.h"

#include <idn2.h>
#include <string.h>

#include "store/base/ip.h"
#include "store/base/late.h"
#include "store/base/text.h"

static struct late idn2 = LATE_LIBIDN2;

/* A label of a normalised name; its end in *end. NULL if there is none. */
static const char *
label_end(const char *p)
{
	const char *start = p;

	if (*p == '-')
		return NULL;
	while ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_')
		p++;
	return p == start || p - start > 63 ? NULL : p;
}

bool
host_valid(const char *name)
{
	const char *p = name, *last = name;

	if (strnlen(name, LIMIT_NAME + 1) > LIMIT_NAME)
		return false;
	for (;; p++) {
		last = p;
		if ((p = label_end(p)) == NULL)
			return false;
		if (*p != '.')
			break;
	}
	return *p == '\0' && strspn(last, "0123456789") != (size_t)(p - last);
}

static int
refuse(const char *text, const char *why, struct err *err)
{
	struct buf shown = {0};

	text_escape(&shown, text, strnlen(text, 256));
	err_set(err, ERR_INPUT, "\"%s\" is no host name: %s", buf_text(&shown), why);
	buf_finish(&shown);
	return ERR_INPUT;
}

static bool
is_ascii(const char *text)
{
	while (*text > 0)
		text++;
	return *text == '\0';
}

void
host_load(void)
{
	late_load(&idn2);
}

int
host_normalise(const char *text, char out[LIMIT_NAME + 1], struct err *err)
{
	char *ascii = NULL;
	const char *name = text;
	size_t len;
	struct ip ip;
	int rc;

	out[0] = '\0';
	if (ip_parse(&ip, text))
		return refuse(text, "it is an address", err);
	if (!is_ascii(text)) {
		rc = LATE(idn2, idn2_to_ascii_8z)(
		    text, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
		if (rc != IDN2_OK)
			return refuse(text, LATE(idn2, idn2_strerror)(rc), err);
		name = ascii;
	}
	len = strlen(name);
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len <= LIMIT_NAME) {
		for (size_t i = 0; i < len; i++)
			out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
		out[len] = '\0';
	}
	if (ascii != NULL)
		LATE(idn2, idn2_free)(ascii);
	if (len > LIMIT_NAME)
		return refuse(text, "it is longer than 253 octets", err);
	if (!host_valid(out)) {
		out[0] = '\0';
		return refuse(text, len == 0 ? "it is empty" : "see RFC 1123 section 2.1", err);
	}
	return 0;
}

bool
host_is_under(const char *host, const char *name)
{
	size_t host_len = strlen(host), name_len = strlen(name);

	if (host_len < name_len || strcmp(host + host_len - name_len, name) != 0)
		return false;
	return host_len == name_len || host[host_len - name_len - 1] == '.';
}
