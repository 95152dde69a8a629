"""How many of what the rules found is true, and how much of what is true they found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.city.traffic import Pass
from bench.city.vehicles import Population
from schemas.events import Alert


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one task.

    Attributes:
        right: alerts that are true; wrong: that are not.
        found: true things that an alert found, of `there`.
    """

    right: int
    wrong: int
    found: int
    there: int

    @property
    def precision(self) -> float:
        """Share of alerts that are true; 1 without alerts."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share of what there was that was found."""
        return self.found / self.there if self.there else 1.0

    def plain(self) -> dict[str, float]:
        """For JSON."""
        return {
            "precision": round(self.precision, 4), "recall": round(self.recall, 4),
            "right": self.right, "wrong": self.wrong, "found": self.found, "there": self.there,
        }  # fmt: skip


class Truth:
    """The passes of a day by event id, and the labels.

    Args:
        by_id: event id to pass.
        population: everybody.
    """

    def __init__(self, by_id: dict[str, Pass], population: Population) -> None:
        self._passes = by_id
        self._population = population

    def watchlist(self, alerts: Iterable[Alert]) -> Score:
        """An alert is true where the vehicle that passed has the listed plate; each pass of a listed vehicle counts."""
        right = wrong = 0
        for alert in alerts:
            (event_id,) = alert.proof.event_ids
            if alert.proof.matched_plate == self._passes[event_id].vehicle.plate:
                right += 1
            else:
                wrong += 1
        listed = self._population.listed
        there = sum(each.vehicle.plate in listed for each in self._passes.values())
        return Score(right, wrong, right, there)

    def clones(self, alerts: Iterable[Alert]) -> Score:
        """An alert is true where its proof has both vehicles of a cloned plate; several for one count one by one."""
        right = wrong = 0
        found = set()
        for alert in alerts:
            vehicles = self._vehicles(alert.proof.event_ids)
            plates = [plate for plate, pair in self._population.clones.items() if vehicles >= set(pair)]
            found.update(plates)
            right, wrong = (right + 1, wrong) if plates else (right, wrong + 1)
        return Score(right, wrong, len(found), len(self._population.clones))

    def convoys(self, alerts: Iterable[Alert]) -> Score:
        """An alert is true where most passes in its proof are those of the two vehicles of a convoy."""
        right = wrong = 0
        found = set()
        for alert in alerts:
            plates = [self._passes[event_id].vehicle.plate for event_id in alert.proof.event_ids]
            pairs = [
                pair
                for pair in self._population.convoys
                if all(plates.count(plate) * 4 > len(plates) for plate in pair)
            ]
            found.update(pairs)
            right, wrong = (right + 1, wrong) if pairs else (right, wrong + 1)
        return Score(right, wrong, len(found), len(self._population.convoys))

    def _vehicles(self, event_ids: Sequence[str]) -> set[int]:
        return {self._passes[event_id].vehicle.number for event_id in event_ids}
