"""For which processors numba compiles: the one at hand, or one that its settings name."""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numba

__all__ = ["Feature", "compiles_for", "compiles_for_arm64"]

Feature = str
"""As LLVM names it: "avx2", "fma", "avx512f", "avx512bw"."""

# Typed as Any: numba's annotations lack its settings.
_config: Any = numba.config  # pyright: ignore[reportPrivateImportUsage]

_WITH_AVX2 = (
    *("haswell", "broadwell", "skylake", "cascadelake", "cooperlake", "cannonlake", "icelake"),
    *("rocketlake", "tigerlake", "alderlake", "raptorlake", "sapphirerapids", "emeraldrapids"),
    *("graniterapids", "znver", "core-avx2", "x86-64-v3", "x86-64-v4"),
)
_WITH_AVX512 = (
    *("skylake-avx512", "skx", "cascadelake", "icelake", "sapphirerapids", "x86-64-v4"),
    *("znver4", "znver5"),
)
_NAMES = {"avx2": _WITH_AVX2, "fma": _WITH_AVX2, "avx512f": _WITH_AVX512, "avx512bw": _WITH_AVX512}


def compiles_for(feature: Feature) -> bool:
    """Whether numba compiles for x86 processors that have a feature; not where it does not compile.

    Args:
        feature: one of those above.
    """
    if not _triple().startswith("x86_64") or _config.DISABLE_JIT:
        return False
    if _config.CPU_FEATURES is not None:
        return f"+{feature}" in _config.CPU_FEATURES.split(",")
    if _config.CPU_NAME not in (None, "host"):
        return str(_config.CPU_NAME).startswith(_NAMES[feature])
    features: Any = llvmlite.binding.get_host_cpu_features()
    return bool(_config.ENABLE_AVX and features.get(feature, False))


def compiles_for_arm64() -> bool:
    """Whether numba compiles for processors of ARM with 64 bits."""
    return _triple().startswith(("aarch64", "arm64")) and not _config.DISABLE_JIT


def _triple() -> str:
    return llvmlite.binding.get_process_triple()
