#include "idn.h"

#include <idn2.h>
#include <string.h>

#include "store/base/late.h"

static struct late idn2 = LATE_LIBIDN2;

#define NAME_MAX_LEN 253 /* octets of a host name: RFC 1035 section 3.1 */

bool
idn_append_unicode(struct buf *out, const char *name, size_t len)
{
	char text[NAME_MAX_LEN + 1], *unicode = NULL;
	bool other;

	if (len > NAME_MAX_LEN || memchr(name, '\0', len) != NULL ||
	    memmem(name, len, "xn--", 4) == NULL)
		return false;
	memcpy(text, name, len);
	text[len] = '\0';
	if (LATE(idn2, idn2_to_unicode_8z8z)(text, &unicode, 0) != IDN2_OK)
		return false;
	other = strcmp(unicode, text) != 0;
	if (other)
		buf_append_text(out, unicode);
	LATE(idn2, idn2_free)(unicode);
	return other;
}
