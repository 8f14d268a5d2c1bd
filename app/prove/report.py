"""What a proof has shown, for people and for programs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.prove.scene import Counted
from app.prove.storm import Told


@dataclass(frozen=True)
class Check:
    """One sentence, whether it holds, and the names of what breaks it."""

    name: str
    sentence: str
    holds: bool
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class Report:
    database: str
    buyers: int
    places: int
    clients: int
    told: Told
    counted: Counted
    checks: Sequence[Check]

    @property
    def proves(self) -> bool:
        return all(check.holds for check in self.checks)

    @property
    def per_second(self) -> float:
        """Holds answered in a second, the refused ones too, while others looked and bought."""
        return len(self.told.hold_seconds) / self.told.seconds if self.told.seconds else 0.0

    def ms(self, share: float) -> float:
        """The time within which that share of the holds was answered, in milliseconds."""
        times = sorted(self.told.hold_seconds)
        return times[min(len(times) - 1, int(share * len(times)))] * 1000 if times else 0.0

    def as_text(self) -> str:
        """A page of plain text; the last line is the verdict."""
        errors = ", ".join(f"{times} × {what}" for what, times in self.told.errors.most_common()) or "none"
        rows = [
            (f"{self.buyers:,} buyers", f"{self.clients} at once, for {self.places:,} places on {self.database}"),
            ("sold", f"{self.counted.sold:,}"),
            ("held", f"{self.counted.held:,}"),
            ("refused", f"{self.told.refused:,} (sold out)"),
            ("errors", f"{errors}; answers of 500 and above: {self.told.server_errors}"),
            ("a hold took", f"{self.ms(0.5):.0f} ms (p50), {self.ms(0.95):.0f} ms (p95), {self.ms(0.99):.0f} ms (p99)"),
            ("holds", f"{self.per_second:,.0f} a second"),
        ]
        lines = [f"{name:<14} {value}" for name, value in rows]
        lines += ["", *(_line(check) for check in self.checks), ""]
        return "\n".join([*lines, "Proved." if self.proves else "Not proved."])

    def as_json(self) -> str:
        found: dict[str, Any] = {
            "proves": self.proves,
            "database": self.database,
            "buyers": self.buyers,
            "places": self.places,
            "clients": self.clients,
            "sold": self.counted.sold,
            "held": self.counted.held,
            "refused": self.told.refused,
            "errors": dict(self.told.errors),
            "server_errors": self.told.server_errors,
            "hold_ms": {name: round(self.ms(share), 1) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))},
            "holds_per_second": round(self.per_second, 1),
            "checks": [
                {"name": c.name, "sentence": c.sentence, "holds": c.holds, "examples": [*c.examples]} for c in self.checks
            ],
        }
        return json.dumps(found, indent=2, ensure_ascii=False)


def _line(check: Check) -> str:
    examples = f" ({', '.join(check.examples)})" if check.examples else ""
    return f"{'✓' if check.holds else '✗'} {check.name:<4} {check.sentence}{examples}"
