"""Plays the contract of legacy-stub against the Python service."""

import json
from pathlib import Path

import pytest

from wire import unmet

CONTRACT = Path(__file__).resolve().parents[2] / "contract"
CASES = [json.loads(file.read_text()) for file in sorted(CONTRACT.glob("*.json"))]


def test_the_contract_is_there():
    assert len(CASES) >= 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(service, case):
    answer = service.send(case["request"])
    override = case.get("fastapi", {})
    wanted = {member: want for member, want in (case["expect"] | override).items() if want is not None}
    assert unmet(wanted, answer) == []
    # An override that is not needed would hide that there is no difference.
    for member in override:
        assert unmet({member: case["expect"][member]}, answer), f"fastapi.{member} is no difference; delete it"
