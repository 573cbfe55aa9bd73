"""What a node offers beside cpus and memory: two notations, and what a task is told."""

import pytest

from agent.core.generic_resources import Offer, environment, parse_offers
from agent.daemon import parse_arguments
from agent.drivers.engine_values import facts_from_info
from stackctl.errors import InputError


def test_numbers_are_counted_and_names_are_collected() -> None:
    offer = parse_offers(["SSD=3", "GPU=UUID1,GPU=UUID2", "GPU=UUID1"])
    assert offer == Offer(counts={"SSD": 3}, names={"GPU": ("UUID1", "UUID2")})


@pytest.mark.parametrize("text", ["", "GPU", "GPU=", "=3", "a b=1", "GPU=1=2"])
def test_what_is_no_offer_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not KIND=NUMBER or KIND=NAME"):
        parse_offers([text])


@pytest.mark.parametrize("texts", [["GPU=1", "GPU=2"], ["GPU=a", "GPU=2"], ["GPU=2", "GPU=a"]])
def test_a_kind_has_a_number_or_names(texts: list[str]) -> None:
    with pytest.raises(InputError, match="generic resource GPU is either one number or names"):
        parse_offers(texts)


def test_the_flag_holds_where_the_engine_says_otherwise() -> None:
    engine = Offer(counts={"SSD": 1, "GPU": 4}, names={"FPGA": ("f1",)})
    flag = Offer(counts={"FPGA": 2}, names={"GPU": ("u1",)})
    assert flag.over(engine) == Offer(counts={"SSD": 1, "FPGA": 2}, names={"GPU": ("u1",)})


def test_an_engine_tells_its_resources_in_both_notations() -> None:
    body = {
        "GenericResources": [
            {"DiscreteResourceSpec": {"Kind": "SSD", "Value": 3}},
            {"NamedResourceSpec": {"Kind": "GPU", "Value": "UUID1"}},
            {"NamedResourceSpec": {"Kind": "GPU", "Value": "UUID2"}},
        ]
    }
    facts = facts_from_info(body, (1, 41))
    assert facts.generic == {"SSD": 3}
    assert facts.generic_named == {"GPU": ("UUID1", "UUID2")}


def test_a_task_is_told_what_it_was_given() -> None:
    told = environment({"SSD": 2, "gpu": 1}, {"gpu": ("UUID1",)})
    assert told == ("DOCKER_RESOURCE_SSD=2", "DOCKER_RESOURCE_GPU=UUID1")


def test_the_agent_has_a_flag_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data-address", "10.0.0.1", "--generic-resource"]
    assert parse_arguments([*words, "SSD=2"]).generic == Offer(counts={"SSD": 2})
    with pytest.raises(SystemExit):
        parse_arguments([*words, "SSD"])
    assert "'SSD' is not KIND=NUMBER or KIND=NAME" in capsys.readouterr().err
