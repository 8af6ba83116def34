"""Settings: what wins over what, and errors that point at the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.config import Config, ConfigInvalid, Server, load, settings


def _refusal(tmp_path: Path, text: str) -> ConfigInvalid:
    path = tmp_path / "chainward.toml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid) as caught:
        load(path, {})
    assert caught.value.details["file"] == str(path)
    return caught.value


def test_everything_has_a_default() -> None:
    config = load(environ={"HOME": "/home/nobody"})
    assert config.server.host == "127.0.0.1"
    assert config.server.port == 8420
    assert config.hosts == ("127.0.0.1:8420", "localhost:8420")
    assert not config.server.tls


def test_the_data_folder_of_a_user_follows_the_xdg_state_folder() -> None:
    config = load(environ={"XDG_STATE_HOME": "/var/state"})
    assert config.folder == Path("/var/state/chainward")
    assert config.database_url == "sqlite:////var/state/chainward/chainward.db"
    assert config.blobs == Path("/var/state/chainward/blobs")
    assert config.passphrase_file == Path("/var/state/chainward/keys/passphrase")


def test_a_relative_xdg_folder_is_ignored_as_the_standard_demands() -> None:
    assert load(environ={"XDG_STATE_HOME": "state"}).folder == Path.home() / ".local/state/chainward"


def test_the_command_line_wins_over_the_environment_and_the_environment_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[server]\nport = 1001\nhost = "::1"\n[logging]\nlevel = "debug"\n')
    config = load(path, {"CHAINWARD_PORT": "1002", "CHAINWARD_LOG_LEVEL": "error"}, {("server", "port"): 1003})
    assert (config.server.port, config.server.host, config.logging.level) == (1003, "::1", "error")
    assert config.hosts == ("[::1]:1003",)


def test_the_file_in_the_data_folder_is_read_without_being_named(tmp_path: Path) -> None:
    (tmp_path / "chainward.toml").write_text("[server]\nport = 1004\n")
    assert load(None, {"CHAINWARD_DATA": str(tmp_path)}).server.port == 1004
    assert load(None, {}, {("storage", "folder"): tmp_path}).folder == tmp_path


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[server]\nport = 1005\n")
    assert load(None, {"CHAINWARD_CONFIG": str(tmp_path / "other.toml")}).server.port == 1005


def test_paths_in_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[server]\ntls_certificate = "tls/cert.pem"\ntls_key = "/etc/key.pem"\n')
    config = load(path, {})
    assert config.server.tls_certificate == tmp_path / "tls/cert.pem"
    assert config.server.tls_key == Path("/etc/key.pem")
    assert config.server.tls


def test_a_misspelt_setting_is_refused_and_named_with_its_line(tmp_path: Path) -> None:
    problem = _refusal(tmp_path, "# ours\n[server]\nhost = '127.0.0.1'\nprot = 8420\n")
    assert problem.details["line"] == 4
    assert problem.details["key"] == "server.prot"
    assert "no such setting" in problem.message


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    assert _refusal(tmp_path, "\n[serve]\nport = 1\n").details["key"] == "serve"


@pytest.mark.parametrize(
    ("text", "line", "key", "expected"),
    [
        ("[server]\nport = 'many'\n", 2, "server.port", "Expected `int`, got `str`"),
        ("[server]\n\nport = 70000\n", 3, "server.port", "Expected `int` <= 65535"),
        ("server.port = 0\n", 1, "server.port", "Expected `int` >= 1"),
        ("[registry]\nmutable_tags = ['ok/**', 7]\n", 2, "registry.mutable_tags", "Expected `str`"),
        ("[logging]\nlevel = 'loud'\n", 2, "logging.level", "loud"),
        ("[server]\ntls_key = 7\n", 2, "server.tls_key", "Expected `str"),
    ],
)
def test_a_wrong_value_is_refused_with_line_key_and_expectation(
    tmp_path: Path, text: str, line: int, key: str, expected: str
) -> None:
    problem = _refusal(tmp_path, text)
    assert (problem.details["line"], problem.details["key"]) == (line, key)
    assert expected in str(problem.details["expected"])
    assert f":{line}: {key}: " in problem.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\ntls_certificate = 'c.pem'\n", "both or neither"),
        ("[server]\ntls_client_authorities = 'ca.pem'\n", "expected tls_certificate and tls_key"),
        ("[storage]\ndatabase = 'sqlite:///x'\n", "postgresql://"),
        ("[registry]\nmutable_tags = ['ok/**', 'NO']\n", "repository patterns such as shop/**"),
        ("[instance]\nname = 'UPPER'\n", "host name"),
        ("[instance]\nname = 'nodot'\n", "with a dot"),
        (f"[instance]\nname = '{'a.' * 32}a'\n", "at most 64"),
        (f"[instance]\nname = '{'a' * 64}.b'\n", "at most 64"),
        ("[server]\npublic_url = 'trust.example.test'\n", "public_url"),
        ("[server]\npublic_url = 'https://trust.example.test/path'\n", "public_url"),
        ("[server]\npublic_url = 'ftp://trust.example.test'\n", "public_url"),
        ("[instance]\nhosts = ['http://x']\n", "registry.example.org:5000"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in _refusal(tmp_path, text).message


def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert _refusal(tmp_path, "[server]\nport == 1\n").details["line"] == 2


def test_a_missing_and_a_binary_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file"):
        load(tmp_path / "none.toml", {})
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigInvalid, match="not TOML"):
        load(tmp_path / "b.toml", {})
    (tmp_path / "h.toml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(ConfigInvalid, match="at most"):
        load(tmp_path / "h.toml", {})


def test_a_bad_environment_variable_is_named() -> None:
    with pytest.raises(ConfigInvalid, match="CHAINWARD_PORT: expected an integer"):
        load(None, {"CHAINWARD_PORT": "http"})
    with pytest.raises(ConfigInvalid, match=r"command line or environment: server\.port"):
        load(None, {"CHAINWARD_PORT": "99999"})


@given(st.text(max_size=200))
def test_any_text_is_either_a_configuration_or_refused_with_a_code(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("c") / "c.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    refused = None
    try:
        assert isinstance(load(path, {}), Config)
    except ConfigInvalid as problem:
        refused = problem
    assert refused is None or refused.details["file"] == str(path)


def test_every_setting_is_described_and_environment_names_are_unique() -> None:
    found = settings()
    assert len(found) > 15
    assert all(len(setting.description) > 10 for setting in found)
    names = [setting.environment for setting in found if setting.environment]
    assert len(names) == len(set(names))
    assert all(name.startswith("CHAINWARD_") for name in names)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Server().port = 1  # type: ignore[misc]  # that it is frozen is what is tested


GITHUB = (
    '[[trust.issuers]]\nurl = "https://token.actions.githubusercontent.com"\n'
    'type = "ci-provider"\nprovider = "github"\n'
)
DEX = '[[trust.issuers]]\nurl = "https://dex.example.org"\ntype = "email"\n'


def test_issuers_of_identity_tokens_are_read_with_their_providers(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    own = (
        '[trust.providers.forge]\nsubject = "{server}/{job}"\nvalues = {server = "https://forge.example.org"}\n'
        '[trust.providers.forge.extensions]\nbuild_signer_uri = "{server}/{job}"\nrunner_environment = "{runner}"\n'
    )
    forge = '[[trust.issuers]]\nurl = "https://forge.example.org"\ntype = "ci-provider"\nprovider = "forge"\n'
    path.write_text(DEX + GITHUB + forge + 'values = {server = "https://code.example.org"}\n' + own)
    dex, github, forged = load(path, {}).trust.trusted_issuers()
    assert (dex.audience, dex.provider) == ("sigstore", None)
    assert github.provider is not None
    assert github.provider.values == {"server_url": "https://github.com"}
    assert forged.provider is not None
    assert forged.provider.values == {"server": "https://code.example.org"}


@pytest.mark.parametrize(
    ("wrong", "key", "offset", "why"),
    [
        ('type = "magic"\n', "trust.issuers.type", 1, "invalid enum"),
        ('type = "email"\ncolour = 1\n', "trust.issuers.colour", 2, "no such setting"),
        ('type = "email"\nkey_hosts = [1]\n', "trust.issuers.key_hosts", 2, "str"),
        ('type = "spiffe"\n', "trust.issuers", -1, "spiffe_trust_domain"),
        ('type = "ci-provider"\nprovider = "jenkins"\n', "trust.issuers", -1, "buildkite, circleci, github, gitlab"),
        ('type = "email"\nvalues = {server_url = "x"}\n', "trust.issuers", -1, "no provider"),
    ],
)
def test_a_wrong_issuer_is_pointed_at_and_not_the_one_before_it(
    tmp_path: Path, wrong: str, key: str, offset: int, why: str
) -> None:
    before = f"# first\n{DEX}{GITHUB}"
    heading = '[[trust.issuers]]\nurl = "https://other.example.org"\n'
    found = _refusal(tmp_path, before + heading + wrong)
    assert found.details["key"] == key
    assert found.details["line"] == len((before + heading).splitlines()) + max(offset, -1)
    assert why in found.message.lower()


def test_an_issuer_that_is_configured_twice_is_an_error(tmp_path: Path) -> None:
    found = _refusal(tmp_path, DEX + GITHUB + DEX)
    assert "twice" in found.message
    assert found.details["line"] == len((DEX + GITHUB).splitlines()) + 1


def test_a_provider_that_says_too_little_is_an_error(tmp_path: Path) -> None:
    found = _refusal(tmp_path, '[trust.providers.forge]\nsubject = "{a}"\nextensions = {}\n')
    assert "build_signer_uri" in found.message


def test_the_development_issuer_is_off_unless_somebody_asks_for_it(tmp_path: Path) -> None:
    assert not load(environ={"HOME": "/home/nobody"}).trust.development_issuer
    path = tmp_path / "c.toml"
    path.write_text("[trust]\ndevelopment_issuer = true\n")
    assert load(path, {}).trust.development_issuer
