# SPDX-License-Identifier: Apache-2.0
"""The HTTP face of the API: URLs to handlers, errors to ``Status`` objects. Nothing is decided here."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from aiohttp import web

from kubernetes_api.errors import ApiError, bad_request, status
from kubernetes_api.representation import many, one, wants_metadata_only
from kubernetes_api.resources import VERSION, api_groups, api_versions, core_resources, resource_named
from kubernetes_api.rest import Request
from kubernetes_api.streams import is_set

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler

    from kubernetes_api.control import Control
    from kubernetes_api.objects import Object
    from kubernetes_api.rest import Rest
    from kubernetes_api.store import Store
    from kubernetes_api.streams import Logs, Watches

_MAX_BODY = 3 << 20
"""What etcd and the API server accept, roughly; Airflow once met it: a pod above it is refused with 413."""


class Server:
    """All routes of one cluster."""

    def __init__(self, store: Store, rest: Rest, watches: Watches, logs: Logs, control: Control) -> None:
        self._store, self._rest, self._watches, self._logs, self._control = store, rest, watches, logs, control

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[_errors_as_status], client_max_size=_MAX_BODY)
        for path, document in (
            ("/version", VERSION),
            ("/api", api_versions()),
            ("/apis", api_groups()),
            ("/api/v1", core_resources()),
        ):
            app.router.add_get(path, _constant(document))
            app.router.add_get(f"{path}/", _constant(document))
        for path in ("/healthz", "/livez", "/readyz"):
            app.router.add_get(path, _healthy)
        app.router.add_post("/_sim/{action}", self._act)
        for prefix in ("/api/v1/namespaces/{namespace}/{resource:(?!status$)[^/]+}", "/api/v1/{resource}"):
            app.router.add_route("*", prefix, self._collection)
            app.router.add_route("*", prefix + "/{name}", self._object)
            app.router.add_route("*", prefix + "/{name}/{subresource}", self._subresource)
        return app

    async def _collection(self, http: web.Request) -> web.StreamResponse:
        request = await _request(http)
        metadata_only = wants_metadata_only(http.headers.get("Accept", ""))
        if http.method == "GET" and is_set(request.query, "watch"):
            return await _stream(http, self._watches.open(request, metadata_only=metadata_only), "application/json")
        if http.method == "GET":
            items = self._rest.items(request)
        elif http.method == "POST":
            return _json(self._rest.create(request), 201)
        elif http.method == "DELETE":
            items = self._rest.delete_all(request)
        else:
            raise _no_such_method(http)
        return _json(many(request.resource, items, self._store.revision, metadata_only=metadata_only))

    async def _object(self, http: web.Request) -> web.StreamResponse:
        request = await _request(http)
        metadata_only = wants_metadata_only(http.headers.get("Accept", ""))
        if http.method == "GET" and is_set(request.query, "watch"):
            return await _stream(http, self._watches.open(request, metadata_only=metadata_only), "application/json")
        if http.method == "DELETE":
            return _json(self._rest.delete(request))
        return _json(one(self._read_or_write(http, request), metadata_only=metadata_only))

    async def _subresource(self, http: web.Request) -> web.StreamResponse:
        request = await _request(http)
        name = http.match_info["subresource"]
        if name not in (request.resource.subresources or {}):
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        if name == "log" and http.method == "GET":
            lines = self._logs.open(self._rest.read(request), request.query)
            return await _stream(http, lines, "text/plain")
        if name == "eviction" and http.method == "POST":
            return _json(self._rest.evict(request), 201)
        if name == "status":
            return _json(self._read_or_write(http, request, name))
        raise _no_such_method(http)

    def _read_or_write(self, http: web.Request, request: Request, part: str = "") -> Object:
        if http.method == "GET":
            return self._rest.read(request)
        if http.method == "PUT":
            return self._rest.replace(request, part)
        if http.method == "PATCH":
            return self._rest.patch(request, part)
        raise _no_such_method(http)

    async def _act(self, http: web.Request) -> web.StreamResponse:
        return _json(self._control.act(http.match_info["action"], await http.json()))


async def _request(http: web.Request) -> Request:
    resource = resource_named(http.match_info["resource"])
    namespace = http.match_info.get("namespace") or (None if resource.namespaced else "")
    name = http.match_info.get("name", "")
    return Request(resource, namespace, name, dict(http.query), await _body(http), http.content_type)


async def _body(http: web.Request) -> object:
    text = await http.text()
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as wrong:
        raise bad_request(f"the body of the request is not JSON, the only format this API reads: {wrong}") from wrong


async def _stream(http: web.Request, parts: AsyncIterator[bytes], content_type: str) -> web.StreamResponse:
    """Send parts as they come, until there are no more or the client has left."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    response.enable_chunked_encoding()
    await response.prepare(http)
    with contextlib.suppress(ConnectionError):
        async for part in parts:
            await response.write(part)
        await response.write_eof()
    return response


def _json(body: object, code: int = 200) -> web.Response:
    return web.json_response(body, status=code)


def _constant(document: object) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return _json(document)

    return answer


async def _healthy(_: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


def _no_such_method(http: web.Request) -> ApiError:
    message = f"the server does not allow this method on the requested resource: {http.method}"
    return ApiError(405, "MethodNotAllowed", message)


@web.middleware
async def _errors_as_status(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as refusal:
        return _json(refusal.status(), refusal.code)
    except web.HTTPException as refusal:
        reason = "NotFound" if refusal.status == 404 else "BadRequest"
        message = "the server could not find the requested resource" if refusal.status == 404 else refusal.reason
        return _json(status("Failure", refusal.status, reason=reason, message=message), refusal.status)
