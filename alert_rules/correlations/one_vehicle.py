"""Can several reads of one plate be of one vehicle? The probability that some of them contradict it.

Each read is right with a probability of its own, or else it is another vehicle's plate, misread. The reads that are
right must be a drive that one vehicle can have made. So a single read in the wrong place is most likely a misread,
and the probability that all is in order after all falls with the number of reads that would have to be wrong: two
vehicles with one plate contradict each other again and again.

The sum over all choices of right reads takes the time of the pairs, as a drive is possible where each leg is (the
forward algorithm: L. R. Rabiner, "A Tutorial on Hidden Markov Models", Proceedings of the IEEE 77(2), 1989).
"""

from collections.abc import Sequence


def contradiction(right: Sequence[float], pairs: Sequence[Sequence[float]]) -> float:
    """Probability that the right reads among these are not of one vehicle.

    For two reads: the product of both being right and of the pair's contradiction.

    Args:
        right: for each read in order of time, the probability that it is of this plate.
        pairs: for each read and each one before it, in order, the probability that one vehicle is not at both.
    """
    ends: list[float] = []  # that the reads so far are in order, and the right one among them is the latest
    none = 1.0  # that none has been right so far
    for sure, row in zip(right, pairs, strict=True):
        possible, wrong_since = none, 1.0
        for before in range(len(ends) - 1, -1, -1):
            possible += ends[before] * wrong_since * (1.0 - row[before])
            wrong_since *= 1.0 - right[before]
        ends.append(sure * possible)
        none *= 1.0 - sure
    in_order, wrong_since = none, 1.0
    for before in range(len(ends) - 1, -1, -1):
        in_order += ends[before] * wrong_since
        wrong_since *= 1.0 - right[before]
    return min(1.0, max(0.0, 1.0 - in_order))
