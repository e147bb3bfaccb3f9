"""The hub's settings come from the environment, and a bad one is named."""

from pathlib import Path

import pytest

from ruid_hub.app import run_hub
from ruid_hub.errors import BadSettings, StateUnusable
from ruid_hub.settings import load_settings


def test_the_environment_fills_the_settings_and_options_win() -> None:
    settings = load_settings({"RUID_SITE_NAME": "Museum", "RUID_HTTP_PORT": "81", "HOME": "/"}, http_port=82)
    assert (settings.site_name, settings.http_port, settings.bind) == ("Museum", 82, "127.0.0.1")


@pytest.mark.parametrize(
    ("variable", "value"), [("RUID_HTTP_PORT", "web"), ("RUID_NODE_PORT", "70000"), ("RUID_LOG_LEVEL", "loud")]
)
def test_a_bad_setting_is_named(variable: str, value: str) -> None:
    with pytest.raises(BadSettings, match=variable) as refused:
        load_settings({variable: value})
    assert refused.value.exit_code == 78


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"RUID_OIDC_ISSUER": "http://login.example.org"}, "RUID_OIDC_ISSUER"),
        ({"RUID_OIDC_CLIENT_ID": ""}, "RUID_OIDC_CLIENT_ID"),
        ({"RUID_OIDC_ROLES": ""}, "RUID_OIDC_ROLES"),
        ({"RUID_OIDC_ROLES": "admins=emperor"}, "RUID_OIDC_ROLES"),
        ({"RUID_OIDC_REACH": "site:north"}, "RUID_OIDC_REACH"),
        ({"RUID_SETUP_CODE": "short"}, "RUID_SETUP_CODE"),
        ({"RUID_ACCESS": "demonstration", "RUID_TRUSTED_PROXIES": "10.0.0.0/8"}, "RUID_TRUSTED_PROXIES"),
    ],
)
def test_what_lets_people_in_is_checked_at_the_start(variables: dict[str, str], named: str) -> None:
    good = {
        "RUID_OIDC_ISSUER": "https://login.example.org",
        "RUID_OIDC_CLIENT_ID": "hub",
        "RUID_OIDC_ROLES": "*=viewer",
    }
    assert load_settings(good).oidc_claim == "groups"
    with pytest.raises(BadSettings, match=named):
        load_settings(good | variables)


def test_a_demonstration_lets_in_only_who_knows_its_own_secret() -> None:
    given = {"RUID_JOIN_FILE": "/join/secret"}
    assert load_settings(given).joining_file == "/join/secret"
    assert load_settings(given | {"RUID_ACCESS": "demonstration"}).joining_file == "/join/secret.demonstration"
    assert load_settings({"RUID_ACCESS": "demonstration"}).joining_file == ""


def test_a_folder_that_cannot_hold_the_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateUnusable, match="RUID_STATE_DIR") as refused:
        run_hub(load_settings({"RUID_STATE_DIR": str(tmp_path / "file")}))
    assert refused.value.exit_code == 73


@pytest.mark.parametrize(("variable", "value"), [("RUID_ENGINE", "crystal-ball"), ("RUID_WEB_DIR", "/nowhere")])
def test_what_only_the_start_can_check_is_named_too(tmp_path: Path, variable: str, value: str) -> None:
    settings = load_settings(
        {variable: value, "RUID_STATE_DIR": str(tmp_path), "RUID_HTTP_PORT": "0", "RUID_NODE_PORT": "0"}
    )
    with pytest.raises(BadSettings, match=variable):
        run_hub(settings)
