"""``chainward token identity`` against a platform that vouches for anybody, and against one that does not."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.flows.command_line import Desk, running

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS: Final = "[trust]\ndevelopment_issuer = true\n"
CI: Final = "https://ci.example.org/web"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A platform with the development issuer."""
    with running(tmp_path_factory.mktemp("identity"), SETTINGS) as desk:
        yield desk


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.strip().split(".")[1] + "=="))
    return found


def test_the_token_alone_is_printed_and_the_warning_beside_it(place: Desk) -> None:
    done = place.run("token", "identity", "--email", "jane@example.org")
    claims = claims_of(done.out)
    assert (claims["iss"], claims["email"], claims["aud"]) == (f"{place.url}/dev/oidc", "jane@example.org", "sigstore")
    assert "INSECURE" in done.err


def test_a_token_is_written_for_its_owner_alone(place: Desk) -> None:
    told = place.ask("token", "identity", "--subject", CI, "--audience", "other", "-o", "ci.jwt")
    path = place.folder / "ci.jwt"
    assert path.stat().st_mode & 0o777 == 0o600
    claims = claims_of(path.read_text(encoding="utf-8"))
    assert (claims["sub"], claims["aud"]) == (CI, "other")
    assert "id_token" not in told
    assert "access_token" not in told
    assert place.refused("token", "identity", "--subject", CI, "-o", "ci.jwt", status=5) == "output-refused"


def test_a_token_names_one_person(place: Desk) -> None:
    for words in ((), ("--subject", CI, "--email", "jane@example.org")):
        assert "either --subject or --email" in place.run("token", "identity", *words, expect=2).err


def test_what_no_certificate_can_carry_is_refused(place: Desk) -> None:
    done = place.run("token", "identity", "--subject", "just a name", "--json", expect=None)
    assert done.status != 0
    assert done.code == "identity-refused"


def test_a_publisher_cannot_be_somebody_else(place: Desk) -> None:
    publisher = place.holding("publisher", "publisher:**")
    done = publisher.run("token", "identity", "--subject", CI, "--json", expect=None)
    assert done.status != 0
    assert done.code == "access-denied"


def test_each_start_warns_of_the_development_issuer(place: Desk) -> None:
    lines = (place.folder / "platform.log").read_text(encoding="utf-8").splitlines()
    [warned] = [json.loads(line) for line in lines if "INSECURE" in line]
    assert (warned["level"], warned["issuer"]) == ("warning", f"{place.url}/dev/oidc")


def test_a_platform_without_it_says_how_to_get_a_token(desk: Desk) -> None:
    done = desk.run("token", "identity", "--subject", CI, "--json", expect=None)
    assert done.code == "route-unknown"
    assert "development_issuer" in done.json["error"]["hint"]
