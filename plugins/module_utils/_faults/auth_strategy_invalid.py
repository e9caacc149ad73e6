# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""auth_strategy_invalid (F10): a service is told to authenticate requests in a way it does not know, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._evidence._oslo_files import Source, normal, refers
from .._evidence.oslo_config import effective
from .._model import Certainty, Evidence, Fault, Finding, Target
from . import _config
from ._config import Service

# pipelines of the paste files that upstream ships (neutron 29 etc/api-paste.ini, glance 33 etc/glance-api-paste.ini)
NEUTRON_PIPELINES = ("keystone", "noauth")
GLANCE_PIPELINES = ("keystone", "caching", "cachemanagement", "keystone+caching", "keystone+cachemanagement")
NOVA_API = r"^nova-(api|metadata|osapi|wsgi)"


class Rule(NamedTuple):
    """Where a service reads its choice, and which values mean what. source says where the values come from."""

    group: str
    option: str
    former: tuple[tuple[str, str], ...]
    values: Sequence[str]
    open_values: Sequence[str]
    source: str
    certainty: str = Certainty.CERTAIN
    readers: str = ""


def rule(name: str, service: Service) -> Optional[Rule]:
    """The rule of a service at its release; None when it has none, or its release is not known."""
    if name == "nova":
        return _nova(service["release"])
    if name == "placement":
        return Rule(
            "api",
            "auth_strategy",
            (("DEFAULT", "auth_strategy"),),
            ("keystone", "noauth2"),
            ("noauth2",),
            "placement/conf/api.py",
        )
    if name == "neutron":
        return _pasted(service, "DEFAULT", "auth_strategy", NEUTRON_PIPELINES, lambda value: value.startswith("noauth"))
    if name == "glance":
        return _pasted(service, "paste_deploy", "flavor", GLANCE_PIPELINES, lambda value: "keystone" not in value)
    return None


def _nova(release: Optional[int]) -> Optional[Rule]:
    if release is None or release >= 32:
        return None
    if release <= 13:
        return Rule(
            "DEFAULT",
            "auth_strategy",
            (),
            ("keystone", "noauth2", "noauth"),
            ("noauth2", "noauth"),
            "nova/image/glance.py",
            readers=r"^nova-(api|metadata|osapi|wsgi|compute)",
        )
    group = "DEFAULT" if release == 14 else "api"
    former = () if release == 14 else (("DEFAULT", "auth_strategy"),)
    return Rule(
        group, "auth_strategy", former, ("keystone", "noauth2"), ("noauth2",), "nova/conf/api.py", readers=NOVA_API
    )


def _pasted(service: Service, group: str, option: str, usual: Sequence[str], is_open: Any) -> Rule:
    paste = service["paste"]
    values = paste["pipelines"] if paste else usual
    return Rule(
        group,
        option,
        (),
        values,
        [value for value in values if is_open(value)],
        paste["path"] if paste else "the paste file that upstream ships",
        Certainty.CERTAIN if paste else Certainty.PROBABLE,
    )


def owns(name: str, section: str, key: str) -> bool:
    """Whether this fault alone speaks of a key of a normalised section; the other faults of configuration leave it."""
    if name == "glance":
        return (section, key) == ("paste_deploy", "flavor")
    places = {"nova": ("DEFAULT", "api"), "placement": ("DEFAULT", "api"), "neutron": ("DEFAULT",)}
    return key == "auth_strategy" and section in places.get(name, ())


def detect(evidence: Evidence) -> Iterator[Finding]:
    target = _config.here(evidence)
    for name, service in _config.services(evidence).items():
        release = service["release"]
        if name == "nova" and release is not None and release >= 32:
            yield from _gone(target, name, service)
        found = rule(name, service)
        if found:
            yield from _judge(target, name, service, found)


def _gone(target: Target, name: str, service: Service) -> Iterator[Finding]:
    """nova 32 and later do not have the option: any value is ignored."""
    for path, found in service["files"].items():
        places = {}
        for entry in found:
            if entry["key"] == "auth_strategy" and normal(entry["section"]) in ("api", "DEFAULT"):
                places[normal(entry["section"])] = entry
        for entry in places.values():
            yield Finding(
                FAULT.id,
                target,
                Certainty.POSSIBLE,
                f"nova {release_of(service)} no longer has the option auth_strategy ({path} line {entry['line']})",
                _config.subject(path, entry["section"], entry["key"]),
                _config.proof(name, service, path, entry, "nothing reads it; removed in nova 32", entry["value"]),
                "no such line (keystone is the only way)",
                entry["value"],
                _config.without_restart([_config.edit(path, entry, "absent")]),
                "low",
                "nothing reads the line, so nothing needs a restart",
            )


