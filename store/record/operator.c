#include "operator.h"

#include <libpsl.h>
#include <stdio.h>

void
operator_of_host(const char *host, char out[LIMIT_NAME + 1])
{
	const psl_ctx_t *list = psl_builtin();
	const char *domain = list != NULL ? psl_registrable_domain(list, host) : NULL;

	snprintf(out, LIMIT_NAME + 1, "%s", domain != NULL ? domain : host);
}
