//! Guesses what a misspelt word was meant to be. Knows nothing of what the words mean.

/// Longer words are not compared; nobody meant a key by them.
const LONGEST: usize = 64;

/// The candidate that `word` most likely was meant to be, if one is close: one slip in a short
/// word, or one in each three letters. The earlier candidate wins a tie.
pub(super) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    if word.chars().count() > LONGEST {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| {
            let slips = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
            (slips, candidate)
        })
        .filter(|(slips, candidate)| {
            let letters = word.chars().count().max(candidate.chars().count());
            *slips <= (letters / 3).max(1) && *slips < letters.min(candidate.len())
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`, each in backticks.
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>, and: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {and} {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["successors", "replicas", "stabilize_every", "at", "by"];

    #[test]
    fn slips_are_understood() {
        for (slip, meant) in [
            ("succesors", Some("successors")),
            ("Successors", Some("successors")),
            ("stabilise-every", Some("stabilize_every")),
            ("replica", Some("replicas")),
            ("ta", Some("at")),
            ("x", None),
            ("", None),
            ("colour", None),
        ] {
            assert_eq!(nearest(slip, KEYS), meant, "{slip}");
        }
        assert_eq!(nearest(&"successors".repeat(100), KEYS), None);
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(listed([], "and"), "nothing");
        assert_eq!(listed(["a"], "and"), "`a`");
        assert_eq!(listed(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }
}
