//! What is set aside, and what became of it, in words.

use cuerda::http::control::{AsideGroup, AsideKey, AsideRestored, SetAside};

use crate::cli::Failure;
use crate::cli::key;
use crate::cli::output::{self, count, harmless};

/// The groups of all nodes as a table.
pub(super) fn groups(all: &[SetAside]) -> String {
    let rows: Vec<[String; 6]> = all
        .iter()
        .flat_map(|of| of.groups.iter().map(move |group| (of.node, group)))
        .map(|(node, group)| {
            [
                node.to_string(),
                group.group.to_string(),
                when(group.group),
                group.records.to_string(),
                group.fields.to_string(),
                group.bytes.to_string(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "nothing is set aside\n".to_owned();
    }
    let head = [
        "node",
        "group",
        "last running",
        "records",
        "fields",
        "bytes",
    ];
    format!(
        "{}\nnext: `cuerda set-aside list GROUP` names the keys; `restore GROUP` merges them into the \
         ring\n",
        output::table(head, rows)
    )
}

/// The keys of a group, one a line.
pub(super) fn keys(keys: &[AsideKey]) -> String {
    let line = |of: &AsideKey| {
        let key = match of.key {
            Some(key) => key.to_string(),
            None => "(damaged on the disk)".to_owned(),
        };
        let fields = count(
            usize::try_from(of.fields).unwrap_or(usize::MAX),
            "field",
            "fields",
        );
        format!("{key}  {fields}, {} bytes\n", of.bytes)
    };
    keys.iter().map(line).collect()
}

/// What was brought back.
pub(super) fn restored(all: &AsideRestored) -> String {
    let imported = &all.imported;
    let done = count(imported.restored, "record", "records");
    let mut words = format!("restored {done}\n");
    if imported.partly > 0 {
        words.push_str(&format!(
            "{} with their owner, but not with as many nodes as should hold them: the nodes go on \
             to spread them\n",
            count(imported.partly, "more is", "more are")
        ));
    }
    if let Some(first) = imported.failed.first() {
        words.push_str(&format!(
            "{} not restored, the first of them {}: {}\n",
            count(imported.failed.len(), "record was", "records were"),
            key::words(None, first.key),
            harmless(&first.why)
        ));
    }
    if all.kept > 0 {
        words.push_str(&format!(
            "{} set aside\nnext: restore the group again when `cuerda ring` shows that all members \
             answer\n",
            count(all.kept, "record is still", "records are still")
        ));
    }
    words
}

/// A failure, and what was done before it.
pub(super) fn after(mut failure: Failure, done: &AsideRestored) -> Failure {
    let records = done.imported.restored + done.imported.partly;
    if records > 0 {
        let records = count(records, "record was", "records were");
        failure.message = format!("{} ({records} restored before)", failure.message);
        failure.hint = format!("{}; then restore the group again", failure.hint);
    }
    failure
}

/// What was dropped.
pub(super) fn dropped(all: &AsideGroup) -> String {
    let records = usize::try_from(all.records).unwrap_or(usize::MAX);
    format!(
        "dropped {} ({} fields, {} bytes)\n",
        count(records, "record", "records"),
        all.fields,
        all.bytes
    )
}

/// Milliseconds since 1970 as people write a time, in UTC.
fn when(milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "never noted".to_owned();
    }
    let seconds = milliseconds / 1000;
    let (year, month, day) = date(seconds / 86400);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC",
        seconds % 60
    )
}

/// The date of a day, counted from 1970. Years are taken to begin in March, so that the day that
/// some have more is their last; 400 of them are an era of always as many days.
fn date(days: u64) -> (u64, u64, u64) {
    /// From March of the year 0 to 1970.
    const BEFORE: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days + BEFORE;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months in a row have 153 days, from March on and from August on.
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::super::super::status::tests::peer;
    use super::*;
    use cuerda::http::control::{Imported, NotRestored};

    fn group(group: u64, records: u64) -> AsideGroup {
        AsideGroup {
            group,
            records,
            fields: records * 2,
            bytes: records * 100,
        }
    }

    #[test]
    fn groups_stand_in_a_table_with_their_times() {
        let of = |node: u8, groups: Vec<AsideGroup>| SetAside {
            node,
            id: peer(node).id,
            groups,
        };
        let all = [
            of(0, vec![group(1_700_000_000_123, 5), group(0, 1)]),
            of(1, vec![group(1_709_164_800_000, 12)]),
        ];
        insta::assert_snapshot!([groups(&all), groups(&all[..0])].join("\n"));
    }

    #[test]
    fn keys_and_what_was_done_are_told() {
        let key = |key, fields| AsideKey {
            key,
            fields,
            bytes: 7,
        };
        let all = AsideRestored {
            imported: Imported {
                restored: 3,
                partly: 1,
                failed: vec![NotRestored {
                    key: peer(5).id,
                    why: "nobody answered".to_owned(),
                }],
            },
            kept: 2,
            next: None,
        };
        let told = [
            keys(&[key(Some(peer(5).id), 1), key(None, 2)]),
            restored(&all),
            dropped(&group(1, 1)),
        ];
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        for (days, told) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_782, (2024, 2, 29)),
            (19_783, (2024, 3, 1)),
            (20_088, (2024, 12, 31)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), told);
        }
    }
}
