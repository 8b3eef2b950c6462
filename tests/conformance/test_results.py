from tests.conformance import results

ANEW = "make it anew: python -m tests.conformance.results"


def test_the_tables_of_results_say_what_the_tests_play() -> None:
    assert results.DOCUMENT.read_text() == results.document(), ANEW
    assert len(results.MARKED.findall(results.README.read_text())) == 1
    assert results.README.read_text() == results.readme(), ANEW
