"""How does a gate's report fit where GitHub shows it: a comment of a pull request, the summary of a step?"""

from __future__ import annotations

from synapse_perf.analyze.gate_report import GateReport
from synapse_perf.report.gate_document import gate_document
from synapse_perf.report.render import document_text

MARKER = "<!-- synapse-perf:gate -->"  # by which the comment of an earlier run is found, and replaced
COMMENT_BYTES = 65_536  # GitHub counts characters, of which there are never more
SUMMARY_BYTES = 1024**2  # of one step, whoever writes to it
_CUT = "\n*Cut here, for its length. The log of the job has it whole.*\n"
_UNSEEN = "&#8203;"  # a space without width: no longer a name that GitHub would notify, or link


def gate_markdown(report: GateReport) -> str:
    """The report for a comment: it begins with the marker, mentions nobody, and is cut where it is too long."""
    text = document_text(gate_document(report), "md", ascii_only=False)
    return capped(f"{MARKER}\n{text.replace('@', f'@{_UNSEEN}').replace(_SIGN, f'#{_UNSEEN}')}", COMMENT_BYTES)


_SIGN = "\\#"  # as Markdown's writer has it; what heads a title is not escaped


def capped(text: str, most_bytes: int) -> str:
    """The lines that fit, and a word about the rest; nothing where not even that fits."""
    if len(text.encode()) <= most_bytes:
        return text
    left = most_bytes - len(_CUT.encode())
    kept = []
    for line in text.splitlines(keepends=True):
        left -= len(line.encode())
        if left < 0:
            break
        kept.append(line)
    return "".join(kept) + _CUT if kept else ""
