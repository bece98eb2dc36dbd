//! Which cases are run: `--only G-7`.

use std::str::FromStr;

use super::{Case, cases};

/// A section (`G-7`), a clause (`G-7.3`) or a case (`G-7.3/1`).
///
/// ```
/// use gateway_spec::conformance::Selection;
///
/// assert!("G-7".parse::<Selection>().is_ok());
/// assert!("G-99".parse::<Selection>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(String);

impl Selection {
    /// Whether `case` is one of those that are meant.
    ///
    /// ```
    /// use gateway_spec::conformance::{Selection, cases};
    ///
    /// let first: Selection = "G-1".parse().unwrap();
    /// assert!(cases().filter(|case| first.holds(case)).all(|case| case.clause().starts_with("G-1.")));
    /// ```
    pub fn holds(&self, case: &Case) -> bool {
        // What comes behind must be the next part of the id: G-1 is not the beginning of G-10.
        let rest = case.id.strip_prefix(self.0.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let selection = Selection(text.to_owned());
        if cases().any(|case| selection.holds(case)) {
            Ok(selection)
        } else {
            Err("there is no such case; sections are named as G-7, clauses as G-7.3, cases as G-7.3/1".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(text: &str) -> Vec<&'static str> {
        let selection: Selection = text.parse().unwrap();
        cases().filter(|case| selection.holds(case)).map(|case| case.id).collect()
    }

    #[test]
    fn sections_clauses_and_cases_are_selected_and_nothing_else() {
        assert!(selected("G-1").iter().all(|id| id.starts_with("G-1.")));
        assert!(selected("G-10.1").iter().all(|id| id.starts_with("G-10.1/")));
        assert_eq!(selected("G-7.3/1"), ["G-7.3/1"]);
        let sections: usize = (1..=10)
            .filter_map(|section| format!("G-{section}").parse().ok())
            .map(|one: Selection| cases().filter(|case| one.holds(case)).count())
            .sum();
        assert_eq!(sections, cases().count());
    }

    #[test]
    fn what_selects_nothing_is_a_mistake() {
        for text in ["", "G", "G-", "G-7.", "G-7.3/", "G-7.3/999", "G-99", "7"] {
            assert!(text.parse::<Selection>().is_err(), "{text:?}");
        }
    }
}
