"""The environment in which clients that know nothing of us use this platform: Heroku's own, git, node, Go, Python."""

import shlex
import sys

from hkcli.backend.home import Home


def client_environment(home: Home, api_url: str, token: str) -> dict[str, str]:
    host = api_url.partition("://")[2]
    bundle = str(home.authority / "bundle.pem")
    return {
        "HEROKU_HOST": api_url,
        "HEROKU_API_KEY": token,
        "HEROKU_LOGIN_HOST": api_url,
        "HEROKU_PARTICLEBOARD_URL": api_url,
        "DISABLE_TELEMETRY": "true",
        "HEROKU_DISABLE_AUTOUPDATE": "true",
        "NODE_EXTRA_CA_CERTS": str(home.authority / "ca.pem"),
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "GIT_SSL_CAINFO": bundle,
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": f"url.{api_url}/.pushInsteadOf",
        "GIT_CONFIG_VALUE_0": f"https://{host}/",
        "GIT_CONFIG_KEY_1": f"credential.{api_url}.helper",
        "GIT_CONFIG_VALUE_1": "",
        "GIT_CONFIG_KEY_2": f"credential.{api_url}.helper",
        "GIT_CONFIG_VALUE_2": f"!{shlex.join([sys.executable, '-m', 'hkcli'])} git:credentials",
    }
