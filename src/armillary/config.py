"""Settings: what a machine or a group decides once, so that no command has to say it again.

They come, strongest first, from ``ARMILLARY_...`` environment variables and from one TOML file: the one that
``ARMILLARY_CONFIG`` names, else ``armillary.toml`` in the working directory. A command's own options win over both.
This module is the only reader of the environment.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from armillary.errors import OptionError

CONFIG_VARIABLE = "ARMILLARY_CONFIG"
CONFIG_FILE = "armillary.toml"


class Settings(BaseSettings):
    """The settings of this machine; every field is also a key of ``armillary.toml`` and an environment variable."""

    model_config = SettingsConfigDict(env_prefix="ARMILLARY_", extra="forbid", frozen=True, validate_default=True)

    workers: int = Field(default=1, ge=1, description="Threads or processes that a command may use on this machine.")
    executor: Literal["processes", "ray"] = Field(
        default="processes",
        description="Where work in many pieces is done: ``processes`` of this machine, or the workers of a ``ray`` cluster.",
    )
    ray_address: str | None = Field(
        default=None,
        description="The Ray cluster, for the executor ``ray``: ``host:port`` of its head, or ``auto`` for the one that this"
        " machine belongs to, whose CPUs are all used. Unset starts a Ray with ``workers`` CPUs on this machine.",
    )
    progress: bool | None = Field(
        default=None, description="Progress bars on stderr: true, false, or unset for only when stderr is a terminal."
    )
    cache_dir: Path | None = Field(
        default=None, description="Directory for compiled kernels; unset keeps them beside the package when writable."
    )
    omega_m: float = Field(default=0.3, gt=0.0, le=1.0, description="Matter density parameter of a flat universe.")
    h: float = Field(default=1.0, gt=0.0, le=2.0, description="H0 / (100 km/s/Mpc).")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the TOML file."""
        path = config_file()
        sources = (init_settings, env_settings)
        return sources if path is None else (*sources, TomlConfigSettingsSource(settings_cls, path))


def config_file() -> Path | None:
    """The TOML file in force, or None.

    Raises
    ------
    OptionError
        When ``ARMILLARY_CONFIG`` names a file that does not exist.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise OptionError(f"{CONFIG_VARIABLE} names {path}, which is not a file; correct it or unset it")
        return path
    path = Path(CONFIG_FILE)
    return path if path.is_file() else None


def load_settings(**overrides: Any) -> Settings:
    """Read the settings in force; ``overrides`` that are None are ignored.

    Raises
    ------
    OptionError
        A setting is unknown or out of range, or the file is not TOML.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise OptionError(_sentence(error, overrides)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{config_file()} is not valid TOML: {error}") from error


def user_cache_directory() -> Path:
    """Where this user's programs keep what they can make again (``XDG_CACHE_HOME``, else ``~/.cache``)."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "armillary"


def set_kernel_cache(directory: Path) -> None:
    """Let Numba keep compiled kernels in ``directory``; works only before the first kernel is imported."""
    os.environ.setdefault("NUMBA_CACHE_DIR", str(directory))


def _sentence(error: ValidationError, overrides: Mapping[str, Any]) -> str:
    parts, given = [], True
    for item in error.errors(include_url=False):
        name = ".".join(map(str, item["loc"]))
        given &= overrides.get(name) is not None
        if item["type"] == "extra_forbidden":
            parts.append(f"{name} is unknown (known: {', '.join(Settings.model_fields)})")
        else:
            parts.append(f"{name} is {item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}")
    if given:
        return "; ".join(parts)
    return f"settings cannot be used: {'; '.join(parts)}; correct {config_file() or 'ARMILLARY_...'}"
