//! No text, however spoilt, breaks the reader, and what it takes is in range.

use proptest::prelude::*;
use proptest::sample::Index;

use super::tests::{EVERY_KEY, parse};
use super::{MOST_NODES, Style, quantity};

/// One step of spoiling a file.
#[derive(Clone, Debug)]
enum Slip {
    Delete,
    Double,
    Replace(String),
    Swap(Index),
}

fn slip() -> impl Strategy<Value = Slip> {
    // Words that stand somewhere in such files, and some that should not.
    let words = prop::sample::select(vec![
        "\"0s\"",
        "\"rest\"",
        "\"100%\"",
        "\"n99999\"",
        "0",
        "-1",
        "1e400",
        "nan",
        "\"\"",
        "[]",
        "[[]]",
        "{}",
        "=",
        "\n",
        "[fault]",
        "[[ring]]",
        "\u{0}",
        "ä",
        "\"",
        "''",
        "true",
        "1979-05-27",
        "99999999999999999999",
        "0x10",
        "\"1/s per node\"",
        "\"9y\"",
        "kind",
    ]);
    prop_oneof![
        Just(Slip::Delete),
        Just(Slip::Double),
        words.prop_map(|word| Slip::Replace(word.to_owned())),
        any::<String>().prop_map(Slip::Replace),
        any::<Index>().prop_map(Slip::Swap),
    ]
}

/// Spoils one of the pieces that `text` falls into.
fn spoil(text: &str, pieces: Vec<&str>, at: Index, slip: &Slip) -> String {
    if pieces.is_empty() {
        return text.to_owned();
    }
    let at = at.index(pieces.len());
    let mut pieces = pieces;
    match slip {
        Slip::Delete => {
            pieces.remove(at);
        }
        Slip::Double => pieces.insert(at, pieces[at]),
        Slip::Replace(with) => pieces[at] = with,
        Slip::Swap(other) => {
            let other = other.index(pieces.len());
            pieces.swap(at, other);
        }
    }
    pieces.concat()
}

/// What must hold of anything that the reader says.
fn check(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(scenario) => {
            prop_assert_eq!(scenario.node.validate(), Ok(()));
            prop_assert!((1..=MOST_NODES).contains(&scenario.nodes));
            for fault in &scenario.faults {
                let lasts = fault.lasts.unwrap_or_default();
                prop_assert!(fault.last_beginning() + lasts <= scenario.duration);
                prop_assert!(fault.at <= fault.last_beginning());
            }
            for workload in &scenario.workloads {
                prop_assert!(workload.from < workload.until);
                prop_assert!(workload.until <= scenario.duration);
                prop_assert!((0.0..=quantity::FASTEST).contains(&workload.rate));
            }
        }
        Err(error) => {
            prop_assert!(!error.problems().is_empty());
            let shown = error.to_string();
            let first = &error.problems()[0];
            let place = first.place.as_ref().expect("all stands in the file");
            let place = format!(":{}:{}\n", place.line(), place.column());
            prop_assert!(shown.contains(&place), "{} lacks {}", shown, place);
            prop_assert!(
                error
                    .problems()
                    .iter()
                    .all(|problem| !problem.mistake.help.is_empty())
            );
            prop_assert!(error.render(Style::Coloured).len() > shown.len());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn no_spoilt_file_makes_the_reader_panic(
        slips in prop::collection::vec((any::<Index>(), slip(), 0..3_u8), 1..6)
    ) {
        let mut text = EVERY_KEY.to_owned();
        for (at, slip, size) in &slips {
            let pieces: Vec<&str> = match size {
                0 => text.split_inclusive('\n').collect(),
                1 => text.split_inclusive([' ', '\n', ',']).collect(),
                _ => text.split_inclusive(|_| true).collect(),
            };
            text = spoil(&text, pieces, *at, slip);
        }
        check(&text)?;
    }
}
