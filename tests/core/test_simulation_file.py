"""The simulation file: what it may say, and how it says what is wrong."""

from __future__ import annotations

import pytest

from broker.errors import Malformed
from broker.times import MINUTE
from simulators.city import City
from simulators.loading import EXAMPLE, carry, load

MINIMAL = "gateways: [{organisation: air-agency, id: air-1, mqtt: {}}]\n"


@pytest.fixture
def written(tmp_path):
    def write(content):
        file = tmp_path / "city.yaml"
        file.write_text(content)
        return file

    return write


def test_the_example_is_a_valid_file(written, tmp_path):
    for name in ("air-1.password", "roads-1.password"):
        (tmp_path / name).write_text("secret\n")
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "speed_6005.csv").write_text("timestamp,value\n2015-08-31 18:22:00,90\n")
    simulation = load(written(EXAMPLE))
    assert simulation.backfill == 30 * MINUTE
    assert simulation.gateways[0].mqtt.secret() == "secret"
    carried = carry(simulation, City(simulation.seed, simulation.sensors))
    assert {sensor.theme for sensor in carried["in/air-agency/air-1"]} == {"air"}
    assert {sensor.id for sensor in carried["in/roads/roads-1"]} >= {"flow-1", "flow-4", "speed-1", "laeq-1"}
    assert "speed-2" not in {sensor.id for sensor in carried["in/roads/roads-1"]}


def test_a_minimal_file_is_a_city_in_real_time(written):
    simulation = load(written(MINIMAL))
    assert (simulation.seed, simulation.sensors, simulation.speed, simulation.start_ago) == (0, 46, 1.0, 0)


RECORDED = MINIMAL + "recordings: [{organisation: air-agency, gateway: air-1, datastream: old, file: old.csv%s}]"


@pytest.mark.parametrize(
    ("options", "loops"),
    [("", True), (", keep_times: true", False), (", loop: false", False), (", loop: true", True)],
)
def test_a_recording_begins_again_unless_it_keeps_its_times(written, tmp_path, options, loops):
    (tmp_path / "old.csv").write_text("timestamp,value\n2020-01-01,1\n")
    assert load(written(RECORDED % options)).recordings[0].loops is loops


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("gateways: [", "is not YAML"),
        ("", "the file: "),
        ("gateways: []", "the file: .*expected gateways"),
        (MINIMAL + "sped: 2", "sped: Extra inputs are not permitted"),
        (MINIMAL + "speed: 0", "speed: Input should be greater than 0"),
        (MINIMAL + "speed: 60", "speed 60 would run ahead of the present.* start_ago"),
        (MINIMAL + "backfill: P1M", "backfill: .*expected ISO 8601"),
        (MINIMAL + "backfill: 30", "backfill: .*expected an ISO 8601 duration"),
        (MINIMAL.replace("{}", "{port: 0}"), r"gateways\.0\.mqtt\.port: "),
        (MINIMAL.replace("{}", "{password: a, password_file: b}"), "password or password_file, not both"),
        (MINIMAL.replace("{}", "{password_file: nowhere}"), "password_file .*nowhere"),
        (MINIMAL.replace("id: air-1", "id: Air 1"), r"gateways\.0\.id: "),
        (
            MINIMAL.replace("id: air-1", "id: unheard-of"),
            "gateway unheard-of: give its sensors; only air-1, ",
        ),
        (
            MINIMAL.replace("mqtt: {}", 'mqtt: {}, sensors: ["pm10-*"]'),
            "no sensor of the city is called 'pm10-\\*'",
        ),
        (
            MINIMAL.replace("[{", "[{organisation: air-agency, id: air-1, mqtt: {}}, {"),
            "air-agency/air-1 is there twice",
        ),
        (RECORDED % "", r"old\.csv: No such file"),
        (RECORDED % ", zone: Mars/Base", "no time zone 'Mars/Base' is known"),
        (RECORDED % ", keep_times: true, loop: true", "would send the same records again"),
        (
            (RECORDED % "").replace("gateway: air-1", "gateway: air-2"),
            "recording old: no gateway air-agency/air-2",
        ),
    ],
)
def test_a_mistake_is_named_with_the_file_and_the_place(written, content, said):
    file = written(content)
    with pytest.raises(Malformed, match=said) as refusal:
        load(file)
    assert str(refusal.value).startswith(str(file))


def test_a_recording_may_not_share_the_datastream_of_a_sensor(written, tmp_path):
    (tmp_path / "old.csv").write_text("timestamp,value\n2020-01-01,1\n")
    with pytest.raises(Malformed, match="in/air-agency/air-1/pm25-1 already"):
        load(written((RECORDED % "").replace("datastream: old", "datastream: pm25-1")))


def test_a_mistake_beside_a_password_does_not_show_the_password(written):
    with pytest.raises(Malformed) as refusal:
        load(written(MINIMAL.replace("{}", "{password: [tell-nobody], port: tell-nobody}")))
    assert "tell-nobody" not in str(refusal.value)
