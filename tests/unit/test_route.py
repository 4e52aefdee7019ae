"""Which replica is taken, who waits, and what a reload changes."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from albert.domain.errors import ModelDown, ModelNotFound, ModelOverloaded, TableInvalid
from albert.routing.fleet import Fleet
from albert.routing.reading import parse
from albert.routing.replica import FixedEndpoint, LiveReplica, choose
from albert.routing.route import Route
from albert.routing.table import Limits, RoutedModel, RoutingTable


def replicas(*weights: float, limit: int | None = None) -> list[LiveReplica]:
    return [
        LiveReplica(FixedEndpoint(f"http://{i}/v1"), weight=w, limit=limit, clock=lambda: 0.0)
        for i, w in enumerate(weights)
    ]


def route_to(some: Sequence[LiveReplica], **limits: float) -> Route:
    made = Route(RoutedModel(name="m"))
    model = RoutedModel(name="m", limits=Limits.model_validate(limits))
    made.follow(model, some)
    return made


def table(text: str) -> RoutingTable:
    made, mistakes = parse(text)
    assert not mistakes
    return made


class TestChoice:
    def test_the_least_busy_for_its_weight_is_chosen(self) -> None:
        heavy, light = replicas(2, 1)
        heavy.in_flight, light.in_flight = 3, 1
        assert choose([heavy, light]) is light  # 3/2 against 1
        heavy.in_flight = 1
        assert choose([heavy, light]) is heavy

    def test_requests_one_by_one_are_shared_by_weight(self) -> None:
        some = replicas(3, 1)
        route = route_to(some)

        async def scenario() -> Counter[int]:
            served: Counter[int] = Counter()
            for _ in range(40):
                taken = await route.turn()
                served[some.index(taken)] += 1
                route.leave(taken)
            return served

        assert asyncio.run(scenario()) == {0: 30, 1: 10}

    def test_one_that_comes_back_does_not_catch_up(self) -> None:
        first, second = some = replicas(1, 1)
        route = route_to(some)

        async def scenario() -> list[LiveReplica]:
            second.fail(sure=True)
            for _ in range(10):
                route.leave(await route.turn())
            second.breaker.probed(well=True)
            second.breaker.succeed()
            taken = []
            for _ in range(4):
                taken.append(await route.turn())
                route.leave(taken[-1])
            return taken

        assert asyncio.run(scenario()).count(first) == 2

    def test_a_conversation_goes_to_the_replica_that_knows_it(self) -> None:
        some = replicas(1, 1, 1)
        known = choose(some, "conversation")
        assert known is not None
        known.in_flight = 2
        assert choose(some, "conversation") is known
        known.in_flight = 3  # busier by more than two: the cache is not worth the wait
        assert choose(some, "conversation") is not known

    def test_a_replica_that_leaves_moves_its_own_conversations_only(self) -> None:
        some = replicas(1, 1, 1)
        names = [f"c{i}" for i in range(300)]
        before = {name: choose(some, name) for name in names}
        assert {some.index(one) for one in before.values() if one} == {0, 1, 2}
        some[2].draining = True
        moved = [name for name in names if choose(some, name) is not before[name]]
        assert moved == [name for name in names if before[name] is some[2]]


class TestTurns:
    def test_beyond_its_limit_one_waits_for_its_turn(self) -> None:
        route = route_to(replicas(1, limit=1))

        async def scenario() -> None:
            taken = await route.turn()
            second = asyncio.create_task(route.turn())
            await asyncio.sleep(0)
            assert (second.done(), route.waiting) == (False, 1)
            route.leave(taken)
            assert await second is taken

        asyncio.run(scenario())

    def test_whoever_came_first_is_served_first(self) -> None:
        route = route_to(replicas(1, limit=1))
        served: list[str] = []

        async def ask(name: str) -> None:
            taken = await route.turn()
            served.append(name)
            await asyncio.sleep(0)
            route.leave(taken)

        async def scenario() -> None:
            await asyncio.gather(*(ask(name) for name in "abcde"))

        asyncio.run(scenario())
        assert served == list("abcde")

    def test_a_full_queue_refuses_with_the_seconds_to_wait(self) -> None:
        route = route_to(replicas(1, limit=1), queue=0)

        async def scenario() -> None:
            await route.turn()
            with pytest.raises(ModelOverloaded) as raised:
                await route.turn()
            assert raised.value.seconds == 1

        asyncio.run(scenario())

    def test_a_wait_that_is_too_long_is_refused_and_takes_no_turn(self) -> None:
        route = route_to(replicas(1, limit=1), wait=0.01)

        async def scenario() -> None:
            taken = await route.turn()
            with pytest.raises(ModelOverloaded):
                await route.turn()
            assert route.waiting == 0
            route.leave(taken)
            assert await route.turn() is taken

        asyncio.run(scenario())

    def test_a_reader_who_leaves_the_queue_gives_its_turn_away(self) -> None:
        route = route_to(replicas(1, limit=1))

        async def scenario() -> None:
            taken = await route.turn()
            leaver = asyncio.create_task(route.turn())
            stayer = asyncio.create_task(route.turn())
            await asyncio.sleep(0)
            route.leave(taken)  # calls the leaver
            leaver.cancel()
            assert await asyncio.wait_for(stayer, 5) is taken

        asyncio.run(scenario())

    def test_without_any_replica_up_nobody_waits(self) -> None:
        some = replicas(1, 1)
        route = route_to(some)
        for one in some:
            one.fail(sure=True)

        async def scenario() -> None:
            with pytest.raises(ModelDown) as raised:
                await route.turn()
            assert raised.value.seconds == 1

        asyncio.run(scenario())

    def test_on_trial_a_replica_serves_one_and_the_others_wait(self) -> None:
        (only,) = some = replicas(1)
        route = route_to(some)
        only.fail(sure=True)
        only.breaker.probed(well=True)

        async def scenario() -> None:
            trial = await route.turn()
            others = [asyncio.create_task(route.turn()) for _ in range(3)]
            await asyncio.sleep(0)
            assert route.waiting == 3
            trial.breaker.succeed()
            route.leave(trial)
            assert await asyncio.gather(*others) == [only] * 3

        asyncio.run(scenario())


ONE = """{"m": {"driver": "openai", "aliases": ["a"], "replicas": [%s]}}"""
HERE, THERE = '{"host": "http://here/v1"}', '{"host": "http://there/v1", "key_variable": "KEY"}'


class TestReload:
    def test_a_model_is_found_by_name_and_alias(self) -> None:
        fleet = Fleet(table(ONE % HERE))
        assert fleet.route("a") is fleet.route("m")
        with pytest.raises(ModelNotFound, match="Modèles connus : m"):
            fleet.route("x")

    def test_a_replica_of_both_tables_keeps_its_state(self) -> None:
        fleet = Fleet(table(ONE % HERE))
        (before,) = fleet.route("m").replicas
        before.in_flight = 3
        fleet.reload(table(ONE % '{"host": "http://here/v1", "weight": 5}'))
        (after,) = fleet.route("m").replicas
        assert after is before
        assert (after.weight, after.in_flight) == (5, 3)

    def test_one_that_has_gone_gets_nothing_more_and_ends_what_it_began(self) -> None:
        fleet = Fleet(table(ONE % HERE), key_of=lambda _: "k")
        (gone,) = fleet.route("m").replicas
        gone.in_flight = 1
        fleet.reload(table(ONE % THERE))
        assert [r.endpoint.base_url for r in fleet.route("m").replicas] == ["http://there/v1"]
        assert (gone.state, "", gone) == ("draining", *list(fleet.replicas())[-1])
        gone.in_flight = 0
        assert len(list(fleet.replicas())) == 1

    def test_a_model_renamed_answers_to_its_earlier_name_where_it_is_now(self) -> None:
        fleet = Fleet(table(ONE % HERE), key_of=lambda _: "k")
        renamed = (ONE % THERE).replace('"m"', '"new"').replace('"a"', '"m"')
        fleet.reload(table(renamed))
        assert fleet.route("m") is fleet.route("new")
        assert [route.model.name for route in fleet] == ["new"]

    def test_whoever_waits_for_a_model_that_leaves_is_told(self) -> None:
        limited = '"driver": "openai", "limits": {"concurrent": 1}'
        fleet = Fleet(table((ONE % HERE).replace('"driver": "openai"', limited)))

        async def scenario() -> None:
            route = fleet.route("m")
            await route.turn()
            waiting = asyncio.create_task(route.turn())
            await asyncio.sleep(0)
            fleet.reload(RoutingTable({}))
            with pytest.raises(ModelDown):
                await waiting

        asyncio.run(scenario())

    def test_a_key_that_is_not_set_is_named_and_changes_nothing(self) -> None:
        fleet = Fleet(table(ONE % HERE))
        with pytest.raises(TableInvalid, match="KEY"):
            fleet.reload(table(ONE % THERE))
        assert fleet.route("m").replicas[0].endpoint.base_url == "http://here/v1"

    def test_a_replica_without_a_host_is_the_engine_launched_here_or_the_service_beside(
        self,
    ) -> None:
        engine = FixedEndpoint("http://127.0.0.1:4242/v1", "made-up")
        text = '{"m": {"driver": "llama.cpp", "file": "m.gguf", "replicas": [{"port": 8001}]}}'
        launched = Fleet(table(text), launched={"m": engine}.get)
        beside = Fleet(table(text))
        assert launched.route("m").replicas[0].endpoint is engine
        assert beside.route("m").replicas[0].endpoint.base_url == "http://127.0.0.1:8001/v1"
