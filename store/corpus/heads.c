#include "heads.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "page.h"
#include "store/base/buf.h"

#define NUMBER_AT (off_t)(PAGE_HEADER + offsetof(struct page_head, number))
#define TRIES 100

static bool
read_both(int fd, unsigned page_octets, uint64_t numbers[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (pread(fd, &numbers[i], sizeof(numbers[i]),
			(off_t)i * page_octets + NUMBER_AT) != (ssize_t)sizeof(numbers[i]))
			return false;
	return true;
}

bool
heads_read(const char *dir, unsigned page_octets, uint64_t numbers[2])
{
	struct buf path = {0};
	uint64_t again[2];
	bool ok = false;
	int fd;

	if (sizeof(size_t) != 8)
		return false;
	buf_printf(&path, "%s/data.mdb", dir);
	fd = open(buf_text(&path), O_RDONLY | O_CLOEXEC);
	buf_finish(&path);
	if (fd < 0)
		return false;
	/* A commit may come between the two. */
	for (int i = 0; i < TRIES && !ok; i++)
		ok = read_both(fd, page_octets, numbers) && read_both(fd, page_octets, again) &&
		     memcmp(numbers, again, sizeof(again)) == 0;
	close(fd);
	return ok;
}

bool
heads_plausible(const uint64_t numbers[2])
{
	if (numbers[0] == 0 && numbers[1] == 0)
		return true; /* nothing was ever written */
	return numbers[0] % 2 == 0 && numbers[1] % 2 == 1 &&
	       (numbers[0] + 1 == numbers[1] || numbers[1] + 1 == numbers[0]);
}
