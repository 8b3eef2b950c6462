import pytest

from hkcli.dj.era import ERA_4, ERA_2009, UnknownEra, era_of


def test_the_queue_column_tells_the_era_and_dj_era_overrides_it() -> None:
    assert era_of(["id", "handler"], {}) is ERA_2009
    assert era_of(["id", "handler", "queue"], {}) is ERA_4
    assert era_of(["id", "handler"], {"DJ_ERA": "4"}) is ERA_4
    assert era_of(["id", "handler", "queue"], {"DJ_ERA": "2009"}) is ERA_2009
    with pytest.raises(UnknownEra, match=r"DJ_ERA is '2010'\. Use one of: 2009, 4"):
        era_of(["id"], {"DJ_ERA": "2010"})


def test_retry_delays_are_those_of_each_era() -> None:
    assert [ERA_2009.retry_delay_s(prior) for prior in range(5)] == [5, 6, 21, 86, 261]
    assert [ERA_4.retry_delay_s(prior) for prior in range(10)] == [6, 21, 86, 261, 630, 1301, 2406, 4101, 6566, 10005]
    assert ERA_4.retry_delay_s(23) == 331781


def test_2009_runs_a_job_26_times_and_the_gem_25() -> None:
    def runs(era: object) -> int:
        return next(prior + 1 for prior in range(100) if era.is_final(prior, 25))  # type: ignore[attr-defined]

    assert (runs(ERA_2009), runs(ERA_4)) == (26, 25)
