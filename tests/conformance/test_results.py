from tests.conformance import results


def test_the_table_of_results_says_what_the_tests_play() -> None:
    assert results.DOCUMENT.read_text() == results.document(), "make it anew: python -m tests.conformance.results"
