"""Fixtures for every test: mock vendors and a gateway in front of them."""

import pytest
from support.gateway import Gateway, policy
from support.vendors import Vendors


@pytest.fixture(scope="session")
def mock_vendors():
    """The vendors, one process for the whole run."""
    with Vendors() as vendors:
        yield vendors


@pytest.fixture
def vendors(mock_vendors):
    """The vendors, with nothing scripted and nothing recorded."""
    mock_vendors.reset()
    return mock_vendors


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    """A gateway with the models `openai`, `anthropic`, `gemini` and `any`. Tests that make a vendor fail again and again
    need one of their own: Envoy ejects such a vendor for a while."""
    with Gateway(policy(mock_vendors)) as gateway:
        yield gateway


@pytest.fixture
def tell(request):
    """Shows a line of figures, of a test that passes too."""
    plugins = request.config.pluginmanager
    reporter, capture = plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    return say
