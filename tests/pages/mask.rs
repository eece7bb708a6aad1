//! Comparing what a page shows with what was printed, apart from what no two runs have in common.

/// A text without what differs from run to run, as lines.
///
/// Ids, stamps and times of many digits, ports, and how long something took are left out, and so
/// is how many spaces keep columns apart.
fn masked(text: &str) -> Vec<String> {
    text.trim_end().lines().map(mask_line).collect()
}

fn mask_line(line: &str) -> String {
    let words: Vec<String> = line.split_whitespace().map(mask_word).collect();
    let mut shown: Vec<&str> = words.iter().map(String::as_str).collect();
    let units = ["ms", "s", "µs"];
    for place in 1..shown.len() {
        let unit = shown[place].trim_end_matches([',', ';']);
        if units.contains(&unit) && shown[place - 1].starts_with(|c: char| c.is_ascii_digit()) {
            shown[place - 1] = "TIME";
        }
    }
    shown.join(" ")
}

/// Replaces runs of eight and more hexadecimal digits, and the port behind an address.
fn mask_word(word: &str) -> String {
    let mut masked = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_ascii_alphanumeric();
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if length == 0 {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (run, behind) = rest.split_at(length);
        let is_id = length >= 8 && run.chars().all(|c| c.is_ascii_hexdigit());
        let is_port = masked.ends_with("127.0.0.1:");
        masked.push_str(if is_id {
            "ID"
        } else if is_port {
            "PORT"
        } else {
            run
        });
        rest = behind;
    }
    masked
}

/// Whether that was printed which a page shows. There, `…` stands for anything within a line, and
/// for any lines if it stands alone.
pub(crate) fn agree(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (masked(shown), masked(printed));
    fits(&shown, &printed)
}

fn line_fits(shown: &str, printed: &str) -> bool {
    let shown: Vec<String> = shown.split_inclusive('…').flat_map(pieces).collect();
    let mut rest = printed;
    for (place, piece) in shown.iter().enumerate() {
        if piece == "…" {
            continue;
        }
        let free = place > 0 && shown[place - 1] == "…";
        let last = place + 1 == shown.len();
        let found = match (free, last) {
            (false, _) => rest.starts_with(piece.as_str()).then_some(0),
            (true, true) => rest
                .ends_with(piece.as_str())
                .then(|| rest.len() - piece.len()),
            (true, false) => rest.find(piece.as_str()),
        };
        let Some(found) = found else {
            return false;
        };
        rest = &rest[found + piece.len()..];
    }
    rest.is_empty() || shown.last().is_some_and(|piece| piece == "…")
}

/// What stands before a `…`, and that.
fn pieces(text: &str) -> Vec<String> {
    let before = text.strip_suffix('…');
    let mut pieces = vec![before.unwrap_or(text).to_owned()];
    if before.is_some() {
        pieces.push("…".to_owned());
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Whether lines fit those of a pattern.
fn fits(shown: &[String], printed: &[String]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "…" => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        (Some((shown, more)), Some((printed, rest))) => {
            line_fits(shown, printed) && fits(more, rest)
        }
        _ => false,
    }
}

#[test]
fn only_what_differs_from_run_to_run_may_differ() {
    let row = "1c457ee0  127.0.0.1:4001  0.29 ms       owner";
    assert!(agree(row, "27b81d5d 127.0.0.1:14000  12 ms  owner\n"));
    assert!(!agree(row, "27b81d5d 127.0.0.1:14000  12 ms  closer\n"));
    assert!(!agree("stored on 3 of 3", "stored on 2 of 3"));
    assert!(!agree("stored on 3 of 3", "stored on 3 of 3\nand more"));
    let stamp = "stamp 1795780519003.0@27b81d5da11e5c7a752e926f5a7d266757644e39";
    assert!(agree(
        stamp,
        &stamp.replace('8', "a").replace("1795", "1801")
    ));
    assert!(!agree(stamp, &stamp.replace(".0@", ".1@")));
    assert!(agree("a\n…\nc", "a\nb\nb\nc"));
    assert!(!agree("a\n…\nc", "a\nb\nb"));
    assert!(agree("date: …\ne", "date: Friday\ne"));
    assert!(agree("{…\"a\":1…}", "{\"b\":2,\"a\":1,\"c\":3}"));
    assert!(!agree("{…\"a\":1…}", "{\"b\":2,\"a\":2,\"c\":3}"));
    assert!(!agree("date: …\ne", "data: Friday\ne"));
}
