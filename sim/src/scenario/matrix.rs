//! Latencies from a file beside the scenario: a table of milliseconds, as measurements of real
//! networks are published.
//!
//! The file itself is read by whoever has files; here its text is understood.

use std::time::Duration;

/// The most rows of a table.
const MOST_ROWS: usize = 4096;
/// The longest time that a table can name, in milliseconds: an hour.
const LONGEST_MS: f64 = 3_600_000.0;

/// Reads a square table of milliseconds: a line for each row, its numbers apart by blanks or commas;
/// what follows a `#` is a comment. What is wrong begins with the line's number.
pub(super) fn matrix(text: &str) -> Result<Vec<Vec<Duration>>, String> {
    let mut rows: Vec<(usize, Vec<Duration>)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let said = line.split('#').next().unwrap_or_default();
        let apart = |letter: char| letter == ',' || letter.is_whitespace();
        let cells = said.split(apart).filter(|cell| !cell.is_empty());
        let row: Result<Vec<Duration>, String> = cells.map(|cell| time(cell, number)).collect();
        let row = row?;
        if row.is_empty() {
            continue;
        }
        if rows.len() == MOST_ROWS {
            return Err(format!("line {number}: {MOST_ROWS} rows are the most"));
        }
        rows.push((number, row));
    }
    let count = rows.len();
    if count == 0 {
        return Err("line 1: there is no number".to_owned());
    }
    if let Some((number, row)) = rows.iter().find(|(_, row)| row.len() != count) {
        let (has, rows) = (row.len(), count);
        return Err(format!(
            "line {number}: the row has {has} numbers, and there are {rows} rows"
        ));
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn time(cell: &str, line: usize) -> Result<Duration, String> {
    match cell.parse::<f64>() {
        Ok(milliseconds) if (0.0..=LONGEST_MS).contains(&milliseconds) => {
            Ok(Duration::from_nanos((milliseconds * 1e6) as u64))
        }
        _ => Err(format!(
            "line {line}: \"{cell}\" is no number of milliseconds"
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_is_read_with_its_comments() {
        let ms = Duration::from_millis;
        let read = matrix("# from, to\n0, 80 # west\n\n70.5\t2\n");
        let expected = vec![
            vec![ms(0), ms(80)],
            vec![Duration::from_micros(70_500), ms(2)],
        ];
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, wrong) in [
            ("", "line 1: there is no number"),
            (
                "1 2\n\n3\n",
                "line 3: the row has 1 numbers, and there are 2 rows",
            ),
            ("1 2\n3 x\n", "line 2: \"x\" is no number of milliseconds"),
            ("1 -2\n3 4\n", "line 1: \"-2\" is no number of milliseconds"),
            ("nan\n", "line 1: \"nan\" is no number of milliseconds"),
        ] {
            assert_eq!(matrix(text), Err(wrong.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in any::<String>()) {
            if let Ok(rows) = matrix(&text) {
                prop_assert!(rows.iter().all(|row| row.len() == rows.len()));
            }
        }
    }
}
