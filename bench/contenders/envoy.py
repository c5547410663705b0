"""Envoy without the module: the floor, and the least that a filter in Lua and one beside Envoy (ext_proc) cost."""

import os
import pathlib
import shlex
import shutil

import yaml

from .base import ROOT, TOOLS, Contender, Start, Unavailable, run
from .sluice import ENVIRONMENT, SLUICE, Empty, envoy, rendered


def without_module(document: dict) -> dict:
    """What `sluice render` wrote, with the module's filters taken out: listener, route, retries, clusters and access log stay."""
    manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"] = [each for each in manager["http_filters"] if each["name"] != "sluice.policy"]
    route = manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    aggregates = []
    for cluster in document["static_resources"]["clusters"]:
        options = cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
        if "http_filters" in options:
            aggregates.append(cluster["name"])
            options["http_filters"] = [each for each in options["http_filters"] if each["name"] != "sluice.provider"]
    # The module chooses the cluster by a header; here there is one.
    del route["cluster_header"]
    route["cluster"] = aggregates[0]
    document.pop("bootstrap_extensions", None)
    return document


class Bare(Contender):
    name = "envoy"
    title = "Envoy, no filter"
    settings = "what `sluice render` writes, without the module's filters: the same listener, route, clusters, buffers and access log; `--concurrency 1`"
    source = "docs/envoy.md"
    core = True

    def install(self) -> None:
        if not SLUICE.exists():
            raise Unavailable("target/release/sluice is not built: `make build`")

    def version(self) -> str:
        return run(envoy(), "--version").strip().split("version: ")[-1]

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        policy = Empty().policy(vendor, port)
        return start(folder, without_module(rendered(folder, policy)), port)


class Lua(Bare):
    name = "envoy-lua"
    title = "Envoy, hello in Lua"
    settings = "the same with `envoy.filters.http.lua`, which adds a header to the request and one to the answer"
    source = "Envoy's Lua filter"
    core = False
    SCRIPT = """
function envoy_on_request(handle) handle:headers():add("x-hello", "request") end
function envoy_on_response(handle) handle:headers():add("x-hello", "response") end
"""

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        document = without_module(rendered(folder, Empty().policy(vendor, port)))
        manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        kind = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
        lua = {"@type": kind, "default_source_code": {"inline_string": self.SCRIPT}}
        manager["http_filters"].insert(0, {"name": "lua", "typed_config": lua})
        return start(folder, document, port)


class ExtProc(Bare):
    name = "envoy-ext-proc"
    title = "Envoy, hello by ext_proc"
    settings = "the same with `envoy.filters.http.ext_proc` and a processor in Go on a Unix socket and the same processor core, which gets headers and the whole request and adds a header each way"
    source = "Envoy's ext_proc filter; bench/ext_proc"
    core = False

    def install(self) -> None:
        super().install()
        if not shutil.which("go"):
            raise Unavailable("its processor needs Go to be built, which isn't there")
        run("go", "-C", ROOT / "bench/ext_proc", "build", "-o", TOOLS / "ext_proc/ext_proc", ".")

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        document = without_module(rendered(folder, Empty().policy(vendor, port)))
        manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        processing = {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": "processor"}, "timeout": "5s"},
            "processing_mode": {"request_header_mode": "SEND", "request_body_mode": "BUFFERED", "response_header_mode": "SEND"},
        }
        manager["http_filters"].insert(0, {"name": "ext_proc", "typed_config": processing})
        socket = folder / "processor.sock"
        endpoint = {"endpoint": {"address": {"pipe": {"path": str(socket)}}}}
        kind = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        options = {"@type": kind, "explicit_http_config": {"http2_protocol_options": {}}}
        cluster = {
            "name": "processor",
            "type": "STATIC",
            "load_assignment": {"cluster_name": "processor", "endpoints": [{"lb_endpoints": [endpoint]}]},
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        }
        document["static_resources"]["clusters"].append(cluster)
        begun = start(folder, document, port)
        envoy_command = shlex.join(str(part) for part in begun.command)
        processor = shlex.join([str(TOOLS / "ext_proc/ext_proc"), str(socket)])
        begun.command = ["/bin/sh", "-c", f"{processor} & exec {envoy_command}"]
        begun.environment |= {"GOMAXPROCS": "1"}
        return begun


def start(folder: pathlib.Path, document: dict, port: int) -> Start:
    """Envoy with one worker and this configuration."""
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    command = [envoy(), "-c", path, "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
    environment = {"LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}
    return Start(command, f"127.0.0.1:{port}", environment | ENVIRONMENT)
