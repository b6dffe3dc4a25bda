"""What the tests of Penstock and of the functions share: no test fails because the machine is busy."""

from hypothesis import HealthCheck, settings

# By default Hypothesis fails a test of which one example takes more than 200 ms, or whose examples are made slowly.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
