"""`make asvs` writes docs/asvs.md and says what is still open."""

import sys

from tests.asvs.coverage import PAGE, page, read


def main() -> int:
    coverage = read()
    PAGE.write_text(page(coverage), encoding="utf-8")
    for level in ("L1", "L2", "L3"):
        sys.stdout.write(f"{level}: {len(coverage.shown(level))} shown of {len(coverage.applying(level))} that apply\n")
    complaints = [f"{row.id} {row.title}: nothing shows it" for row in coverage.open]
    complaints += [f"{id} is no requirement that applies: {proofs[0]}" for id, proofs in coverage.unknown.items()]
    complaints += [f"{place} does not exist" for place in coverage.missing_places]
    sys.stdout.write("".join(f"  {line}\n" for line in complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
