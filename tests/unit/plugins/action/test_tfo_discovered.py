# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, as written and as told."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.template import trust_as_template
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_discovered
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER, SERVER_INSTANCE
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.discover._found import (
    TUN,
    UNIT,
    client,
    look,
    server,
)

LISTENERS = [
    {"address": "0.0.0.0", "port": 443, "program": "haproxy", "unit": "haproxy.service"},
    {"address": "127.0.0.1", "port": 25, "program": "exim4", "unit": ""},
]


@pytest.fixture
def fleet(tmp_path):
    """A play over ss1 and c1, as Ansible's variables; web1 is not in it."""
    (tmp_path / "hosts").touch()
    hostvars = Hostvars(
        ss1={"ansible_host": trust_as_template("{{ a }}.7"), "a": "203.0.113", "__rollout_discovered": look(server())},
        c1={"__rollout_discovered": look(client(), listeners=LISTENERS), "rollout_probe_url": "http://x/"},
        web1={"ansible_host": "192.0.2.80"},
    )
    return {
        "hostvars": hostvars,
        "groups": {"all": ["ss1", "c1", "web1"], "shadowsocks_servers": ["ss1"], "shadowsocks_clients": ["c1"]},
        "ansible_inventory_sources": [str(tmp_path / "hosts")],
    }


@pytest.fixture
def discover(run, fleet):
    """Run the action over ss1 and c1."""
    return lambda **options: run(tfo_discovered, fleet, **{"hosts": ["ss1", "c1"], **options})


def written(tmp_path, host):
    """What is in the file of a host; None without one."""
    path = tmp_path / "host_vars" / host / "shadowsocks.yml"
    return yaml.safe_load(path.read_text("utf-8")) if path.exists() else None


def test_found(discover, tmp_path):
    """Written and told; the next command is the last word."""
    result = discover()
    assert (result["changed"], [one["state"] for one in result["files"]]) == (True, ["new", "new"])
    assert written(tmp_path, "ss1") == {"ss_server_instances": [{"name": "shadowsocks-libev", "unit": UNIT}]}
    assert written(tmp_path, "c1") == {"ss_client_instances": [{"name": "tun", "unit": TUN, "server": "ss1"}]}
    folder, lines = tmp_path / "host_vars", [" ".join(line.split()) for line in result["lines"]]
    assert lines == [
        "host side unit program port servers instance",
        f"ss1 server {UNIT} ss-server 8388 - adopted as shadowsocks-libev",
        f"{folder}/ss1/shadowsocks.yml was written",
        f"c1 client {TUN} ss-local 1080 ss1 (203.0.113.7:8388) adopted as tun",
        f"{folder}/c1/shadowsocks.yml was written",
        "Other programs that listen; each can be rolled out as any TCP server, with unit and port:",
        "haproxy 443 (haproxy.service): c1",
        "Next: ansible-playbook fastopen.shadowsocks.rollout --check",
    ]
    assert " - name: tun" in " ".join(result["details"])


def test_check_mode(discover, tmp_path):
    """The same, and nothing is written; before and after of each file."""
    result = discover(check_mode=True)
    assert result["changed"] and not (tmp_path / "host_vars").exists()
    assert f"    {tmp_path}/host_vars/ss1/shadowsocks.yml would be written" in result["lines"]
    assert result["lines"][-1] == "Nothing was written. Next: ansible-playbook fastopen.shadowsocks.discover"
    discover()
    assert [one["after"] for one in result["diff"]] == [
        (tmp_path / f"host_vars/{host}/shadowsocks.yml").read_text("utf-8") for host in ("ss1", "c1")
    ]
    assert {one["before"] for one in result["diff"]} == {""}


def again(fleet, tmp_path):
    """The inventory as Ansible reads it once the files are there."""
    for host in ("ss1", "c1"):
        fleet["hostvars"][host].update(written(tmp_path, host) or {})


