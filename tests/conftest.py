"""What every test shares: how Hypothesis searches on machines that are busy with other things."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not how good the product is; bench/ is for speed.
settings.register_profile("chainward", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("chainward")
