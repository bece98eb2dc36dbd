//! What was found, for people and for programs.

use std::fmt::{self, Write};

use super::{Judgement, Verdict};
use crate::spec;

/// What was found of one server.
///
/// ```
/// use gateway_spec::conformance::Column;
///
/// assert_eq!(Column::new("nobody").summary(), "nobody: 0 pass, 0 warn, 0 fail, 0 skipped");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Column {
    /// The server's name and version.
    pub name: String,
    /// The judgements, in the order of the cases.
    pub judgements: Vec<Judgement>,
}

/// What was found of several servers: judged by the same cases, in the same order.
///
/// ```
/// use gateway_spec::conformance::{Column, Matrix};
///
/// let matrix: Matrix = [Column::new("one"), Column::new("two")].into_iter().collect();
/// assert_eq!(matrix.columns.len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Matrix {
    /// One for each server.
    pub columns: Vec<Column>,
}

impl Column {
    /// A server of which nothing is known yet.
    ///
    /// ```
    /// assert!(gateway_spec::conformance::Column::new("gunicorn 27").judgements.is_empty());
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Column { name: name.into(), judgements: Vec::new() }
    }

    /// How many cases had this verdict.
    ///
    /// ```
    /// use gateway_spec::conformance::{Column, Verdict};
    ///
    /// assert_eq!(Column::new("nobody").count(Verdict::Pass), 0);
    /// ```
    pub fn count(&self, verdict: Verdict) -> usize {
        self.judgements.iter().filter(|judgement| judgement.verdict == verdict).count()
    }

    /// Whether no case failed; if `strict`, none warned either.
    ///
    /// ```
    /// assert!(gateway_spec::conformance::Column::new("nobody").conforms(true));
    /// ```
    pub fn conforms(&self, strict: bool) -> bool {
        self.count(Verdict::Fail) == 0 && !(strict && self.count(Verdict::Warn) > 0)
    }

    /// The counts in a line.
    ///
    /// ```
    /// println!("{}", gateway_spec::conformance::Column::new("nobody").summary());
    /// ```
    pub fn summary(&self) -> String {
        let [pass, warn, fail, skip] =
            [Verdict::Pass, Verdict::Warn, Verdict::Fail, Verdict::Skip].map(|verdict| self.count(verdict));
        format!("{}: {pass} pass, {warn} warn, {fail} fail, {skip} skipped", self.name)
    }
}

impl Matrix {
    /// One object, with each case and what each server made of it.
    ///
    /// ```
    /// let matrix = gateway_spec::conformance::Matrix::default();
    /// assert!(matrix.to_json().starts_with(r#"{"servers":["#));
    /// ```
    pub fn to_json(&self) -> String {
        let names = self.columns.iter().map(|column| {
            let counts = [Verdict::Pass, Verdict::Warn, Verdict::Fail, Verdict::Skip]
                .map(|verdict| format!("\"{}\":{}", verdict.as_str().to_lowercase(), column.count(verdict)));
            format!("{{\"name\":{},{}}}", string(&column.name), counts.join(","))
        });
        let cases = self.rows().map(|row| {
            let case = row[0].case;
            let demands: Vec<_> = case.demands().map(|(_, text)| string(text)).collect();
            let verdicts = row.iter().map(|judgement| {
                let verdict = string(&judgement.verdict.as_str().to_lowercase());
                format!("{{\"verdict\":{verdict},\"reason\":{}}}", string(&judgement.reason))
            });
            format!(
                "{{\"id\":{},\"clause\":{},\"level\":{},\"title\":{},\"expect\":{},\"demanded_by\":[{}],\"verdicts\":[{}]}}",
                string(case.id),
                string(case.clause()),
                string(case.level.as_str()),
                string(case.title),
                string(case.expect),
                demands.join(","),
                verdicts.collect::<Vec<_>>().join(",")
            )
        });
        let (names, cases): (Vec<_>, Vec<_>) = (names.collect(), cases.collect());
        format!("{{\"servers\":[{}],\n\"cases\":[\n{}\n]}}\n", names.join(","), cases.join(",\n"))
    }

