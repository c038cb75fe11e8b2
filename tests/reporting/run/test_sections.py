"""Other ways on the page of a run: there where they were compared, kept, and drawn again."""

from __future__ import annotations

import pytest

from alexnet.errors import RunError
from alexnet.records import Compared
from alexnet.reporting import add_comparison, redraw_report, write_report


def ways(evidence) -> list[dict]:
    results = evidence.results
    return [
        Compared(
            name="from scratch", weights=None, results=None, seconds=3.0, remark="It <stood> still."
        ).to_json(),
        Compared(name="fine-tuned", weights="w", results=results, seconds=75.2).to_json(),
    ]


def test_the_table_stands_first_and_is_kept(evidence_of, tmp_path):
    evidence = evidence_of()
    write_report(tmp_path, evidence)
    page = tmp_path / "report" / "index.html"
    assert 'id="ways"' not in page.read_text()
    assert add_comparison(tmp_path, ways(evidence)) == page
    text = page.read_text()
    assert text.index('id="ways"') < text.index('id="curves"')
    assert "the centre crop of each held-out picture" in text
    assert "It &lt;stood&gt; still." in text
    assert f"{100 * evidence.results.top1:.1f}" in text[text.index('id="ways"') :]
    assert "75\u202fs" in text
    page.unlink()
    redraw_report(tmp_path)
    assert page.read_text() == text


def test_without_a_report_there_is_nothing_to_add_to(tmp_path):
    with pytest.raises(RunError, match="nothing to draw a report from"):
        add_comparison(tmp_path, [])


def test_a_record_reads_its_own_json(evidence_of):
    found = [Compared.from_json(each) for each in ways(evidence_of())]
    assert [each.to_json() for each in found] == ways(evidence_of())
    assert found[0].results is None
