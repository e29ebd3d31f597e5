"""What is being inspected and what is known of it: a recipe's bundle, its knowledge, and the judge of both."""

from __future__ import annotations

from edge_agent.config import RecipeConfig
from edge_agent.errors import ConfigError, StateDamaged
from edge_agent.inspection.encode import load_bundle
from edge_agent.inspection.judge import Judge
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.store import KnowledgeStore, Learned
from edge_agent.runtime.disk import Disk


class Recipe:
    """The active recipe. Reading `judge` is safe from any thread; only one thread may teach.

    Args:
        config: its name, its bundle, how strict to be.
        disk: the state directory.

    Raises:
        ConfigError: the bundle is refused, lacks a modality, or the knowledge was made with another one.
    """

    def __init__(self, config: RecipeConfig, disk: Disk) -> None:
        self.config = config
        self.bundle = load_bundle(config.bundle_dir)
        if missing := set(config.modalities) - {block.modality for block in self.bundle.blocks}:
            raise ConfigError(
                f"bundle {self.bundle.name} knows nothing of {' and '.join(sorted(missing))}",
                hint="leave it out of [recipe] modalities, or name another bundle in [recipe] bundle",
            )
        self._store = KnowledgeStore(disk, config.name, self.bundle)
        self.learned, self._damage = self._store.load()
        self.judge = self._judge_from(self.learned)

    @property
    def damage(self) -> list[StateDamaged]:
        """What was found damaged when the knowledge was loaded."""
        return self._damage

    def lesson_learned(self, lesson: Lesson) -> tuple[Learned, Judge]:
        """Solve and save what is known with `lesson`; may take some 10 ms and touches the disk.

        Nothing changes for the line before `promote`.

        Args:
            lesson: every variant of it encoded.

        Returns:
            What is known then, and the judge of it.

        Raises:
            BadData: no example could be learned.
            Unavailable: the disk is full or failing; what was known is still saved.
        """
        learned = lesson.apply(self.learned)
        judge = self._judge_from(learned)
        self._store.save(learned)
        return learned, judge

    def promote(self, learned: Learned, judge: Judge) -> None:
        """Judge with this from now on."""
        self.learned, self.judge = learned, judge

    def _judge_from(self, learned: Learned) -> Judge:
        judge = Judge(self.bundle, learned.knowledge, learned.calibration, self.config)
        judge.prepare()
        return judge