    /// Tables: a summary, the cases by section, and what was seen where it was not what was expected.
    ///
    /// ```
    /// let matrix = gateway_spec::conformance::Matrix::default();
    /// assert!(matrix.to_markdown().starts_with("| server |"));
    /// ```
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("| server | pass | warn | fail | skipped |\n|---|---:|---:|---:|---:|\n");
        for column in &self.columns {
            let [pass, warn, fail, skip] =
                [Verdict::Pass, Verdict::Warn, Verdict::Fail, Verdict::Skip].map(|verdict| column.count(verdict));
            line(&mut text, format_args!("| {} | {pass} | {warn} | {fail} | {skip} |", column.name));
        }
        let mut section = "";
        for row in self.rows() {
            let case = row[0].case;
            let of = case.id.split('.').next().unwrap_or_default();
            if of != section {
                section = of;
                line(&mut text, format_args!("\n## {section}: {}\n", title(section)));
                let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
                line(&mut text, format_args!("| case | | {} |", names.join(" | ")));
                line(&mut text, format_args!("|---|---|{}", "---|".repeat(names.len())));
            }
            let cells: Vec<_> = row.iter().map(|judgement| cell(judgement)).collect();
            line(&mut text, format_args!("| {} | {} | {} |", case.id, escaped(case.title), cells.join(" | ")));
        }
        text.push_str("\n## What was seen\n");
        for column in &self.columns {
            let noted = |judgement: &&Judgement| matches!(judgement.verdict, Verdict::Fail | Verdict::Warn);
            let mut noted = column.judgements.iter().filter(noted).peekable();
            if noted.peek().is_some() {
                line(&mut text, format_args!("\n### {}\n", column.name));
            }
            for Judgement { case, verdict, reason } in noted {
                let demands: Vec<_> = case.demands().map(|(_, text)| text).collect();
                let by = if demands.is_empty() { String::new() } else { format!(" ({})", demands.join("; ")) };
                let (title, expect, seen) = (escaped(case.title), escaped(case.expect), escaped(reason));
                line(&mut text, format_args!("* {} {verdict}: {title}: {expect}{by}. Seen: {seen}", case.id));
            }
        }
        text
    }

    /// What each server made of each case.
    fn rows(&self) -> impl Iterator<Item = Vec<&Judgement>> {
        let cases = self.columns.iter().map(|column| column.judgements.len()).min().unwrap_or(0);
        (0..cases).map(|index| self.columns.iter().map(|column| &column.judgements[index]).collect())
    }
}

impl FromIterator<Column> for Matrix {
    fn from_iter<I: IntoIterator<Item = Column>>(columns: I) -> Self {
        Matrix { columns: columns.into_iter().collect() }
    }
}

impl fmt::Display for Judgement {
    /// A line, and two more where there is something to say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:<9} {}", self.verdict, self.case.id, self.case.title)?;
        match self.verdict {
            Verdict::Warn | Verdict::Fail => {
                write!(f, "\n     expected: {}\n     seen: {}", self.case.expect, self.reason)
            }
            _ if self.reason.is_empty() => Ok(()),
            _ => write!(f, "\n     {}", self.reason),
        }
    }
}

/// A verdict in a table. What is left open and was done in another way than ours passes, and is marked.
fn cell(judgement: &Judgement) -> &'static str {
    match judgement.verdict {
        Verdict::Pass if !judgement.reason.is_empty() => "open",
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Fail => "**FAIL**",
        Verdict::Skip => "–",
    }
}

/// The title of a section of SPEC.md.
fn title(section: &str) -> &'static str {
    let begin = section.replace("G-", "## ") + ". ";
    spec::TEXT.lines().find_map(|line| line.strip_prefix(begin.as_str())).unwrap_or_default()
}

fn line(text: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{arguments}");
}

/// Text inside of a table or a list.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if matches!(character, '|' | '*' | '_' | '<' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// A JSON string.
fn string(text: &str) -> String {
    let mut string = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => string.extend(['\\', character]),
            '\0'..='\x1f' => drop(write!(string, "\\u{:04x}", u32::from(character))),
            _ => string.push(character),
        }
    }
    string.push('"');
    string
}
