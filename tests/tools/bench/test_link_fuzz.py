"""The fuzzer feeds every decoder, and notices one that breaks."""

import pytest

from ruid_tools.bench import link_fuzz
from ruid_tools.bench.link_fuzz import DecoderBroke, Target, fuzz


def test_every_decoder_survives_a_short_run() -> None:
    fed, growth_mb = fuzz(seconds=2.0, seed=3)
    assert len(fed) == 10
    assert min(fed.values()) > 0
    assert growth_mb < 20


def test_a_decoder_that_breaks_is_named_with_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(frame: bytes) -> object:
        raise IndexError(len(frame))

    monkeypatch.setattr(link_fuzz, "_targets", lambda: [Target("broken", broken, [b"seed"])])
    with pytest.raises(DecoderBroke, match="broken raised IndexError"):
        fuzz(seconds=1.0, seed=3)
