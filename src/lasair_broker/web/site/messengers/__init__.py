"""Pages of gravitational waves, neutrinos and bursts, and of their possible counterparts."""

__all__: list[str] = []
