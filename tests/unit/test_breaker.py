"""A breaker opens, waits, is probed, and tries one request."""

from albert.routing.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    breaker.fail(sure=True)
    return breaker


def test_it_opens_at_the_third_failure_in_a_row() -> None:
    breaker = Breaker(Clock())
    assert [breaker.fail(), breaker.fail()] == [False, False]
    assert breaker.admits
    assert breaker.fail()
    assert (breaker.state, breaker.admits) == ("open", False)


def test_a_success_between_two_failures_starts_the_count_again() -> None:
    breaker = Breaker(Clock())
    breaker.fail()
    breaker.fail()
    breaker.succeed()
    breaker.fail()
    breaker.fail()
    assert breaker.state == "closed"


def test_one_failure_that_leaves_no_doubt_is_enough() -> None:
    assert opened(Clock()).state == "open"


def test_the_pause_doubles_with_each_failed_probe_up_to_half_a_minute() -> None:
    clock = Clock()
    breaker = opened(clock)
    waits = []
    for _ in range(8):
        waits.append(breaker.wait)
        clock.now += breaker.wait
        assert breaker.due
        breaker.probed(well=False)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_no_request_passes_before_a_probe_went_well() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 1000
    assert not breaker.admits
    breaker.probed(well=True)
    assert (breaker.state, breaker.admits) == ("half-open", True)


def test_half_open_one_request_passes_and_decides() -> None:
    breaker = opened(Clock())
    breaker.probed(well=True)
    breaker.begin()
    assert not breaker.admits
    breaker.succeed()
    assert (breaker.state, breaker.admits) == ("closed", True)


def test_a_beginning_ends_a_trial_and_forgets_no_failure() -> None:
    breaker = Breaker(Clock())
    for _ in range(2):
        breaker.answered()
        assert not breaker.fail()  # in the middle of its answer
    breaker.answered()
    assert breaker.fail()
    breaker.probed(well=True)
    breaker.begin()
    breaker.answered()
    assert (breaker.state, breaker.admits) == ("closed", True)
    assert breaker.fail()  # it has not ended an answer since


def test_half_open_a_failure_opens_it_again_for_longer() -> None:
    clock = Clock()
    breaker = opened(clock)
    breaker.probed(well=True)
    breaker.begin()
    assert breaker.fail()
    assert (breaker.state, breaker.wait) == ("open", 1.0)


def test_a_reader_who_leaves_decides_nothing() -> None:
    breaker = opened(Clock())
    breaker.probed(well=True)
    breaker.begin()
    breaker.release()
    assert (breaker.state, breaker.admits) == ("half-open", True)


def test_an_answer_asked_before_it_opened_does_not_close_it() -> None:
    breaker = opened(Clock())
    breaker.succeed()
    assert breaker.state == "open"
