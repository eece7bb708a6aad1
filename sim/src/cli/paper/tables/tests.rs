//! The tables as snapshots, and the published numbers against what is known of them.

use super::*;

fn cell(mean: f64) -> Option<Cell> {
    Some(mean.into())
}

#[test]
fn tables_fit_a_terminal_also_without_reports() {
    for table in tables(&|_| None) {
        let text = table.shown();
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert_eq!(text.matches("not run").count(), table.rows.len());
    }
}

#[test]
fn a_table_shows_deviations_where_there_is_something_to_deviate_from() {
    let measure = |mean, low, high| Measure { mean, low, high };
    let table = Table {
        title: "A quantity",
        key: "p",
        rows: vec![
            Row::new("0.0".into(), 0.0, cell(0.0), cell(0.5)),
            Row::new(
                "0.1".into(),
                measure(4.0, 2, 6),
                Cell::of_seeds(&[4.2, 4.4]),
                Some(measure(4.1, 2, 7).into()),
            ),
            Row::new("0.2".into(), 4.0, Cell::of_seeds(&[]), None),
        ],
        notes: &["A note."],
    };
    insta::assert_snapshot!(table.shown());
    let json = serde_json::to_value(&table).unwrap();
    assert_eq!(
        json["rows"][1]["reproduced"]["seeds"],
        serde_json::json!([4.2, 4.4])
    );
    assert_eq!(json["rows"][2]["ours"], serde_json::Value::Null);
}

#[test]
fn every_wanted_scenario_has_its_own_name() {
    let mut names = wanted();
    assert!(names.contains(&"path-length-03".to_owned()));
    assert!(names.contains(&"failures-00".to_owned()));
    assert!(names.contains(&"churn-05".to_owned()));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 12 + 6 + 8);
}

/// What was remembered and what was reproduced speak of the same thing: a slip of the pen in
/// either would show here.
#[test]
fn published_and_reproduced_agree() {
    for row in published::PATH_LENGTHS {
        let deviation = row.reproduced.mean / row.remembered() - 1.0;
        assert!(deviation.abs() < 0.09, "2^{}: {deviation}", row.k);
    }
    for row in published::FAILURES {
        assert!(
            (row.path_reproduced.mean / row.path.mean - 1.0).abs() < 0.03,
            "{row:?}"
        );
        assert!(
            (row.timeouts_reproduced.mean - row.timeouts.mean).abs() < 0.17,
            "{row:?}"
        );
    }
    for row in published::CHURN {
        for path in row.path_reproduced {
            assert!((path / row.path.mean - 1.0).abs() < 0.04, "{row:?}");
        }
        for timeouts in row.timeouts_reproduced {
            assert!((timeouts - row.timeouts.mean).abs() < 0.09, "{row:?}");
        }
    }
}
