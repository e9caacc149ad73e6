# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vif_plugging_masked (F23): servers boot though their network was not wired, or neutron cannot tell nova that it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Optional, Union

from .._evidence.network_agents import WIRING
from .._evidence.oslo_config import effective
from .._model import Certainty, Evidence, Fault, Finding, Remedy, Risk, Target, Unknown
from . import _config

# Seconds that an agent has been silent, beyond neutron's own 75: one that is being restarted is no fault.
SILENT = 300.0
# nova 32 (2025.2) lets the role service send events beside admin; before, only admin might (policies/base.py).
_SERVICE_ROLE = 32


def observe_host(evidence: Evidence) -> Optional[dict[str, Any]]:
    """What this compute does about a port that is not wired, and as whom this neutron speaks to nova; never a password."""
    services = _config.services(evidence)
    nova, neutron = services.get("nova"), services.get("neutron")
    found: dict[str, Any] = {}
    compute = evidence["compute"]
    if nova:
        found["release"] = nova["release"]
    # Ironic's ports are wired by nobody that would report it.
    if nova and compute and "ironic" not in compute["driver"]:
        found["compute"] = compute["host"]
        found["settings"] = [_setting(nova, *option) for option in _masking(nova)]
    if neutron:
        found["notifier"] = _notifier(neutron)
    return found or None


def _masking(nova: _config.Service) -> Iterator[tuple[str, str, Any]]:
    """(option, value, source) of what lets a server boot without waiting for its ports."""
    views = [view for view in nova["views"] if "nova-compute" in view["programs"]] or nova["views"][:1]
    for view in views[:1]:
        for option, masks in (("vif_plugging_is_fatal", _is_false), ("vif_plugging_timeout", _is_zero)):
            raw = effective(nova, view).raw("DEFAULT", option)
            if raw and masks(raw[0]):
                yield option, raw[0], raw[1]


def _is_false(value: str) -> bool:
    return value.strip().lower() in _config.FALSE


def _is_zero(value: str) -> bool:
    return value.strip().isdigit() and int(value) == 0


def _setting(nova: _config.Service, option: str, value: str, source: Any) -> dict[str, Any]:
    """The line, and the remedy that puts nova's default in its place."""
    entry = _config.source_entry(nova, source.path, source.line) if source.line else None
    setting = {"option": option, "value": value, "path": source.path, "line": source.line, "edits": [], "restarts": []}
    if entry is not None:
        good = "True" if option == "vif_plugging_is_fatal" else "300"
        edits = [_config.edit(source.path, entry, "present", value=good)]
        remedy, setting["note"] = _config.with_restart(nova, edits, r"^nova(-compute)?$|nova.compute")
        setting["edits"] = edits
        setting["restarts"] = list(remedy.vars["oslo_config_restarts"])
        setting["subject"] = _config.subject(source.path, entry["section"], entry["key"])
    return setting


def _notifier(neutron: _config.Service) -> Optional[dict[str, str]]:
    """As whom neutron-server tells nova of ports; None where it does not, or says so by other means than a user's name."""
    for view in neutron["views"]:
        config = effective(neutron, view)
        if _is_false(config.text("DEFAULT", "notify_nova_on_port_status_changes", "true")):
            continue
        user = config.text("nova", "username") or config.text("nova", "user_name")
        if user:
            return {
                "user": user,
                "domain": config.text("nova", "user_domain_name"),
                "project": config.text("nova", "project_name") or config.text("nova", "tenant_name"),
            }
    return None


def observe_cloud(evidence: Evidence) -> dict[str, Any]:
    """The agents that are silent for long, the hosts that have servers, and the services' users."""
    agents = evidence["network_agents"]["agents"]
    newest = max((_moment(agent["heartbeat"]) for agent in agents), default=0.0)
    dead = [
        agent
        for agent in agents
        if agent["enabled"] and not agent["alive"] and newest - _moment(agent["heartbeat"]) > SILENT
    ]
    servers: dict[str, int] = {}
    for server in evidence["servers"]["servers"]:
        if server["host"]:
            servers[server["host"]] = servers.get(server["host"], 0) + 1
    dhcp = [agent for agent in agents if agent["type"] == "DHCP agent" and agent["enabled"]]
    return {
        "wiring": [{**agent, "servers": servers.get(agent["host"], 0)} for agent in dead if agent["type"] in WIRING],
        "dhcp": [agent for agent in dead if agent in dhcp] if dhcp and all(agent in dead for agent in dhcp) else [],
        **evidence["service_users"],
    }


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")[:19]).timestamp()
    except ValueError:
        return 0.0