def test_again(discover, fleet, tmp_path):
    """Changes nothing; a new service is told, and written when it was asked for."""
    discover()
    again(fleet, tmp_path)
    result = discover(overwrite=True)
    assert (result["changed"], result["diff"], {one["state"] for one in result["files"]}) == (False, [], {"same"})
    assert "in the inventory as tun" in "\n".join(result["lines"])
    fleet["hostvars"]["ss1"]["__rollout_discovered"] = look(server(), server("ss-server@new.service"))
    result = discover()
    assert not result["changed"] and written(tmp_path, "ss1") == {
        "ss_server_instances": [{"name": "shadowsocks-libev", "unit": UNIT}]
    }
    assert "could be adopted as new" in "\n".join(result["lines"])
    assert "is left as it is: it lacks ss-server@new.service; discover_overwrite=true" in "\n".join(result["lines"])
    assert discover(overwrite=True)["changed"]
    assert [one["name"] for one in written(tmp_path, "ss1")["ss_server_instances"]] == ["new", "shadowsocks-libev"]


def test_what_is_not_adoptable_in_the_inventory(discover, fleet, tmp_path):
    """Rolled out as any TCP server: there is nothing to do, whatever is asked for."""
    discover()
    entry = {"name": "rust", "unit": "ssserver.service", "port": 8389}
    path = tmp_path / "host_vars/ss1/shadowsocks.yml"
    path.write_text(f"{path.read_text('utf-8')}  - {entry}\n", "utf-8")
    again(fleet, tmp_path)
    fleet["hostvars"]["ss1"]["__rollout_discovered"] = look(server(), server(entry["unit"], adoptable=False))
    result = discover(overwrite=True)
    assert not result["changed"]
    (row,) = (line for line in result["lines"] if "ssserver" in line)
    assert row.endswith("  in the inventory")


def test_own_instances(discover, fleet, tmp_path):
    """Are somebody's: nothing is written, what to add is told, no secret is."""
    fleet["hostvars"]["ss1"]["ss_server_instances"] = [SERVER_INSTANCE]
    fleet["hostvars"]["ss1"]["__rollout_discovered"] = look(server(), ours=["ss-server@main.service"])
    result = discover()
    assert written(tmp_path, "ss1") is None
    assert MARKER not in str(result)
    lines = "\n".join(result["lines"])
    assert "ss1: deployed by this collection: ss-server@main.service" in lines
    assert (
        f"By hand, into the variables of ss1:\n  ss_server_instances:\n    - name: shadowsocks-libev\n      unit: {UNIT}"
        in lines
    )
    assert "Before a rollout:\n  - add the instances above to the variables of ss1\nThen: ansible-playbook" in lines


@pytest.mark.parametrize("value", [trust_as_template("{{ gone }}"), "text", [trust_as_template("{{ gone }}")]])
def test_instances_that_cannot_be_read(discover, fleet, tmp_path, value):
    """Are somebody's too."""
    fleet["hostvars"]["ss1"]["ss_server_instances"] = value
    assert "By hand, into the variables of ss1:" in discover()["lines"]
    assert written(tmp_path, "ss1") is None


def test_groups(discover, fleet):
    """Hosts that the playbooks would not see, and what else stands in the way."""
    fleet["groups"] = {"all": ["ss1", "c1", "web1"]}
    fleet["hostvars"]["c1"]["ss_server_instances"] = [SERVER_INSTANCE]  # a variable of all hosts
    del fleet["hostvars"]["c1"]["rollout_probe_url"]
    lines = discover()["lines"]
    start = lines.index("To add to the inventory, for the playbooks read these groups:")
    end = lines.index("Before a rollout:")
    children = yaml.safe_load("\n".join(lines[start + 1 : end]))["all"]["children"]
    assert children == {"shadowsocks_servers": {"hosts": {"ss1": {}}}, "shadowsocks_clients": {"hosts": {"c1": {}}}}
    assert lines[end:] == [
        "Before a rollout:",
        "  - add the hosts above to their groups",
        "  - set rollout_probe_url: an http URL that must answer through every client",
        "Then: ansible-playbook fastopen.shadowsocks.rollout --check",
    ]


