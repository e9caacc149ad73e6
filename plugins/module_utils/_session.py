# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way to OpenStack's APIs: a session that only reads, unless a remedy opened it for writing."""

from __future__ import annotations

import collections
import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Optional

from ._model import ChangeFailed, Unavailable

TIMEOUT = 30.0
# The options of every module that speaks to the APIs (documented in the fragment stackmend.openstack.cloud).
ARGUMENTS: dict[str, dict[str, Any]] = {
    "cloud": {"type": "str"},
    "clouds_file": {"type": "path"},
    "api_timeout": {"type": "float", "default": TIMEOUT},
}
# Nobody's cloud has more pages of a thousand than this; a server whose "next" never ends is cut off here.
MAX_PAGES = 10_000
_VERSIONS = {"compute": "2", "identity": "3", "image": "2", "network": "2", "placement": "1"}


class BadCloud(Exception):
    """A cloud that clouds.yaml does not describe, or openstacksdk missing; the sentence says what to do."""


class WriteRefused(Exception):
    """A request that would change the cloud, in a run that only reads."""


class Cloud:
    """One cloud of clouds.yaml.

    requests: how many requests were sent, by method, token issue included as "TOKEN".
    """

    def __init__(self, region: Any, requests: collections.Counter[str], name: str) -> None:
        self._region = region
        self._session = region.get_session()
        self.requests = requests
        self.name = name
        self._reason: Optional[str] = None
        self._lock = threading.Lock()
        self._access: Any = None

    @property
    def access(self) -> Any:
        """The token's keystoneauth access info; Unavailable when keystone gives none.

        Keystone is asked once: what made the first attempt fail is the answer to all further ones.
        """
        with self._lock:
            if self._access is None and self._reason is None:
                try:
                    self._access = self._session.auth.get_access(self._session)
                except Exception as error:
                    self._reason = _sentence("identity", self.name, error)
            if self._reason is not None:
                raise Unavailable(self._reason)
            return self._access

    @property
    def project_id(self) -> str:
        return self.access.project_id or ""

    @property
    def is_admin(self) -> bool:
        """Whether the token carries a role that OpenStack's default policies let see every project."""
        return "admin" in {name.lower() for name in self.access.role_names}

    @property
    def service_types(self) -> set[str]:
        """The types of the services that the catalogue has."""
        return {entry["type"] for entry in self.access.service_catalog.catalog}

    def client(self, service: str) -> Any:
        """A keystoneauth adapter for a service, as clouds.yaml wants it (interface, region, overrides).

        openstacksdk's own proxies hide why an endpoint cannot be reached ("No endpoint data found").
        """
        from keystoneauth1.adapter import Adapter

        region, version = self._region, _VERSIONS[service]
        return Adapter(
            session=self._session,
            service_type=region.get_service_type(service),
            service_name=region.get_service_name(service),
            interface=region.get_interface(service),
            region_name=region.get_region_name(service),
            endpoint_override=region.get_endpoint(service),
            min_version=version,
            max_version=f"{version}.latest",
        )

    def newest_microversion(self, service: str, wanted: str) -> str:
        """The microversion that is wanted, or the newest that the service has below it; Unavailable when it has none."""
        from openstack import utils

        self.access  # noqa: B018 - a cloud without a token gives one reason, not one per service
        try:
            newest = utils.maximum_supported_microversion(self.client(service), wanted)
        except Exception as error:
            raise Unavailable(_sentence(service, self.name, error)) from error
        if newest is None:
            # It did not answer, or is too old to say; asking for something tells which.
            self.get(service, "/")
            raise Unavailable(f"the {service} service of cloud {self.name} does not say which microversions it has")
        return str(newest)

    def request(
        self,
        method: str,
        service: str,
        path: str,
        *,
        microversion: Optional[str] = None,
        client: Any = None,
        **options: Any,
    ) -> Any:
        """Send one request to a service ("image", "compute", "placement", ...) and return the response.

        client: the adapter that `client` gave before; who asks often keeps it.
        Raises Unavailable when the service cannot be reached or answers with 5xx, 401 or 403.
        """
        self.access  # noqa: B018 - a cloud without a token gives one reason, not one per service
        try:
            response = (client or self.client(service)).request(
                path, method, microversion=microversion, raise_exc=False, **options
            )
        except (WriteRefused, Unavailable):
            raise
        except Exception as error:
            raise Unavailable(_sentence(service, self.name, error)) from error
        if response.status_code >= 500 or response.status_code in (401, 403):
            raise Unavailable(
                f"the {service} service of cloud {self.name} answered {method} {path.split('?')[0]} "
                f"with {response.status_code}"
            )
        return response

    def get(self, service: str, path: str, **options: Any) -> dict[str, Any]:
        """GET a JSON document; Unavailable for any answer but 2xx."""
        return self._document(self.request("GET", service, path, **options), service, path)

    def _document(self, response: Any, service: str, path: str) -> dict[str, Any]:
        if not response.ok:
            raise Unavailable(
                f"the {service} service of cloud {self.name} answered GET {path.split('?')[0]} "
                f"with {response.status_code}"
            )
        try:
            document: dict[str, Any] = response.json()
        except ValueError as error:
            raise Unavailable(f"the {service} service of cloud {self.name} answered GET {path} without JSON") from error
        return document

    def find(self, service: str, path: str, **options: Any) -> Optional[dict[str, Any]]:
        """GET a JSON document, None where there is none (404); Unavailable for any other answer but 2xx."""
        response = self.request("GET", service, path, **options)
        return None if response.status_code == 404 else self._document(response, service, path)

    def change(
        self, method: str, service: str, path: str, failure: str, *, also: Collection[int] = (), **options: Any
    ) -> Any:
        """Send a request that changes something; the response, which is 2xx or has a status of `also`.

        failure: what is said first when it does not succeed. Raises ChangeFailed.
        """
        try:
            response = self.request(method, service, path, **options)
        except Unavailable as error:
            raise ChangeFailed(f"{failure}: {error}") from error
        if not response.ok and response.status_code not in also:
            raise ChangeFailed(f"{failure}: the {service} service answered {response.status_code}")
        return response

    def pages(
        self, service: str, path: str, key: str, *, params: Mapping[str, Any], microversion: Optional[str] = None
    ) -> Iterator[dict[str, Any]]:
        """Every item of a paged collection, in the styles of glance ("next") and nova ("<key>_links")."""
        page = path
        query: Optional[Mapping[str, Any]] = params
        for _page in range(MAX_PAGES):
            document = self.get(service, page, params=query, microversion=microversion)
            yield from document[key]
            links = [link["href"] for link in document.get(key + "_links", ()) if link["rel"] == "next"]
            page, query = (links[0] if links else document.get("next") or ""), None
            if not page:
                return
        raise Unavailable(f"the {service} service of cloud {self.name} did not come to the end of {path}")


