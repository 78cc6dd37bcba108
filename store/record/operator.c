#include "operator.h"

#include <libpsl.h>
#include <pthread.h>
#include <stdio.h>

#include "store/base/late.h"

static struct late psl = LATE_LIBPSL;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const psl_ctx_t *list; /* NULL: libpsl was built without one */
static __typeof__(&psl_registrable_domain) registrable_domain;

static void
load(void)
{
	list = LATE(psl, psl_builtin)();
	registrable_domain = LATE(psl, psl_registrable_domain);
}

void
operator_load(void)
{
	pthread_once(&once, load);
}

void
operator_of_host(const char *host, char out[LIMIT_NAME + 1])
{
	const char *domain;

	operator_load();
	domain = list != NULL ? registrable_domain(list, host) : NULL;
	snprintf(out, LIMIT_NAME + 1, "%s", domain != NULL ? domain : host);
}
