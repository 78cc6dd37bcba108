#include "importer.h"
#include "store/record/json.h"

static int
take(struct importer *im, const char *line, size_t len, void *ctx, struct err *err)
{
	struct json_record record;
	int rc = json_parse(&record, line, len, err);

	if (rc != 0)
		return rc;
	switch (record.type) {
	case JSON_RECORD_CERTIFICATE:
		rc = importer_certificate(im, record.der.data, record.der.len, NULL, err);
		break;
	case JSON_RECORD_DNS:
		rc = importer_dns(im, &record.series, &record.answer, err);
		break;
	case JSON_RECORD_OBSERVATION:
		rc = importer_observation(im, &record.series, &record.observation, err);
		break;
	}
	json_record_finish(&record);
	return rc;
}

int
import_jsonl(struct store *store, const char *path, const struct import_hooks *hooks,
    struct import_counts *counts, struct err *err)
{
	static const struct importer_format format = {.take = take};

	return importer_run(store, path, &format, NULL, hooks, counts, err);
}
