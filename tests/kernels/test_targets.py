"""For which processors kernels are compiled."""

from __future__ import annotations

import pytest

targets = pytest.importorskip("alexnet.kernels.targets", exc_type=ImportError)


@pytest.fixture
def compiled_for(monkeypatch):
    def ask(**settings: object) -> bool:
        defaults = {"CPU_NAME": None, "CPU_FEATURES": None, "ENABLE_AVX": 1, "DISABLE_JIT": 0}
        for name, value in {**defaults, **settings}.items():
            monkeypatch.setattr(targets.numba.config, name, value)
        return targets.compiles_for("avx2")

    return ask


@pytest.mark.parametrize("name", ["haswell", "skylake-avx512", "znver3", "x86-64-v3"])
def test_processors_with_avx2_are_known_by_name(compiled_for, name):
    assert compiled_for(CPU_NAME=name)


@pytest.mark.parametrize("name", ["generic", "x86-64", "nehalem", "sandybridge", "core2"])
def test_other_processors_are_left_to_another_way(compiled_for, name):
    assert not compiled_for(CPU_NAME=name)


def test_features_that_are_asked_for_decide(compiled_for):
    assert compiled_for(CPU_FEATURES="+sse4.2,+avx2")
    assert not compiled_for(CPU_FEATURES="+sse4.2,-avx2")


def test_nothing_is_compiled_where_numba_does_not(compiled_for):
    assert not compiled_for(DISABLE_JIT=1)
    assert not compiled_for(ENABLE_AVX=0)
