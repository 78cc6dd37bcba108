/*
 * opensmtpd_key: preloaded into Debian 12's OpenSMTPD (6.8.0p2), so that it can sign a handshake.
 *
 * Its process that speaks SMTP has the public half of the key only, with a label by which another
 * process signs. OpenSSL 3 hands its RSA method a copy of the key that has no label any more; the
 * method then signs with the key itself: "missing private key", alert 80 to every client
 * (OpenSMTPD's issue 1171). Here the last label stands in for one that is missing.
 */
#include <dlfcn.h>
#include <stddef.h>

#define LABEL 0

int RSA_set_ex_data(void *rsa, int index, void *data);
void *RSA_get_ex_data(const void *rsa, int index);

static void *label;

int
RSA_set_ex_data(void *rsa, int index, void *data)
{
	int (*next)(void *, int, void *) = dlsym(RTLD_NEXT, "RSA_set_ex_data");

	if (index == LABEL && data != NULL)
		label = data;
	return next(rsa, index, data);
}

void *
RSA_get_ex_data(const void *rsa, int index)
{
	void *(*next)(const void *, int) = dlsym(RTLD_NEXT, "RSA_get_ex_data");
	void *data = next(rsa, index);

	return data == NULL && index == LABEL ? label : data;
}
