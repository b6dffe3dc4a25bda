"""What the tests of rendering share."""

from functools import partial
from pathlib import Path

import pytest
from penstock.render import kubernetes

from tests.rendering import Render, render_one


@pytest.fixture
def rendered(tmp_path: Path) -> Render:
    """Renders one function; see `render_one`."""
    return partial(render_one, tmp_path)


@pytest.fixture
def deployed(tmp_path: Path) -> Render:
    """Renders one function for plain Kubernetes; see `render_one`."""
    given = kubernetes.KubernetesSettings("registry.example/penstock:1")
    return partial(render_one, tmp_path, platform=lambda plans: kubernetes.render(plans, given))
