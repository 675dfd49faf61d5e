"""By which numbers is growth told from noise? Every threshold of the leak verdict, each with its reason.

The form of the rule comes from a study of seven synthetic workloads (quiet, large blocks, native blocks, fragmentation,
a cache that fills, threads, a mix) in about 500 processes. What that study measured holds for its two looks and not for
these numbers: the floor of pages, the longer looks and what makes growth steady were set later, on model switches and
simulated caches. The error rates of the rule as it stands are those of tests/bench/leak_rates.py, by its digest.
P-values alone are worthless here: the live heap has so little noise that a drift of a hundred bytes is significant. The
floor does the work, significance only guards it.
"""

from __future__ import annotations

# Iterations that are judged, after the warm-up: a first look, three that are each twice as long, and a last one. A
# steady leak of memory is looked at up to the fourth, since a cache of 128 entries, the default of lru_cache, is full
# there and was not in the third; of what a system counts so many are seldom kept, and the third is enough. The last is
# for what grows by chance, whose pace is known half as well as it is long: four times as long, twice as well.
LOOKS = (20, 40, 80, 160, 640)
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
ONE_STEP_SHARE = 0.5  # of the whole growth in one iteration: that is a lazy initialisation, not a leak

# A leak keeps its pace, a bounded cache slows down while it fills. The burden of the proof is the leak's: the second
# half has to grow surely faster than behind a cache that fills with this time constant, in iterations. Where the keys
# of a cache come by chance its growth is a random walk, so the proof counts with that; of caches with time constants of
# 50 to 100, judged by halves without errors, 1 to 40 % were called leaks.
SLOWEST_CACHE = 150.0
STEADY_CONFIDENCE = 0.90  # two-sided, of the slopes of the halves and of the end, which have fewer points
STEADY_ERRORS = 1.645  # standard errors that the second half's lead must be worth: 95 %, one-sided
# Growth by chance: single iterations add much more or less than the mean. Keys that come by chance are seldom equally
# popular; by Zipf's law with an exponent of 1.5 a cache's entries grow with time to the power 2/3 until it is full, so
# that the second half keeps 0.74 of the first's pace, however long the look. Judged as what grows evenly is, and after
# 80 iterations, 1 to 37 % of such caches with 64 to 256 entries were called leaks.
CHANCE_VARIATION = 0.3  # standard deviation of the growth in one iteration, as a share of its mean
CHANCE_SHARE = 0.75  # of the first half's pace that the second has to beat
CHANCE_ERRORS = 2.326  # 99 %
WANDER_SHARE = 0.125  # of the series: over so many iterations a wandering level moves further than a wobbling one
# And it must not be surely slower: single iterations of the second half, against so much of those of the first.
SLOWING_SHARE = 0.95
SLOWING_ALPHA = 0.01
END_SHARE = 0.2  # of the series, its end: a cache that has just been filled no longer grows there
END_LEAST = 0.5  # of the first half's slope that the end may have

SMALLEST_FACTOR = 1.1  # of the floor: found in every run by injecting leaks into the quiet workload
# The smallest slope that is found with 95 % at this alpha lies 3.97 standard errors above; three times that, since the
# plain formula gave 58 KB and 50 KB where 100 KB and 150 KB were true.
SMALLEST_ERRORS = 3.97
SMALLEST_MARGIN = 3.0

FREE_SHARE = 0.5  # of the free memory that a longer look may use, by the growth of the one before
WARM_UP_FLOORS = 4.0  # growth that has ended, or came at once, is worth telling from so many times the floor on
ENDED_SHARE = 0.1  # of the growth in the first half: so much in the second, and it has ended
RETAINED_BYTES = 1024**2  # what trimming gives back in an iteration's middle case before it is worth a look of its own
# A cache that tells its bound, and was emptied after the hunt. What is left of the growth may be a leak beside it.
FILLING_SHARE = 0.9  # of the growth that emptying such caches has to give back for what they got with each call
PAGES_OVER_HEAP = 1.5  # growth of anonymous memory that goes with that of the live heap: pages hold fragments too
