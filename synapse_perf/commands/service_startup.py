"""How long does a service take from the order to start it until it is ready?"""

from __future__ import annotations

from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.service_options import ServiceOptions


def service_startup(*, service: ServiceOptions, common: CommonOptions) -> int:
    """Time the start of a service, from the order until its health URL says that it is ready, seen from outside."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.profile_choice import profile_of
    from synapse_perf.commands.service_request import check_common, service_request
    from synapse_perf.commands.service_run import ServiceRun

    check_outputs(common)
    check_common(common)
    baseline = load_baseline(common, "service-startup")
    profile = profile_of(common)
    run = ServiceRun(profile, service_request(service, profile.service_startup), common)
    return run.dry_run() if common.dry_run else run.measure(baseline)