def test_server_outside_of_the_limit(discover, fleet, tmp_path):
    """Is matched all the same, where the inventory knows it for a server, by its group or its variables."""
    assert discover(hosts=["c1"])["changed"]
    assert written(tmp_path, "c1")["ss_client_instances"][0]["server"] == "ss1"
    (tmp_path / "host_vars/c1/shadowsocks.yml").unlink()
    del fleet["groups"]["shadowsocks_servers"]
    discover(hosts=["c1"])
    assert "server" not in written(tmp_path, "c1")["ss_client_instances"][0]
    (tmp_path / "host_vars/c1/shadowsocks.yml").unlink()
    fleet["hostvars"]["ss1"]["ss_server_instances"] = [SERVER_INSTANCE]
    discover(hosts=["c1"])
    assert written(tmp_path, "c1")["ss_client_instances"][0]["server"] == "ss1"


def test_hosts_without_a_look(discover, fleet, tmp_path):
    """Named with the reason, on one line; nothing is written for them; the others are not kept from it."""
    fleet["hostvars"]["ss1"]["__rollout_discovered"] = {"unreachable": True, "msg": "no\x1b[2J\nroute"}
    fleet["hostvars"]["web1"]["__rollout_discovered"] = {"failed": True, "msg": "no Python"}
    fleet["hostvars"]["new1"] = {}
    result = discover(hosts=["ss1", "c1", "web1", "new1"])
    assert {"ss1: unreachable: no [2J route", "web1: no Python", "new1: was not looked at"} <= set(result["lines"])
    assert (written(tmp_path, "ss1"), written(tmp_path, "c1") is None) == (None, False)


def test_nothing_found(discover, fleet):
    """Said."""
    for host in ("ss1", "c1"):
        fleet["hostvars"][host]["__rollout_discovered"] = look()
    result = discover()
    assert (result["changed"], result["files"]) == (False, [])
    assert result["lines"] == ["No Shadowsocks of others runs on: ss1, c1", "Nothing to adopt was found."]


def test_no_place(discover, fleet, tmp_path):
    """Refused with what to set; with discover_dir it is written, and said that this inventory does not read it."""
    fleet["ansible_inventory_sources"] = ["ss1,c1,"]
    with pytest.raises(AnsibleActionFail, match="or set discover_dir"):
        discover()
    said = f"  - with this inventory Ansible does not read {tmp_path}/x: it reads host_vars beside an inventory on disk"
    assert said in discover(folder=str(tmp_path / "x"))["lines"]
    assert (tmp_path / "x/ss1/shadowsocks.yml").is_file()
    (tmp_path / "host_vars").symlink_to(tmp_path / "x")
    fleet["ansible_inventory_sources"] = [str(tmp_path / "hosts")]
    assert said not in discover(folder=str(tmp_path / "x"))["lines"]


def test_file_in_the_way(discover, tmp_path):
    """Left; the other host is written."""
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/ss1.yml").write_text("x: 1\n", "utf-8")
    result = discover()
    assert [one["state"] for one in result["files"]] == ["blocked", "new"]
    assert not (tmp_path / "host_vars/ss1").exists()
    assert "By hand, into the variables of ss1:" in result["lines"]
    assert "could be adopted as shadowsocks-libev" in "\n".join(result["lines"])


def test_full_disk(discover, tmp_path, monkeypatch):
    """Fails by name; the table is told, and the other host is written."""
    write = tfo_discovered._files.write

    def full(path, text):
        if "/ss1/" in path:
            raise OSError("No space left on device")
        write(path, text)

    monkeypatch.setattr(tfo_discovered._files, "write", full)
    result = discover()
    assert result["failed"] and result["msg"] == f"Cannot be written: {tmp_path}/host_vars/ss1/shadowsocks.yml"
    assert "No space left" in "\n".join(result["lines"]) and written(tmp_path, "c1")


def test_what_hosts_say(discover, fleet):
    """Never reaches the terminal as it is."""
    rude = server("\x1b[2J.service", why=["a\nb" + "x" * 300])
    fleet["hostvars"]["ss1"]["__rollout_discovered"] = look(rude)
    lines = discover()["lines"]
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 300
