//! Which of the right words a wrong one was meant to be.

/// The candidate that `word` is most like, if it is like any: letters' case, and `_` for `-`, do not count.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('_', "-");
    let tolerated = (word.chars().count() / 3).clamp(1, 3);
    let distances = candidates.into_iter().map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate));
    distances.filter(|(distance, _)| *distance <= tolerated).min_by_key(|(distance, _)| *distance).map(|(_, it)| it)
}

/// ` (did you mean X?)`, or nothing.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |candidate| format!(" (did you mean {candidate:?}?)"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KEYS: [&str; 4] = ["bind", "access-log", "threads", "max-body"];

    #[test]
    fn case_and_underscores_do_not_count() {
        assert_eq!(nearest("Access_Log", KEYS), Some("access-log"));
        assert_eq!(nearest("BIND", KEYS), Some("bind"));
    }

    #[test]
    fn slips_are_forgiven_and_other_words_are_not() {
        assert_eq!(nearest("bnid", KEYS), Some("bind"));
        assert_eq!(nearest("thread", KEYS), Some("threads"));
        assert_eq!(nearest("max_bdoy", KEYS), Some("max-body"));
        assert_eq!(nearest("user", KEYS), None);
        assert_eq!(nearest("", KEYS), None);
    }
}