def connect(
    name: Optional[str], clouds_file: Optional[str] = None, *, writable: bool = False, timeout: float = TIMEOUT
) -> Cloud:
    """The cloud of that name, from `clouds_file` or from where openstacksdk looks; nothing is sent yet.

    writable: let requests other than GET and HEAD pass; only a module that applies a remedy asks for it.
    timeout: seconds that one request may take to connect, and to answer.
    Raises BadCloud.
    """
    try:
        import openstack.config
        import openstack.exceptions
        from keystoneauth1 import session as keystone_session
    except ImportError as error:
        raise BadCloud(
            f"openstacksdk cannot be imported ({error}); install it for the Python that runs this module "
            "(on the control node: pip install openstacksdk)"
        ) from error

    requests: collections.Counter[str] = collections.Counter()
    counting = threading.Lock()  # several threads may read at once

    class Session(keystone_session.Session):  # type: ignore[misc]  # keystoneauth1 has no types
        """Counts requests, and refuses to send those that could change something."""

        def request(self, url: str, method: str, **options: Any) -> Any:
            token = method == "POST" and url.rstrip("/").endswith("/auth/tokens")
            if not (writable or token or method in ("GET", "HEAD")):
                raise WriteRefused(f"{method} {url.split('?')[0]} was refused: this run only reads")
            with counting:
                requests["TOKEN" if token else method] += 1
            return super().request(url, method, **options)

    try:
        config = openstack.config.OpenStackConfig(
            config_files=[clouds_file] if clouds_file else None, session_constructor=Session
        )
        # Without any clouds.yaml openstacksdk makes up an entry "defaults".
        known = sorted(set(config.get_cloud_names()) - {"defaults"})
        if not name and "envvars" not in known:
            raise BadCloud("no cloud is named: set stackmend_cloud to an entry of clouds.yaml (--cloud NAME)")
        if name and name not in known:
            _check_yaml(clouds_file or config.config_filename)
            if not known:
                places = clouds_file or "the current directory, ~/.config/openstack and /etc/openstack"
                raise BadCloud(f"there is no clouds.yaml with a cloud {name!r}: looked in {places}")
            raise BadCloud(
                f"there is no cloud {name!r} in {clouds_file or config.config_filename}; it has {', '.join(known)}"
            )
        region = config.get_one(cloud=name or "envvars", api_timeout=timeout)
    except openstack.exceptions.SDKException as error:
        raise BadCloud(f"the entry {name!r} of clouds.yaml cannot be used: {_first_line(error)}") from error
    except (OSError, ValueError) as error:
        raise BadCloud(f"clouds.yaml cannot be read: {_first_line(error)}") from error
    return Cloud(region, requests, name or "envvars")


def open_cloud(params: Mapping[str, Any], *, writable: bool = False) -> Cloud:
    """The cloud that a module's options (ARGUMENTS) name; as connect."""
    return connect(params["cloud"], params["clouds_file"], writable=writable, timeout=params["api_timeout"])


def _check_yaml(path: Optional[str]) -> None:
    """openstacksdk passes over a file that is no YAML without a word."""
    import os

    import yaml

    if path and os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            try:
                yaml.safe_load(file)
            except yaml.YAMLError as error:
                where = getattr(error, "problem_mark", None)
                line = f" (line {where.line + 1})" if where else ""
                raise BadCloud(f"{path} is not valid YAML{line}: correct it") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _sentence(service: str, cloud: str, error: BaseException) -> str:
    """What a failed request means, without the request's body or headers."""
    from keystoneauth1 import exceptions

    where = f"the {service} service of cloud {cloud}"
    if isinstance(error, exceptions.Unauthorized):
        return (
            f"keystone of cloud {cloud} refused the credentials of clouds.yaml (401): check user, password and project"
        )
    if isinstance(error, exceptions.ConnectTimeout):
        return f"{where} did not answer in time"
    if isinstance(error, exceptions.ConnectFailure):
        return f"{where} refused the connection or was cut off"
    if isinstance(error, (exceptions.EndpointNotFound, exceptions.CatalogException)):
        return f"{where} has no endpoint in the catalogue that these credentials may use"
    return f"{where} could not be used: {_first_line(error)}"
