"""Correlations: rules over several sightings, in event time. `docs/correlations.md` says what they mean.

A correlation's decisions are those of its operators (`operator`), which see the events of one group in order and never
look at a clock. The driver keeps events until time has passed them, so what fires depends on the set of events and not
on the order in which they came.
"""
