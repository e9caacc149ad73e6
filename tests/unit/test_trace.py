# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traces of real requests: what the lab's services logged and nova's API kept, recorded, and what is read from that."""

from __future__ import annotations

import copy
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils import _clock, _trace, _trace_table
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import request_path
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._trace_lines import service_of
from ansible_collections.stackmend.openstack.plugins.modules import request_trace_info
from hypothesis import given
from hypothesis import strategies as st

from stackmend.model import Trace
from stackmend.report import trace as rendered

RECORDINGS = Path(__file__).parent / "recordings" / "traces"


def recorded(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def traced(document: dict[str, Any], subject: str = "", patience: float = 5.0, no_cloud: str = "") -> dict[str, Any]:
    answer = _trace.trace(
        _trace.subject_of(subject or document["subject"]),
        document["cloud"],
        document["hosts"],
        patience=patience,
        no_cloud=no_cloud,
        now=document["now"],
    )
    jsonschema.validate(answer, rendered.schema())
    return answer


def last(answer: dict[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = answer["requests"][-1]
    return request


# recording: (verdict, the fault that fits first or None, words of the reading, what is known of the four services)
READINGS: dict[str, tuple[str, str | None, str, str]] = {
    "live_migration": ("clear", None, "It went through", "yes (202) / yes / yes / yes"),
    "no_candidate": (
        "cause",
        "placement_capacity_exhausted",
        "Placement had no candidate",
        "yes (202) / yes / yes (0 hosts) / nothing",
    ),
    "filtered_out": (
        "cause",
        "flavor_extra_specs_unscoped",
        "AggregateInstanceExtraSpecsFilter left none of 3 hosts",
        "yes (202) / yes / yes (0 hosts) / nothing",
    ),
    "flavor_too_small": (
        "cause",
        "flavor_smaller_than_image",
        "nova-compute on HOST-341 failed: Build of instance",
        "yes (202) / yes / yes / yes (error)",
    ),
    "second_host": (
        "cause",
        None,
        "nova-compute on HOST-341 failed: Instance failed to spawn: RuntimeError: the hypervisor of HOST-341 refuses to build; "
        "it was tried again and went through on HOST-34",
        "yes (202) / yes / yes / yes (error)",
    ),
    "every_host_failed": (
        "cause",
        None,
        "Every host that was tried failed (HOST-340, HOST-34, HOST-341): Exceeded maximum number of retries",
        "yes (202) / yes / yes / yes (error)",
    ),
    "compute_down": (
        "cause",
        "compute_service_down",
        "it waits for HOST-340, whose nova-compute is down",
        "yes (202) / yes / yes / nothing",
    ),
    "message_lost": (
        "cause",
        "server_stuck_scheduling",
        "HOST-341 is up and did not take it: the message was lost",
        "yes (202) / yes / yes / nothing",
    ),
    "compute_silent": (
        "cause",
        None,
        "nova-compute on HOST-34 had it and has been silent for 68 s, while it still reports",
        "yes (202) / yes / yes / yes",
    ),
    "migration_failed": (
        "cause",
        None,
        "failed: Unexpected error during post live migration at destination host.: RuntimeError: the hypervisor of HOST-34",
        "yes (202) / yes / yes / yes (error)",
    ),
    "refused_by_api": (
        "cause",
        "flavor_smaller_than_image",
        "refused it with 400, for what it asked for: Flavor's memory is too small for requested image.",
        "yes (400) / nothing / nothing / nothing",
    ),
    "name_looked_up": ("clear", None, "as clients do that look a name up", "yes (404) / - / - / nothing"),
    "only_looked": ("clear", None, "It went through", "yes (200) / - / - / nothing"),
    "two_requests_of_one_client": ("clear", None, "It went through on HOST-34", "yes (202) / - / - / yes"),
}


@pytest.mark.parametrize("name", READINGS)
def test_a_recorded_request_is_read_as_what_it_was(name: str) -> None:
    verdict, fault, words, stages = READINGS[name]
    answer = traced(recorded(name))
    request = last(answer)
    assert answer["verdict"] == verdict
    assert words in request["reading"]
    assert next((found["fault"] for found in request["faults"]), None) == fault
    assert " / ".join(request["stages"].values()).replace("not needed", "-") == stages
    assert answer["unknown"] == []


@pytest.mark.parametrize("name", READINGS)
def test_a_trace_is_readable_at_100_columns_and_in_every_format(name: str) -> None:
    answer = traced(recorded(name))
    lines = _trace_table.lines(answer)
    assert max(map(len, lines)) <= 100
    assert all(line.isprintable() for line in lines)
    trace = Trace.of(answer)
    assert json.loads(rendered.as_json(trace)) == answer
    page = rendered.as_html(trace)
    assert page.count("<tr>") == page.count("</tr>")
    assert "\x1b[" in rendered.in_colours(trace) or not answer["timeline"]
    assert trace.exit_status == (0 if answer["verdict"] == "clear" else 2)


def test_the_fault_that_fits_comes_with_the_command_that_fixes_it() -> None:
    (fault,) = last(traced(recorded("compute_down")))["faults"]
    assert fault["certainty"] == "certain"
    assert fault["commands"] == ["stackmend remediate --fault compute_service_down -i INVENTORY --cloud stackmend-lab"]


def test_a_server_that_no_host_takes_is_to_be_explained() -> None:
    fault = last(traced(recorded("no_candidate")))["faults"][0]
    assert fault["commands"][0].startswith("stackmend explain --flavor trace-huge --image ")


def test_a_fault_is_of_the_action_that_was_under_way_when_it_came() -> None:
    document = recorded("no_candidate")
    for host in document["hosts"].values():
        host["lines"] = []
    (create,) = document["cloud"]["servers"][0]["actions"]
    create["events"], create["message"] = [], ""
    later = {
        **create,
        "action": "lock",
        "request_id": f"req-{document['subject']}",
        "started": "2026-11-21T16:09:00.000000Z",
    }
    document["cloud"]["servers"][0]["actions"] = [later, create]
    assert [(row["action"], row["verdict"]) for row in traced(document)["requests"]] == [
        ("create", "cause"),
        ("lock", "clear"),
    ]


def test_of_a_long_timeline_errors_are_kept() -> None:
    document = recorded("flavor_too_small")
    lines = document["hosts"]["labctl"]["lines"]
    mine = next(line for line in lines if "Claim successful" in line["line"])
    lines[-1:] = [
        {**mine, "line": mine["line"].replace("Claim successful", f"Step {chr(65 + n % 26)}{chr(65 + n // 26)}")}
        for n in range(600)
    ]
    answer = traced(document)
    assert len(answer["timeline"]) == _trace.MOST_ENTRIES
    assert answer["left_out"] > 200
    assert any("Instance failed to spawn" in entry["what"] for entry in answer["timeline"])


def test_a_migration_that_failed_says_nothing_of_the_boot_before_it() -> None:
    create, migration = traced(recorded("migration_failed"))["requests"]
    assert (create["verdict"], migration["verdict"]) == ("clear", "cause")


def test_a_migration_whose_record_alone_says_that_it_failed_is_no_clear_one() -> None:
    document = recorded("live_migration")
    (record,) = document["cloud"]["servers"][0]["migrations"]
    record["status"] = "error"
    assert [request["verdict"] for request in traced(document)["requests"]] == ["clear", "cause"]


def test_the_timeline_tells_a_retry_on_a_second_host_in_order() -> None:
    answer = traced(recorded("second_host"))
    told = [f"{entry['service']} {entry['what']}" for entry in answer["timeline"]]
    wanted = (
        "nova-api POST /v2.1/servers -> 202",
        "placement GET /allocation_candidates",
        "nova-compute Claim successful on node HOST-341",
        "nova-compute Instance failed to spawn: RuntimeError",
        "nova-conductor Error from last host: HOST-341 (node HOST-341)",
        "nova-compute Claim successful on node HOST-34",
        "nova-compute Took",
    )
    position = -1
    for words in wanted:
        position = next(number for number, text in enumerate(told) if number > position and text.startswith(words))
    assert not any("Traceback" in text or 'File "' in text for text in told)
    times = [entry["time"] for entry in answer["timeline"]]
    assert times == sorted(times)


def test_polling_and_deprecations_are_folded_and_counted() -> None:
    answer = traced(recorded("second_host"))
    assert not any("GET /v2.1/servers" in entry["what"] for entry in answer["timeline"])
    assert not any("deprecated" in entry["what"] for entry in answer["timeline"])
    assert answer["folded"]["requests that only look"] > 10
    assert answer["folded"]["deprecations and thread pools"] == 2


def test_a_request_id_leads_to_the_same_reading_as_its_server() -> None:
    document = recorded("second_host")
    request = last(traced(document))
    answer = traced(document, subject=request["request_id"])
    assert last(answer)["reading"] == request["reading"]
    assert answer["subject"]["servers"][0]["name"] == "trace-retry2"


def test_two_requests_of_one_global_request_are_read_apart() -> None:
    document = recorded("two_requests_of_one_client")
    lines = document["hosts"]["labctl"]["lines"]
    (together,) = {line["global_request_id"] for line in lines if line["logger"].startswith("nova.")} - {""}
    for subject in (document["subject"], together):
        answer = traced(document, subject=subject)
        assert [request["action"] for request in answer["requests"]] == ["create", "stop"]
        assert {request["verdict"] for request in answer["requests"]} == {"clear"}
    wanted = _trace.search(_trace.subject_of(together), document["cloud"], document["hosts"], 86400, document["now"])
    assert {request["request_id"] for request in traced(document)["requests"]} <= set(wanted["ids"])


def test_ids_that_logs_name_are_asked_for_once() -> None:
    document = recorded("two_requests_of_one_client")
    hosts = document["hosts"]
    first = {name: {**host, "asked": [document["subject"]]} for name, host in hosts.items()}
    subject = _trace.subject_of(document["subject"])
    wanted = _trace.search(subject, document["cloud"], first, 86400, document["now"])
    assert wanted["further"]
    again = {name: {**host, "asked": wanted["ids"]} for name, host in hosts.items()}
    assert not _trace.search(subject, document["cloud"], again, 86400, document["now"])["further"]


# -- what is not known -----------------------------------------------------------------------------------------------------


def test_a_host_that_does_not_answer_is_unknown_and_nothing_is_made_of_its_silence() -> None:
    document = recorded("live_migration")
    document["hosts"]["HOST-9"] = {"unreachable": True, "msg": "Failed to connect to the host via ssh"}
    answer = traced(document)
    assert answer["verdict"] == "unknown"
    assert answer["unknown"] == ["host HOST-9 could not be reached: Failed to connect to the host via ssh"]
    assert not next(host for host in answer["hosts"] if host["host"] == "HOST-9")["read"]


def test_a_cause_is_told_although_a_host_does_not_answer() -> None:
    document = recorded("no_candidate")
    document["hosts"]["HOST-341"] = {"failed": True, "msg": "Permission denied"}
    answer = traced(document)
    assert answer["verdict"] == "cause"
    assert "host HOST-341 could not be read: Permission denied" in answer["unknown"]
    assert last(answer)["stages"]["nova-compute"] == "log not read"


def test_a_request_that_nobody_logged_is_no_finding_where_a_log_is_missing() -> None:
    document = recorded("only_looked")
    document["hosts"]["labctl"]["lines"] = []
    answer = traced(document)
    assert "it never arrived" in last(answer)["reading"]
    assert answer["verdict"] == "unknown"
    document["hosts"]["labctl"]["gaps"] = [{"reason": "/var/log/nova/nova.log cannot be read: Permission denied"}]
    assert "No log of nova's API was read whole" in last(traced(document))["reading"]


def test_a_request_that_never_arrived_has_a_cause_where_the_endpoint_does_not_answer() -> None:
    document = recorded("only_looked")
    document["hosts"]["labctl"]["lines"] = []
    document["hosts"]["labctl"]["api"] = [{"url": "http://127.0.0.1:8774/", "status": 200, "seconds": 0.1, "error": ""}]
    document["cloud"]["endpoint"] = {"url": "http://vip:8774/", "status": 503, "seconds": 0.1, "error": ""}
    answer = traced(document)
    assert answer["verdict"] == "cause"
    assert "http://vip:8774/ answers 503" in last(answer)["reading"]
    assert "the API on labctl (http://127.0.0.1:8774/) answers 200" in last(answer)["reading"]


def test_without_a_cloud_the_logs_alone_are_read_and_that_is_said() -> None:
    document = recorded("flavor_too_small")
    document["cloud"] = None
    answer = traced(document, no_cloud="no cloud is named")
    assert answer["verdict"] == "cause"
    assert last(answer)["faults"][0]["fault"] == "flavor_smaller_than_image"
    assert answer["unknown"] == ["nova's API was not asked: no cloud is named"]


def test_nothing_is_stuck_before_its_time() -> None:
    answer = traced(recorded("message_lost"), patience=600)
    assert answer["verdict"] == "waiting"
    assert Trace.of(answer).exit_status == 3


def test_a_request_that_the_api_took_and_no_conductor_had_points_at_the_queue() -> None:
    """As recorded, less what came after the API, with what RabbitMQ would say."""
    document = recorded("message_lost")
    kept = document["cloud"]["servers"][0]
    kept["actions"] = []
    for host in document["hosts"].values():
        host["lines"] = []
    document["cloud"]["services"][0]["state"] = "down"
    document["hosts"]["labctl"]["queues"] = [
        {"queue": "conductor", "messages": 12, "unacknowledged": 0, "consumers": 0}
    ]
    answer = traced(document)
    request = last(answer)
    assert "nova-conductor never had it: every nova-conductor is down (labctl)" in request["reading"]
    assert "queue conductor has 12 messages and 0 consumers" in request["reading"]
    assert request["faults"][0]["fault"] == "controller_backends_differ"
    # nova takes a service for alive for a while after its end, and a healthy conductor tells nothing
    for service in document["cloud"]["services"]:
        service["state"] = "up"
    document["hosts"]["labctl"]["queues"] = []
    assert "One of nova-conductor and nova-scheduler is dead or hangs" in last(traced(document))["reading"]


def test_a_process_that_waits_for_a_device_is_named() -> None:
    document = recorded("compute_silent")
    document["hosts"]["HOST-34"]["processes"] = [{"program": "nova-compute", "pid": 4711, "state": "D"}]
    assert "process 4711 on HOST-34 waits for a device" in last(traced(document))["reading"]


def test_a_fault_in_another_language_is_read_where_no_log_is() -> None:
    document = recorded("no_candidate")
    for host in document["hosts"].values():
        host["lines"] = []
    kept = document["cloud"]["servers"][0]
    kept["server"]["fault"]["message"] = "找不到有效主机，原因是 。"
    kept["actions"][0]["events"][0]["details"] = ""
    answer = traced(document)
    assert last(answer)["faults"][0]["fault"] == "placement_capacity_exhausted"


def test_a_deleted_server_is_traced_by_what_nova_keeps() -> None:
    document = recorded("live_migration")
    document["cloud"]["servers"][0]["server"] = None
    answer = traced(document)
    assert answer["verdict"] == "clear"
    assert answer["summary"].endswith("is deleted: nothing wrong was read.")


# -- clocks ----------------------------------------------------------------------------------------------------------------


@given(st.floats(-1e5, 1e5), st.floats(0, 30), st.floats(0, 300), st.floats(0, 30))
def test_a_clock_is_measured_as_exactly_as_the_way_there_and_back_allows(
    ahead: float, there: float, took: float, back: float
) -> None:
    sent = 1.8e9
    began = sent + there
    clock = _clock.offset(sent, began + ahead, began + took + ahead, began + took + back)
    assert abs(clock["offset"] - ahead) <= clock["uncertainty"] + 0.002


def test_times_of_a_host_whose_clock_is_wrong_are_put_right() -> None:
    document = recorded("second_host")
    right = traced(document)
    wrong = copy.deepcopy(document)
    host = wrong["hosts"]["labctl"]
    for line in host["lines"]:
        moved = _trace.seconds(line["time"]) + 90
        line["time"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moved)) + f".{round(moved % 1 * 1000):03d}Z"
    host["clock"] = {"offset": 90.0, "uncertainty": 0.4}
    put_right = traced(wrong)
    assert [entry["what"] for entry in put_right["timeline"]] == [entry["what"] for entry in right["timeline"]]
    assert "labctl is 90.0 s ahead (give or take 0.4 s); its times above are put right" in "\n".join(
        _trace_table.lines(put_right)
    )


def test_a_difference_that_the_way_explains_is_no_wrong_clock() -> None:
    assert _clock.correction({"offset": 0.7, "uncertainty": 0.9}) == 0.0
    assert _clock.correction(None) == 0.0


# -- lines -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "logger", "service"),
    [
        ("nova-compute", "nova.scheduler.client.report", "nova-compute"),
        ("nova", "nova.scheduler.client.report", "nova"),
        ("nova", "nova.compute.api", "nova-api"),
        ("nova", "nova.compute.manager", "nova-compute"),
        ("nova", "nova.filters", "nova-scheduler"),
        ("nova-api-wsgi", "nova.compute.api", "nova-api"),
        ("nova_api_wsgi_error_log", "", "nova-api"),
        ("placement-api", "placement.requestlog", "placement"),
        ("neutron-server", "neutron.wsgi", "neutron"),
    ],
)
def test_a_line_is_of_the_service_that_wrote_it(file: str, logger: str, service: str) -> None:
    assert service_of(file, logger) == service


def test_secrets_in_a_line_are_masked(tmp_path: Path) -> None:
    request = "req-7ec0c56f-ed36-4793-bab9-f94025cd0346"
    log = tmp_path / "var/log/nova/nova-compute.log"
    log.parent.mkdir(parents=True)
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    log.write_text(
        f"{now}.001 7 ERROR nova.compute.manager [None {request} u p - - d d] rabbit://nova:hunter2@mq:5672/ is gone, "
        "X-Auth-Token: gAAAAABn-secret-token, admin_password=hunter2\n"
    )
    answer = _look(tmp_path, [request])
    document = {"subject": request, "cloud": None, "hosts": {"h": answer}, "now": time.time()}
    text = rendered.as_html(Trace.of(traced(document))) + rendered.as_json(Trace.of(traced(document)))
    assert "hunter2" not in text
    assert "secret-token" not in text
    assert "is gone" in text


def test_polling_of_a_week_leaves_room_for_what_matters(tmp_path: Path) -> None:
    server = "80754a34-44f0-499c-938c-34e623431d50"
    log = tmp_path / "var/log/nova/nova-api.log"
    log.parent.mkdir(parents=True)
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    poll = (
        f"{now}.001 7 INFO nova.api.openstack.requestlog [None req-{server} u p - - d d] 127.0.0.1 "
        f'"GET /v2.1/servers/{server}" status: 200 len: 9 microversion: 2.1 time: 0.1\n'
    )
    told = f"{now}.000 7 ERROR nova.api.openstack [None req-{server} u p - - d d] [instance: {server}] it went wrong\n"
    log.write_text(told + poll * 300)
    answer = _look(tmp_path, [server], log_lines=10)
    assert [line["line"].rpartition("] ")[2] for line in answer["lines"]] == ["it went wrong"]
    assert answer["passed_over"] == 300


def _look(root: Path, ids: list[str], **options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in request_trace_info.ARGUMENTS.items()}
    given = {**defaults, "ids": ids, "since": time.time() - 3600, "root": str(root), **options}
    return request_trace_info.look(given)


# -- why a request stops at a host -----------------------------------------------------------------------------------------


def test_a_stopped_process_of_nova_is_seen() -> None:
    code = "import time; print('up', flush=True); time.sleep(60)"
    with subprocess.Popen(["nova-compute", "-c", code], executable=sys.executable, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            os.kill(process.pid, signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            found = request_path.processes(Tree())
            assert {"program": "nova-compute", "pid": process.pid, "state": "T"} in (found or [])
        finally:
            process.kill()


def test_a_directory_that_stands_for_a_host_has_no_processes(tmp_path: Path) -> None:
    assert request_path.processes(Tree(str(tmp_path))) is None
    assert request_path.queues(Tree(str(tmp_path))) is None


# `rabbitmqctl --quiet --formatter json list_queues` of RabbitMQ 3.10.8, with the consumers of a healthy cloud added to two
QUEUES = """[
{"name":"conductor","messages":1,"messages_unacknowledged":0,"consumers":0}
,{"name":"reply_1","messages":0,"messages_unacknowledged":0,"consumers":0}
,{"name":"scheduler","messages":0,"messages_unacknowledged":0,"consumers":4}
,{"name":"compute.HOST-34","messages":0,"messages_unacknowledged":0,"consumers":0}
,{"name":"compute.HOST-340","messages":0,"messages_unacknowledged":0,"consumers":1}
]"""


def test_of_a_rabbitmq_those_queues_are_told_that_may_be_at_fault() -> None:
    found = request_path.of_nova(json.loads(QUEUES))
    assert [(row["queue"], row["messages"], row["consumers"]) for row in found] == [
        ("compute.HOST-34", 0, 0),
        ("conductor", 1, 0),
        ("scheduler", 0, 4),
    ]


def test_a_lost_message_with_a_queue_that_nobody_reads_points_at_the_queue() -> None:
    document = recorded("message_lost")
    document["hosts"]["labctl"]["queues"] = [
        {"queue": "compute.HOST-341", "messages": 1, "unacknowledged": 0, "consumers": 0},
        {"queue": "compute.HOST-GONE", "messages": 0, "unacknowledged": 0, "consumers": 0},
    ]
    request = last(traced(document))
    assert "queue compute.HOST-341 has 1 messages and 0 consumers" in request["reading"]
    assert "queue compute.HOST-341 has no consumer" in [fault["why"] for fault in request["faults"]]


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        pass


def test_the_api_of_a_host_is_found_by_its_port_and_asked() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        (answer,) = request_path.backends(Tree(), [], port)
        server.shutdown()
    assert (answer["url"], answer["status"]) == (f"http://127.0.0.1:{port}/", 503)
    (answer,) = request_path.backends(Tree(), [f"http://127.0.0.1:{port}/"], None)
    assert answer["status"] is None
    assert "refused" in answer["error"]


@pytest.mark.parametrize("text", ["", "trace-me", "req-1", "80754a34-44f0-499c-938c", "req-80754a34 --all"])
def test_what_is_no_id_is_said_to_be_none(text: str) -> None:
    with pytest.raises(_trace.BadSubject, match="neither a server's uuid nor a request id"):
        _trace.subject_of(text)
