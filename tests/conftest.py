"""What holds for all tests."""

from hypothesis import settings

# Deadlines measure the machine: on a busy one a property failed that holds. What is slow is measured in bench/.
settings.register_profile("alpr", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("alpr")