def release_of(service: Service) -> str:
    return str(service["version"] or service["release"])


def _judge(target: Target, name: str, service: Service, ruling: Rule) -> Iterator[Finding]:
    seen = set()
    for view in service["views"]:
        raw = effective(service, view).raw(ruling.group, ruling.option, ruling.former)
        if raw is None or raw in seen or refers(raw[0]):
            continue
        seen.add(raw)
        value, source = raw
        if value in ruling.values and value not in ruling.open_values:
            continue
        if not value and name == "glance":
            continue  # an empty flavor is upstream's former default, chosen by leaving the line empty
        if (
            value not in ruling.values
            and ruling.certainty != Certainty.CERTAIN
            and not _config.nearest(value, ruling.values)
        ):
            continue  # without the paste file, a pipeline of the operator's own cannot be told from a mistake
        yield _finding(target, name, service, ruling, value, source)


def _finding(target: Target, name: str, service: Service, ruling: Rule, value: str, source: Source) -> Finding:
    disabled = value in ruling.open_values
    accepted = [v for v in ruling.values if v not in ruling.open_values]
    expected = "keystone" if "keystone" in accepted else (accepted or ["keystone"])[0]
    if name == "glance" and not disabled:
        expected = _config.nearest(value, accepted) or expected
    if disabled:
        summary = f"{name} serves requests without authentication: {ruling.option} = {value}"
        reading = "requests are not authenticated"
    else:
        summary = f"{name} has no authentication {ruling.option} = {value!r}; it knows {', '.join(ruling.values)}"
        reading = (
            "a service that reads it refuses it"
            if name != "nova" or (service["release"] or 14) > 13
            else ("images are asked for without a token")
        )
    common: dict[str, Any] = {
        "certainty": Certainty.CERTAIN if disabled else ruling.certainty,
        "severity": "critical" if disabled else None,
        "expected": expected,
        "actual": value,
    }
    entry = _config.source_entry(service, source.path, source.line) if source.line else None
    if entry is None:
        return Finding(
            FAULT.id,
            target,
            summary=f"{summary} (environment variable {source.path})",
            subject=f"environment {source.path}",
            evidence={"variable": source.path, "accepted": list(ruling.values), "accepted_by": ruling.source},
            reason="the value comes from the environment of the process: change the unit that sets it",
            **common,
        )
    proof = _config.proof(name, service, source.path, entry, reading, value)
    remedy, reason = None, ""
    if disabled and not _has_credentials(service):
        reason = "without a filled [keystone_authtoken] the service would refuse every request; fill it first"
    elif name == "glance" and not _config.nearest(value, accepted):
        reason = f"which pipeline was meant cannot be told; choose one of {', '.join(accepted)}"
    else:
        edits = [_config.edit(source.path, entry, "present", value=expected)]
        # Every program that reads all options when it starts (oslo.service does) is down with a refused value; an
        # accepted one concerns only those that use it.
        refused = not disabled and (name != "nova" or (service["release"] or 0) > 13)
        remedy, reason = _config.with_restart(service, edits, "" if refused else ruling.readers)
    return Finding(
        FAULT.id,
        target,
        summary=f"{summary} ({source.path} line {source.line})",
        subject=_config.subject(source.path, entry["section"], entry["key"]),
        evidence={**proof, "accepted": list(ruling.values), "accepted_by": ruling.source},
        remedy=remedy,
        reason=reason,
        **common,
    )


def _has_credentials(service: Mapping[str, Any]) -> bool:
    sections = {
        normal(entry["section"]) for _path, entry in _config.entries(service) if entry["key"].startswith("auth_")
    }
    return "keystone_authtoken" in sections


FAULT = Fault(
    id="auth_strategy_invalid",
    reference="F10",
    title="A service is told to authenticate in a way it does not know",
    scope="host",
    severity="high",
    symptom="The API does not start (ConfigFileValueError, or KeyError in the paste pipeline), or serves anybody; on "
    "nova 13 and older, instances fail to build with 'Not authorized for image'.",
    cause="auth_strategy (nova, placement, neutron) or [paste_deploy] flavor (glance) holds a misspelt or insecure "
    "value, or one that this release no longer reads.",
    fix="Set keystone where this release reads the option and restart the API; on nova 32 and later remove the line.",
    detect=detect,
    host_evidence=("oslo_config",),
)
