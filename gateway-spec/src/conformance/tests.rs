//! What ties SPEC.md, the cases and the rules of Lint to each other.

use std::{collections::BTreeSet, path::Path};

use super::*;
use crate::{
    lint::RULES,
    spec::{self, clauses},
};

/// The rows of "Clauses without a case": clause, why, what holds it.
fn without_case() -> Vec<[&'static str; 3]> {
    let (_, section) = spec::TEXT.split_once("### 11.1 ").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| G-"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().try_into().unwrap()).collect()
}

/// The parts of `text` between `open` and `close`.
fn between(text: &'static str, open: &str, close: &str) -> Vec<&'static str> {
    text.split(open).skip(1).filter_map(|rest| rest.split(close).next()).collect()
}

#[test]
fn every_clause_has_a_case_or_says_why_it_has_none() {
    let cases: BTreeSet<_> = cases().map(Case::clause).collect();
    let rows = without_case();
    for clause in clauses() {
        let listed = rows.iter().filter(|[id, ..]| *id == clause.id).count();
        assert_eq!(listed, usize::from(!cases.contains(clause.id)), "{}", clause.id);
    }
    let ids: BTreeSet<_> = clauses().map(|clause| clause.id).collect();
    assert!(rows.iter().all(|[id, ..]| ids.contains(id)), "a row for a clause that is not there");
}

#[test]
fn every_case_is_of_a_clause_that_is_as_strict() {
    for case in cases() {
        let clause = spec::clause(case.clause()).unwrap_or_else(|| panic!("{} is of no clause", case.id));
        assert!(
            clause.sentence.contains(case.level.as_str()),
            "{}: {} is not in {clause}",
            case.id,
            case.level.as_str()
        );
        let weaker = case.demands().all(|(level, text)| level >= case.level && !text.is_empty());
        assert!(weaker, "{}: another text is said to be stricter than the contract", case.id);
        assert!(!case.title.is_empty() && !case.expect.is_empty(), "{}", case.id);
        assert_eq!(case.elsewhere.is_empty(), case.hosts.len() == 3, "{}", case.id);
    }
}

#[test]
fn cases_are_numbered_and_in_the_order_of_the_contract() {
    let mut expected = Vec::new();
    for clause in clauses() {
        let count = cases().filter(|case| case.clause() == clause.id).count();
        expected.extend((1..=count).map(|number| format!("{}/{number}", clause.id)));
    }
    assert_eq!(cases().map(|case| case.id).collect::<Vec<_>>(), expected);
    assert!(expected.len() >= 120);
}

#[test]
fn every_rule_of_lint_is_of_a_clause() {
    for rule in RULES {
        assert!(spec::clause(rule.clause).is_some(), "{} is of {}, which is not there", rule.id, rule.clause);
    }
}

/// Rules, and files of tests, beside SPEC.md or below the workspace.
#[test]
fn what_holds_a_clause_without_a_case_is_there() {
    for [id, why, holds] in without_case() {
        assert!(!why.is_empty() && !holds.is_empty(), "{id}");
        for link in between(holds, "](", ")") {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(link).is_file(), "{id}: {link}");
        }
        let rules = between(holds, "rule", ",").concat() + &between(holds, "rule", "of G-").concat();
        for name in holds.split('`').skip(1).step_by(2).filter(|name| rules.contains(&format!("`{name}`"))) {
            let rule = RULES.iter().find(|rule| rule.id == name).unwrap_or_else(|| panic!("{id}: no rule {name}"));
            assert!(rule.clause == id || holds.contains(rule.clause), "{id}: {name} is of {}", rule.clause);
        }
    }
    // A clause that binds applications, and has a rule, names it.
    for rule in RULES {
        let row = without_case().into_iter().find(|[id, ..]| *id == rule.clause);
        assert!(
            row.is_none_or(|[.., holds]| holds.contains(&format!("`{}`", rule.id))),
            "{}: {}",
            rule.clause,
            rule.id
        );
    }
}
