"""By what is `ui-animation` judged? Two checks of the one target, each on the median over browsers.

Main-thread stalls: none, which is fewer than one in 10 s. The rate that was presented: 95 % of the limit at least, as a
page that misses no frame reads 59.6 to 60.0, since a recording begins and ends between two frames. Where the browser
draws in software the rate is the processor's rather than the page's: it is shown, and never judged.
"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.analyze.targets import Target

UI_ANIMATION = "ui-animation"
STALLS = "main_thread_stalls"
RATE = "frame_rate"
STALLS_LIMIT = 1.0  # in 10 s: any in a recording of up to that is as many or more
SHOWN_SHARE = 0.95  # of the rate that is asked for


def rate_asked(targets: Sequence[Target]) -> float:
    """Frames a second that the target asks for, before anything is allowed for."""
    return next(target.limit for target in targets if target.id == UI_ANIMATION)


def ui_targets(targets: Sequence[Target], *, uses_gpu: bool) -> tuple[Target, ...]:
    """The target of the table as the checks that decide it."""
    rate = rate_asked(targets)
    checks = [Target(UI_ANIMATION, STALLS, "median", STALLS_LIMIT, "in 10 s")]
    if uses_gpu:
        checks.append(
            Target(
                UI_ANIMATION,
                RATE,
                "median",
                SHOWN_SHARE * rate,
                "1/s",
                better="higher",
                labels={"rendering": ("gpu",)},
            )
        )
    return tuple(checks)
