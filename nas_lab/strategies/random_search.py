"""Random search: the baseline that every strategy has to beat."""

from nas_lab._arguments import whole_number
from nas_lab.spaces.base import Arch
from nas_lab.strategies.base import SeededStrategy


class RandomSearch(SeededStrategy):
    """Draw architectures uniformly and learn nothing (Li & Talwalkar 2019, arXiv:1902.07638)."""

    def ask(self, n: int) -> list[Arch]:
        """Draw ``n`` architectures; the same one may come again."""
        rng = self.next_rng()
        return [self.space.sample(rng) for _ in range(whole_number("n", n))]