def detect(evidence: Evidence) -> Iterator[Union[Finding, Unknown]]:
    """Judge {"hosts": {name: observe_host(...)}, "cloud": observe_cloud(...)}."""
    hosts = {name: seen for name, seen in evidence["hosts"].items() if seen}
    cloud = evidence["cloud"]
    causes: list[Finding] = []
    if cloud is not None:
        judged = [*_dead_agents(cloud), *_speakers(hosts, cloud)]
        yield from judged
        causes = [entry for entry in judged if isinstance(entry, Finding)]
    for name, seen in hosts.items():
        for setting in seen.get("settings", ()):
            yield _masked(name, seen["compute"], setting, causes, cloud is not None)


def _dead_agents(cloud: Mapping[str, Any]) -> Iterator[Finding]:
    for agent in cloud["wiring"]:
        if agent["servers"]:
            effect = f"no port of {agent['host']}, which has {agent['servers']} servers, is wired"
            yield _agent(agent, effect, Certainty.CERTAIN)
    for agent in cloud["dhcp"]:
        effect = "with every DHCP agent silent, ports of networks with DHCP stay blocked until they time out"
        yield _agent(agent, effect, Certainty.PROBABLE)


def _agent(agent: Mapping[str, Any], effect: str, certainty: str) -> Finding:
    return Finding(
        fault=FAULT.id,
        target=Target("agent", agent["id"], agent["host"]),
        certainty=certainty,
        severity="high",
        subject=agent["type"],
        summary=f"The {agent['type']} on {agent['host']} has not reported since {agent['heartbeat']}: {effect}",
        evidence={"source": "neutron: agents", "binary": agent["binary"], "heartbeat": agent["heartbeat"]},
        expected="an agent that reports",
        actual=f"silent since {agent['heartbeat']}",
        reason=f"start {agent['binary'] or 'the agent'} on {agent['host']}, and see in its log why it stopped",
    )


def _speakers(hosts: Mapping[str, Any], cloud: Mapping[str, Any]) -> Iterator[Union[Finding, Unknown]]:
    """The users as whom neutron speaks to nova, where nova's policy does not let them send events."""
    releases = [seen["release"] for seen in hosts.values() if seen.get("release")]
    # Some nova-api of the cloud may still be as old as the oldest release that was seen.
    release = min(releases) if releases else None
    told = set()
    for name, seen in sorted(hosts.items()):
        notifier = seen.get("notifier")
        for user in cloud["users"] if notifier else ():
            same = (user["name"], user["project_name"]) == (notifier["user"], notifier["project"])
            if not same or notifier["domain"].lower() not in ("", user["domain"].lower()) or user["id"] in told:
                continue
            told.add(user["id"])
            if "service" in user["roles"]:
                continue
            if release is None:
                reason = (
                    "no host told which release of nova it has, so it is not known whether it takes this user's events"
                )
                yield Unknown(FAULT.id, Target("user", user["id"], user["name"]), reason)
            elif release >= _SERVICE_ROLE or "admin" not in user["roles"]:
                yield _speaker(user, name, release, cloud["role"])


