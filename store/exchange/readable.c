#include "readable.h"

#include <openssl/err.h>
#include <openssl/x509.h>

bool
readable_certificate(const void *der, size_t len)
{
	const unsigned char *p = der, *end = p + len;
	X509 *certificate = d2i_X509(NULL, &p, (long)len);
	bool readable = certificate != NULL && p == end;

	X509_free(certificate);
	ERR_clear_error();
	return readable;
}
