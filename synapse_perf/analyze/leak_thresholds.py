"""By which numbers is growth told from noise? Every threshold of the leak verdict, each with its reason.

They were fitted on seven synthetic workloads (quiet, large blocks, native blocks, fragmentation, a cache that fills,
threads, a mix), in about 500 processes, and frozen before 133 further processes were drawn: no false leak in 84 of
them, leaks of 100 KB an iteration found in 33 of 35. P-values alone are worthless here: the live heap has so little
noise that a drift of a hundred bytes is significant. The floor does the work, significance only guards it.
"""

from __future__ import annotations

# Iterations that are judged, after the warm-up: a first look, and two that are each twice as long.
LOOKS = (20, 40, 80)
WARM_UP_SHARE = 0.15  # of the judged iterations; no false leak with 2 to 8 of 48 discarded, one of 143 with none
WARM_UP_LEAST = 3
LEAST_JUDGED = 10  # a Mann-Kendall test of fewer cannot be trusted at 1 %

# For one sample. In use: interned values, caches of the interpreter and the harness stay below it. Pages: anonymous
# memory comes in pages of 4 KiB with the allocator's fragments between them; switching clean models for 46 times grew
# it by 5.5 KiB each while what was in use grew by 2. Counts: one in ten iterations.
FLOOR_BYTES = 4096.0
FLOOR_PAGES = 16384.0
FLOOR_COUNT = 0.1

ALPHA = 0.01  # one-sided, of each probe: several are judged at once, and the floor and the second look are there too
ALPHA_STILL_GROWING = 0.05  # of the second half alone: enough to stay undecided
CONFIDENCE = 0.95  # of the interval of a slope
STEADY_CONFIDENCE = 0.90  # of the second half's slope, which has half the points
ONE_STEP_SHARE = 0.5  # of the whole growth in one iteration: that is a lazy initialisation, not a leak
STEADY_SHARE = 0.5  # of the first half's slope that the second half must keep: a cache that fills slows down
# In the last look, where it is well known: of caches whose keys come by chance and that fill with a time constant of 20
# to 50 iterations, the second look alone called up to 60 % leaks, since such growth is a random walk.
LAST_STEADY_SHARE = 0.7
END_SHARE = 0.2  # of the series, its end: a cache that has just been filled no longer grows there

SMALLEST_FACTOR = 1.1  # of the floor: found in every run by injecting leaks into the quiet workload
# The smallest slope that is found with 95 % at this alpha lies 3.97 standard errors above; three times that, since the
# plain formula gave 58 KB and 50 KB where 100 KB and 150 KB were true.
SMALLEST_ERRORS = 3.97
SMALLEST_MARGIN = 3.0

FREE_SHARE = 0.5  # of the free memory that a longer look may use, by the growth of the one before
WARM_UP_FLOORS = 4.0  # growth that has ended, or came at once, is worth telling from so many times the floor on
ENDED_SHARE = 0.1  # of the growth in the first half: so much in the second, and it has ended
RETAINED_BYTES = 1024**2  # what trimming gives back in an iteration's middle case before it is worth a look of its own
