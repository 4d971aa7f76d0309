"""Measured side by side with peers in one run: interleaved rounds, medians, ratios. ``make bench`` prints tables."""
