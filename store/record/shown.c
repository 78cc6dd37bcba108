#include "shown.h"

#include <string.h>

struct hash
shown_by_probe(const struct evidence *e)
{
	const char *status = e->reported_status, *signature = e->server_signature;
	struct buf text = {0};
	struct hash id;

	if (e->chain_n > 0)
		return hash_chain(e->chain, e->chain_n);
	if (status == NULL)
		buf_printf(&text, "outcome\n%s", outcome_name(e->outcome));
	else
		buf_printf(&text, "reported\n%zu %s\n%s", strlen(status), status,
		    signature != NULL ? signature : "");
	id = hash_sha256(text.data, text.len);
	buf_finish(&text);
	return id;
}
