# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that a service's own interpreter runs to say which options that service registers (FAULTS.md 1.2).

It travels as text because it needs the service's oslo.config, which Stackmend does not have. tools/option_data.py runs
the same program over released packages, so asked and bundled options have one shape.

Input, as JSON on standard input:
  {"namespaces": ["nova.conf", "oslo.service.*", ...],    entry points of oslo.config.opts; a trailing * is a prefix
   "distribution": "nova",
   "views": [{"args": ["--config-file", ...], "environment": {"OS_GROUP__OPTION": "..."}}]}
Output, as JSON on the last line of standard output:
  {"namespaces": {namespace: {group: {dest: description}}}, "plugins": {section: {dest: description}},
   "failed": {namespace: "why"}, "version": "31.0.0" or null,
   "views": [{"errors": [{"group", "name", "message"}], "failure": "why the files do not parse" or null}]}
A description holds only what differs from a plain optional string: see `describe`.
"""

from __future__ import annotations

PROGRAM = r'''
import json, os, sys
request = json.load(sys.stdin)
for name in [n for n in os.environ if n.startswith("OS_")]:
    del os.environ[name]
from importlib import metadata
from oslo_config import cfg, generator, types


def describe_type(kind):
    base = type(kind).__name__
    found = {}
    if isinstance(kind, types.Boolean):
        found["type"] = "bool"
    elif isinstance(kind, types.Port):
        found["type"] = "port"
    elif isinstance(kind, types.Integer):
        found["type"] = "int"
    elif isinstance(kind, types.Float):
        found["type"] = "float"
    elif isinstance(kind, types.List):
        found["type"] = "list"
        item = describe_type(kind.item_type)
        if item != {"type": "string"}:
            found["item"] = item
        if kind.bounds:
            found["bounds"] = True
    elif isinstance(kind, types.Dict):
        found["type"] = "dict"
    elif base in ("String", "MultiString"):
        found["type"] = "string"
        if kind.regex is not None or kind.max_length or kind.quotes:
            found["type"] = "other"
        if kind.ignore_case:
            found["ignore_case"] = True
    else:
        found["type"] = "other"
    choices = getattr(kind, "choices", None)
    if choices is not None:
        # an older oslo.config takes a described choice [value, text] for the choice itself
        choices = [c[0] if isinstance(c, (list, tuple)) else c for c in choices]
        found["choices"] = [c for c in choices if c is not None]
    if found["type"] in ("int", "float", "port"):
        for bound in ("min", "max"):
            if getattr(kind, bound, None) is not None:
                found[bound] = getattr(kind, bound)
    return found


def describe(group, opt):
    found = describe_type(opt.type)
    if opt.multi:
        found["multi"] = True
    if opt.secret:
        found["secret"] = True
    if opt.deprecated_for_removal:
        found["removing"] = True
    former = sorted({(d.group or group, (d.name or opt.dest).replace("-", "_")) for d in opt.deprecated_opts}
                    | {(d.group or group, d.name or opt.dest) for d in opt.deprecated_opts})
    if former:
        found["deprecated"] = [list(f) for f in former]
    return found


def wanted_namespaces():
    points = metadata.entry_points()
    if hasattr(points, "select"):
        points = points.select(group="oslo.config.opts")
    else:
        points = points.get("oslo.config.opts", ())
    present = sorted({p.name for p in points})
    names = []
    for wish in request["namespaces"]:
        for name in present:
            if name == "oslo.config" or name in names:    # those are the parser's own, always there
                continue
            if name == wish or (wish.endswith("*") and name.startswith(wish[:-1])):
                names.append(name)
    return names


listings, failed = [], {}
for namespace in wanted_namespaces():
    try:
        listings.extend(generator._list_opts([namespace]))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        failed[namespace] = "%s: %s" % (type(error).__name__, error)
opts, described = {}, {}
for namespace, listing in listings:
    for group, members in listing:
        name = str(getattr(group, "name", group) or "DEFAULT")
        for opt in members:
            opts.setdefault(name, {}).setdefault(opt.dest, opt)
            described.setdefault(namespace, {}).setdefault(name, {}).setdefault(opt.dest, describe(name, opt))


def fresh():
    conf = cfg.ConfigOpts()
    conf._check_required_opts = lambda namespace=None: None
    for group, members in opts.items():
        for opt in members.values():
            try:
                conf.register_opt(opt, group=None if group == "DEFAULT" else group)
            except cfg.Error:
                pass
    return conf


def plugin_options(kind):
    from keystoneauth1 import loading
    return [o._to_oslo_opt() for o in loading.get_plugin_loader(kind).get_options()]


def store_options(conf, files):
    """Sections named by glance's enabled_backends hold the options of their store."""
    members = opts.get("glance_store", {})
    names = {"os_glance_tasks_store", "os_glance_staging_store"}
    for sections in files:
        for value in sections.get("DEFAULT", {}).get("enabled_backends", []):
            names.update(pair.split(":", 1)[0].strip() for pair in value.split(",") if ":" in pair)
    return {name: list(members.values()) for name in names} if members else {}


plugins, views = {}, []
for view in request["views"]:
    conf = fresh()
    os.environ.update(view["environment"])
    failure, errors, extra = None, [], {}
    try:
        conf(args=list(view["args"]), project="stackmend", default_config_files=[], default_config_dirs=[])
        files = list(conf._namespace._parsed)
        for sections in files:
            for section, values in sections.items():
                chosen = (values.get("auth_type") or values.get("auth_plugin") or [None])[-1]
                if chosen:
                    try:
                        extra[section] = plugin_options(chosen)
                    except Exception:
                        pass
        if any(n.startswith("glance") for n in request["namespaces"]):
            extra.update(store_options(conf, files))
        for section, members in extra.items():
            for opt in members:
                plugins.setdefault(section, {})[opt.dest] = describe(section, opt)
                try:
                    conf.register_opt(opt, group=None if section == "DEFAULT" else section)
                except cfg.Error:
                    pass
        readable = [(g, o) for g, members in opts.items() for o in members.values()]
        readable += [(g, o) for g, members in extra.items() for o in members]
        for group, opt in readable:
            try:
                getattr(conf if group == "DEFAULT" else conf[group], opt.dest)
            except (cfg.ConfigFileValueError, getattr(cfg, "ConfigSourceValueError", cfg.ConfigFileValueError)) as e:
                message = "" if opt.secret else str(e).split(" is not valid: ", 1)[-1]
                errors.append({"group": group, "name": opt.dest, "message": message})
            except Exception:
                pass
    except SystemExit as error:
        failure = "the arguments were refused"
    except cfg.ConfigFileParseError as error:
        failure = "%s does not parse" % error.config_file
    except Exception as error:
        failure = "%s: %s" % (type(error).__name__, str(error)[:200])
    for name in view["environment"]:
        os.environ.pop(name, None)
    views.append({"errors": errors, "failure": failure})
if request.get("all_plugins"):
    from keystoneauth1 import loading
    for kind in loading.get_available_plugin_names():
        try:
            for opt in plugin_options(kind):
                plugins.setdefault("*", {}).setdefault(opt.dest, describe("*", opt))
        except Exception as error:
            failed["auth plugin " + kind] = str(error)
version = None
if request.get("distribution"):
    try:
        version = metadata.version(request["distribution"])
    except metadata.PackageNotFoundError:
        pass
answer = {"namespaces": described, "plugins": plugins, "failed": failed, "views": views, "version": version}
sys.stdout.write("\n" + json.dumps(answer, separators=(",", ":")) + "\n")
'''
