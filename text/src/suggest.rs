//! Guesses what a misspelt word was meant to be. Knows nothing of what the words mean.

/// Longer words are not compared: nobody meant a known word by them, and comparing takes the
/// product of both lengths.
const LONGEST: usize = 64;

/// The candidate that `word` most likely was meant to be, if one is close: one slip in a short
/// word, or one in each three letters. Case does not count, nor does `-` for `_`. The earlier
/// candidate wins a tie.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    nearest_by(word, candidates, |candidate| (*candidate).to_owned())
}

/// The same among things that have names.
pub fn nearest_by<T>(
    word: &str,
    candidates: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> String,
) -> Option<T> {
    if word.chars().count() > LONGEST {
        return None;
    }
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let word = plain(word);
    let length = word.chars().count();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let name = plain(&name(&candidate));
            let slips = strsim::damerau_levenshtein(&word, &name);
            let letters = name.chars().count();
            let close = slips <= (length.max(letters) / 3).max(1) && slips < length.min(letters);
            close.then_some((slips, candidate))
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
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
    fn things_are_found_by_their_names() {
        let things = [(1, "kill-two"), (2, "churn")];
        let found = |word| nearest_by(word, things, |(_, name)| (*name).to_owned());
        assert_eq!(found("kil_two"), Some((1, "kill-two")));
        assert_eq!(found("CHRUN"), Some((2, "churn")));
        assert_eq!(found("partition"), None);
    }
}
