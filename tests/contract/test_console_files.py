"""The console's files: signing keys that only their owner reads, and a console.toml that is read without mercy."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from edge_agent.console.__main__ import main
from edge_agent.console.keyfile import load_key, make_key
from edge_agent.console.settings import settings_of
from edge_agent.errors import BadData, ConfigError
from edge_agent.trust import signing
from edge_agent.trust.certificate import make_key as make_device_key


def test_a_key_is_its_owner_s_alone_and_stays(tmp_path: Path) -> None:
    made = make_key("ada", tmp_path)
    path = Path(made.file)
    before = path.read_bytes()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signing.public_bytes(load_key(path)) == base64.b64decode(made.public)
    assert signing.key_id(base64.b64decode(made.public)) == made.id
    with pytest.raises(ConfigError, match="already"):
        make_key("ada", tmp_path)
    assert path.read_bytes() == before


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    made = Path(make_key("ada", tmp_path).file)
    made.chmod(0o640)
    with pytest.raises(ConfigError, match="by others"):
        load_key(made)
    for name, data in (("text", b"x"), ("huge", b"x" * 5000), ("device", make_device_key())):
        path = tmp_path / name
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(BadData):
            load_key(path)
    with pytest.raises(ConfigError):
        load_key(tmp_path / "gone")


def test_the_verb_prints_how_stations_trust_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["key", "fleet", "--role", "acknowledge"]) == 0
    assert "edge-agent trust add fleet " in capsys.readouterr().out
    assert main(["key", "fleet"]) == 78
    assert main(["key", "../fleet"]) == 2
    assert main(["watch", "--broker", "mqtt://127.0.0.1", "--ack", "fleet.key"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.key"]


def test_a_file_names_the_way_and_what_is_typed_wins(tmp_path: Path) -> None:
    file = tmp_path / "console.toml"
    file.write_text('[broker]\nurl = "mqtts://broker.plant"\nca = "ca.pem"\nroot = "plant/a"\n')
    way = settings_of(file, {"url": None, "root": "plant/b", "certificate": "c.pem", "key": "k.pem"})

    assert (way.host, way.port, way.root) == ("broker.plant", 8883, "plant/b")
    assert (way.ca, way.certificate, way.key) == (str(tmp_path / "ca.pem"), "c.pem", "k.pem")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[broker]\nurll = "mqtts://x"\n', "console.toml:2: broker.urll: there is no such key"),
        ("[broker]\nurl = 7\n", "console.toml:2: broker.url: must be"),
        ('[broker]\nurl = "http://x"\n', "console.toml:2: broker.url: must be"),
        ('[brokers]\nurl = "mqtts://x"\n', "console.toml:1: brokers: there is no such key"),
        ("[broker\n", "console.toml:1:"),
        ("", "no broker is named"),
        ('[broker]\nurl = "mqtt://broker.plant"\n', "must begin with mqtts://"),
        ('[broker]\nurl = "mqtts://x"\nkey = "k.pem"\n', "broker.certificate: must stand together with broker.key"),
    ],
)
def test_what_is_wrong_with_it_is_said_with_line_and_key(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "console.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        settings_of(file, {})
    assert reason in caught.value.message
    assert "uplink." not in caught.value.message + caught.value.hint


def test_what_is_typed_wrongly_is_said_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'^--broker must be .*not "http://x"'):
        settings_of(None, {"url": "http://x"})
    with pytest.raises(ConfigError, match="cannot be read"):
        settings_of(tmp_path / "gone.toml", {})