def _speaker(user: Mapping[str, Any], host: str, release: int, role: str) -> Finding:
    latent = "admin" in user["roles"]
    remedy: Optional[Remedy] = None
    if release < _SERVICE_ROLE:
        reason = f"nova {release} takes events of an admin only: give the user the role admin in {user['project_name']}"
    elif not role:
        reason = "keystone has no role service: create it (keystone-manage bootstrap does), then give it to the user"
    else:
        wish = {
            "user": user["id"],
            "project": user["project"],
            "role": role,
            "subject": f"{user['id']} {user['project_name']}",
        }
        remedy = Remedy("service_role", Risk.DISRUPTIVE, {"service_role_wishes": [wish]})
        reason = "it lets the user do what services may do to each other"
    effect = (
        "nova takes its events as those of an admin, which its policy is to stop"
        if latent
        else "nova refuses its events with 403, and servers wait for their network until they time out"
    )
    return Finding(
        fault=FAULT.id,
        target=Target("user", user["id"], user["name"]),
        certainty=Certainty.POSSIBLE if latent else Certainty.PROBABLE,
        severity="low" if latent else "high",
        subject=user["project_name"],
        summary=f"neutron on {host} speaks to nova as {user['name']!r}, who has no role service: {effect}",
        evidence={
            "source": f"[nova] of neutron's configuration on {host}; keystone: role assignments, groups and implied roles too",
            "roles": user["roles"],
            "policy": f"nova {release}: os_compute_api:os-server-external-events:create, unless a policy file says otherwise",
        },
        expected="the role service" if release >= _SERVICE_ROLE else "the role admin",
        actual=", ".join(user["roles"]) or "no role",
        remedy=remedy,
        reason=reason,
    )


def _masked(name: str, compute: str, setting: Mapping[str, Any], causes: list[Finding], cloud_seen: bool) -> Finding:
    option, value = setting["option"], setting["value"]
    # nova 34, virt/libvirt/driver.py _create_guest_with_network: without a timeout it does not wait, fatal or not.
    effect = (
        "a server whose port was never wired boots all the same, without network and security groups"
        if option == "vif_plugging_is_fatal"
        else "servers boot before their ports are wired"
    )
    where = (
        f"{setting['path']} line {setting['line']}" if setting["line"] else f"environment variable {setting['path']}"
    )
    live = [cause for cause in causes if cause.certainty != Certainty.POSSIBLE]
    remedy: Optional[Remedy] = None
    if not setting["edits"]:
        reason = "the value comes from the environment of the process: change the unit that sets it"
    elif live:
        reason = f"it hides a failure that is still there, so that servers would stop booting: first see to {live[0].summary}"
    elif not cloud_seen:
        reason = "the cloud was not read, so it is not known whether what it hides is still there"
    else:
        reason = setting["note"]
        variables = {"oslo_config_edits": setting["edits"], "oslo_config_restarts": setting["restarts"]}
        remedy = Remedy("oslo_config", Risk.RESTART, variables, rolled=True)
    return Finding(
        fault=FAULT.id,
        target=Target("host", name),
        certainty=Certainty.CERTAIN,
        subject=setting.get("subject", where),
        summary=f"nova-compute on {compute} has {option} = {value} ({where}): {effect}",
        evidence={
            "path": setting["path"],
            "line": setting["line"],
            "value": value,
            "causes_seen": [cause.summary for cause in causes],
        },
        expected="True" if option == "vif_plugging_is_fatal" else "300, or any number of seconds above 0",
        actual=value,
        remedy=remedy,
        reason=reason,
    )


FAULT = Fault(
    id="vif_plugging_masked",
    reference="F23",
    title="A network that is not wired does not stop a server, or nova is not told that it is",
    scope="host+cloud",
    severity="medium",
    symptom="Servers are ACTIVE and have no network (no DHCP, no security groups); or they go to ERROR after five minutes with "
    "'Failed to allocate the network(s), not rescheduling.'",
    cause="vif_plugging_is_fatal=False, or vif_plugging_timeout=0, hides that ports are not wired. They are not when the "
    "host's agent, or every DHCP agent, is dead; nova does not learn of it when neutron's user has no role service.",
    fix="First the cause: start the agent, give the user the role service (on approval). Then vif_plugging_is_fatal is set to "
    "True again, and nova-compute restarted; while a cause is seen that waits, since servers would stop booting.",
    host_evidence=("config_files", "compute"),
    cloud_evidence=("network_agents", "service_users", "servers"),
    observe_host=observe_host,
    observe_cloud=observe_cloud,
    detect=detect,
)
