#include "dice.h"

#include <sys/random.h>
#include <unistd.h>

#include "store/base/clock.h"

void
dice_init(struct dice *dice)
{
	/* Where the system has none yet (GRND_NONBLOCK), clock and process will do. */
	if (getrandom(&dice->state, sizeof(dice->state), GRND_NONBLOCK) != sizeof(dice->state))
		dice->state = (uint64_t)clock_now_ms() << 20 ^ (uint64_t)getpid();
	dice->state |= 1;
}
