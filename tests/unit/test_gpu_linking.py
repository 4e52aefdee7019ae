"""Which step brings a graphics card to where it is wanted, from wherever it is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert.deploy.gpu.linking import Goal, Step, next_step
from albert.deploy.gpu.outscale import Gpu, Machine, place
from albert.deploy.gpu.signature import Key, headers
from albert.deploy.gpu.trial import doubt
from albert.domain.errors import DeploymentError, EnvironmentInvalid

VM = "i-1"
PLACE = {
    "OSC_ACCESS_KEY": "AK",
    "OSC_SECRET_KEY": "SK",
    "OSC_GPU_ID": "fgpu-1",
    "OSC_VM_ID": VM,
}


def gpu(state: str, vm: str = VM) -> Gpu:
    return Gpu(id="fgpu-1", state=state, vm="" if state == "allocated" else vm, model="nvidia-a100")


def machine(state: str) -> Machine:
    return Machine(id=VM, state=state, tags={})


@pytest.mark.parametrize(
    ("goal", "card", "vm", "step"),
    [
        ("link", "allocated", "running", "link"),
        ("link", "attaching", "running", "stop"),
        ("link", "attaching", "stopping", "wait"),
        ("link", "attaching", "stopped", "wait"),
        ("link", "attached", "stopped", "start"),
        ("link", "attached", "pending", "wait"),
        ("link", "attached", "running", "done"),
        ("link", "detaching", "running", "stop"),
        ("unlink", "attached", "running", "unlink"),
        ("unlink", "attaching", "running", "unlink"),
        ("unlink", "detaching", "running", "stop"),
        ("unlink", "detaching", "stopped", "wait"),
        ("unlink", "allocated", "stopped", "start"),
        ("unlink", "allocated", "running", "done"),
        ("unlink-and-stop", "allocated", "running", "stop"),
        ("unlink-and-stop", "allocated", "stopped", "done"),
    ],
)
def test_the_next_step_follows_from_what_is(goal: Goal, card: str, vm: str, step: Step) -> None:
    assert next_step(goal, gpu(card), machine(vm)) == step


@pytest.mark.parametrize(
    ("goal", "card"),
    [
        ("link", "attaching"),
        ("link", "detaching"),
        ("unlink", "detaching"),
        ("unlink-and-stop", "detaching"),
    ],
)
def test_a_machine_that_was_stopped_before_is_started_when_nothing_moves(
    goal: Goal, card: str
) -> None:
    assert next_step(goal, gpu(card), machine("stopped"), still=59) == "wait"
    assert next_step(goal, gpu(card), machine("stopped"), still=60) == "start"


@pytest.mark.parametrize("goal", ["link", "unlink"])
def test_the_card_of_another_machine_is_left_alone(goal: Goal) -> None:
    with pytest.raises(DeploymentError, match="à une autre machine"):
        next_step(goal, gpu("attached", vm="i-2"), machine("running"))


def test_a_machine_that_is_gone_is_named() -> None:
    with pytest.raises(DeploymentError, match="terminated"):
        next_step("link", gpu("allocated"), machine("terminated"))


@pytest.mark.parametrize("goal", ["link", "unlink", "unlink-and-stop"])
@pytest.mark.parametrize(("card", "vm"), [("error", "running"), ("", "running"), ("attached", "?")])
def test_from_a_state_nobody_knows_there_is_no_step(goal: Goal, card: str, vm: str) -> None:
    with pytest.raises(DeploymentError, match="un état inconnu"):
        next_step(goal, gpu(card), machine(vm))


CARDS = ("allocated", "attaching", "attached", "detaching")
MACHINES = ("pending", "running", "stopping", "stopped")
AFTER: dict[str, str] = {"pending": "running", "stopping": "stopped"}


@given(
    st.sampled_from(["link", "unlink", "unlink-and-stop"]),
    st.sampled_from(CARDS),
    st.sampled_from(MACHINES),
)
def test_from_anywhere_the_steps_lead_to_the_goal(goal: Goal, card: str, vm: str) -> None:
    """The cloud: a card changes as its machine is stopped, and a machine gets where it goes."""
    steps: list[Step] = []
    while not steps or steps[-1] != "done":
        assert len(steps) < 20, steps
        step = next_step(goal, gpu(card), machine(vm))
        steps.append(step)
        if step in ("link", "unlink"):
            card = "attaching" if step == "link" else "detaching"
        elif step in ("stop", "start"):
            vm = "stopping" if step == "stop" else "pending"
        else:
            vm = AFTER.get(vm, vm)
        if vm == "stopped":
            card = {"attaching": "attached", "detaching": "allocated"}.get(card, card)
    assert card == ("attached" if goal == "link" else "allocated")
    assert vm == ("stopped" if goal == "unlink-and-stop" else "running")


@pytest.mark.parametrize(
    ("environment", "tags"),
    [
        ("staging-dinum", {"env": "staging"}),
        ("staging-dinum", {"ENVIRONNEMENT": "staging-dinum", "Name": "albert-gpu"}),
        ("dev", {"Environment": "Development", "domaine": "essai.exemple.fr"}),
        ("staging-dinum", {"env": "staging", "produit": "albert", "Name": "albert-preprod"}),
    ],
)
def test_a_machine_is_of_trial_when_its_name_and_its_tag_say_so(
    environment: str, tags: dict[str, str]
) -> None:
    assert doubt(environment, tags) == ""


@pytest.mark.parametrize(
    ("environment", "tags", "why"),
    [
        ("staging-dinum", {}, "elle n'a pas l'étiquette env=staging"),
        ("staging-dinum", {"Name": "staging"}, "elle n'a pas l'étiquette"),
        ("staging-dinum", {"Env": "production"}, "étiquette Env=production"),
        ("staging-dinum", {"env": "live"}, "étiquette env=live n'est pas celle d'un essai"),
        ("staging-dinum", {"env": "staging", "environment": "live"}, "environment=live"),
        ("staging-dinum", {"env": "staging", "Name": "albert-main-1"}, "Name=albert-main-1"),
        ("staging-dinum", {"env": "staging", "Name": "dinum-prod2"}, "Name=dinum-prod2"),
        ("staging-dinum", {"env": "staging", "Name": "albertprod"}, "Name=albertprod"),
        ("staging-dinum", {"env": "staging", "production": "oui"}, "production=oui"),
        ("main-dinum", {"env": "staging"}, "« main-dinum »"),
        ("main-test", {"env": "staging"}, "« main-test »"),
        ("dinum", {"env": "staging"}, "« dinum »"),
    ],
)
def test_in_doubt_a_machine_is_in_production(
    environment: str, tags: dict[str, str], why: str
) -> None:
    assert why in doubt(environment, tags)


def test_the_signature_is_that_of_the_publisher_s_client() -> None:
    """The expected value was computed by osc-sdk-python 0.42.0 for the same instant."""
    made = headers(
        Key("AK", "SK"),
        region="eu-west-2",
        host="api.eu-west-2.outscale.com",
        path="/api/v1/ReadVms",
        body=b'{"Filters": {"VmIds": ["i-1"]}}',
        now=datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC),
    )
    assert made["X-Osc-Date"] == "20261129T120000Z"
    assert made["Authorization"] == (
        "OSC4-HMAC-SHA256 Credential=AK/20261129/eu-west-2/api/osc4_request, "
        "SignedHeaders=content-type;host;x-osc-date, "
        "Signature=83cc1a68f4c4cf3a3514cbdcd9ac5626be81f45703137eef27f8b023c48896ad"
    )


def test_what_is_missing_is_named() -> None:
    with pytest.raises(EnvironmentInvalid, match="OSC_SECRET_KEY, OSC_VM_ID"):
        place({"OSC_ACCESS_KEY": "AK", "OSC_GPU_ID": "fgpu-1"}, "eu-west-2")


def test_an_address_in_the_clear_is_refused() -> None:
    with pytest.raises(EnvironmentInvalid, match="OSC_ENDPOINT_API"):
        place({**PLACE, "OSC_ENDPOINT_API": "http://api.example/api/v1"}, "eu-west-2")


def test_no_secret_is_shown() -> None:
    assert "SK" not in repr(place(PLACE, "eu-west-2"))
