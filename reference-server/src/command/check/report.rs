//! What was found, for people and for scripts.

use std::fmt::Write as _;

use gateway_spec::spec;
use serde_json::{Value, json};

use super::{Found, Summary};

/// For people: a line that says it all, and each finding with what was sent, seen and expected.
pub(super) fn text(summary: &Summary) -> String {
    let Summary { target, requests, found, unanswered } = summary;
    let count = match found.len() {
        0 => "nothing found".into(),
        1 => "1 finding".into(),
        count => format!("{count} findings"),
    };
    let mut text = format!("{target}: {requests} requests, {count}\n");
    for (number, found) in found.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}. {}", number + 1, finding(found));
    }
    if !unanswered.is_empty() {
        let _ = writeln!(text, "\nNo answer came in time to:");
    }
    for title in unanswered {
        let _ = writeln!(text, "  {title}");
    }
    text
}

fn finding(Found { sent, finding }: &Found) -> String {
    let clause = spec::clause(finding.clause);
    let lines = [
        ("sent", sent.as_str()),
        ("seen", &finding.seen),
        ("expected", finding.expected),
        ("clause", clause.as_ref().map_or("", |clause| &clause.sentence)),
        ("why", clause.as_ref().map_or("", |clause| &clause.why)),
    ];
    let mut text = format!("{} [{}], by the {}, at {}\n", finding.clause, finding.rule, finding.side, finding.request);
    for (name, value) in lines {
        let _ = writeln!(text, "   {name:9} {value}");
    }
    for line in finding.traceback.iter().flat_map(|traceback| traceback.lines()) {
        let _ = writeln!(text, "   | {line}");
    }
    text
}

/// For scripts: one object.
pub(super) fn json(summary: &Summary) -> String {
    let Summary { target, requests, found, unanswered } = summary;
    let findings: Vec<Value> = found.iter().map(object).collect();
    let summary = json!({ "target": target, "requests": requests, "findings": findings, "unanswered": unanswered });
    format!("{summary:#}\n")
}

fn object(Found { sent, finding }: &Found) -> Value {
    let clause = spec::clause(finding.clause);
    json!({
        "clause": finding.clause,
        "level": clause.as_ref().map(|clause| clause.level.as_str()),
        "sentence": clause.as_ref().map(|clause| &clause.sentence),
        "why": clause.as_ref().map(|clause| &clause.why),
        "rule": finding.rule,
        "side": finding.side.as_str(),
        "sent": sent,
        "request": finding.request,
        "seen": finding.seen,
        "expected": finding.expected,
        "traceback": finding.traceback,
    })
}
