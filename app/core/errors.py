"""What a verb says when it does not do what was asked."""


class Refused(Exception):
    """A refusal with a sentence for the user. Raising it inside a writing block undoes the block."""

    status = 409

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class NotFound(Refused):
    """The thing does not exist, or it is a stranger's: both look the same from outside."""

    status = 404


class NotYours(Refused):
    """The visitor sees the thing but lacks the right to do this to it."""

    status = 403


class ProveAgain(Exception):
    """Something that matters was asked for long after the last proof; the answer asks who it is, and leads back."""


class SetUpSecond(Exception):
    """Something was asked for without the second factor that the shop requires for it."""


class TooMany(Refused):
    """A limit was reached. `retry_after` is in seconds."""

    status = 429

    def __init__(self, sentence: str, *, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Unavailable(Refused):
    """Something outside the shop does not answer; the same request may work later."""

    status = 503
