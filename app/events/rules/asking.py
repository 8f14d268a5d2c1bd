"""Pure rules about what buyers are asked at the checkout."""

from dataclasses import dataclass

MOST_QUESTIONS = 20
# Of a question with answers to choose from.
MOST_CHOICES, LONGEST_CHOICE = 50, 200


@dataclass(frozen=True)
class QuestionWish:
    """A question as a manager wants it: `kind` is one of QUESTION_KINDS, `choices` has one answer on each line."""

    label: str
    kind: str
    choices: str
    is_required: bool
    per_ticket: bool


def choices(lines: str) -> list[str]:
    """What can be chosen as an answer: each line that says something, once."""
    return list(dict.fromkeys(line.strip() for line in lines.splitlines() if line.strip()))
