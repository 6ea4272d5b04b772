"""scim2-server's core over its own in-memory storage, put together as its command does, for a server that keeps
connections."""

import secrets

from scim2_models import ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BEARER_TOKEN_SCHEME, BearerTokenApplication
from scim2_server.utils import (
    load_default_resource_types,
    load_default_schemas,
    load_default_service_provider_config,
)

config = load_default_service_provider_config()
config.authentication_schemes = [*(config.authentication_schemes or []), BEARER_TOKEN_SCHEME]
provider = ScimProvider.from_discovery(
    load_default_schemas().values(), load_default_resource_types().values(), config=config
)
scim = BearerTokenApplication(
    InMemoryStorage(),
    provider,
    service=ScimService(provider, secret=secrets.token_urlsafe(32)),
    bearer_tokens=["peer"],
)


def application(environ, start_response):
    """Serves it below /scim, as the others are. It serves /v2 by itself."""
    environ["SCRIPT_NAME"] = "/scim"
    environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/scim")
    return scim(environ, start_response)
