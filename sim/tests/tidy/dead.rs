//! What nobody uses: scenarios that no test plays or no list shows, snapshots of scenarios that
//! are gone; and what is promised but not there.

use super::Complaint;

/// Files among the scenarios that no test plays, or that the program does not list.
pub(crate) fn scenarios(all: &[String], played: &[String], listed: &[String]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in all {
        if !played.contains(file) {
            complaints.push(Complaint::new(file, 1, "no test plays it".to_owned()));
        }
        if !listed.contains(file) {
            complaints.push(Complaint::new(
                file,
                1,
                "`cuerda-sim list` does not show it".to_owned(),
            ));
        }
    }
    complaints
}

/// Where the snapshots of scenarios are.
pub(crate) const SNAPSHOTS: &str = "sim/tests/snapshots/scenarios";

/// Snapshots of no scenario. `scenarios` are names as in `paper/churn-05`.
pub(crate) fn snapshots(all: &[String], scenarios: &[&str]) -> Vec<Complaint> {
    let owned = |snapshot: &String| {
        let name = snapshot.strip_prefix(SNAPSHOTS);
        let name = name.and_then(|name| name.strip_prefix('/')?.strip_suffix(".snap"));
        name.is_some_and(|name| scenarios.contains(&name))
    };
    let orphans = all.iter().filter(|snapshot| !owned(snapshot));
    orphans
        .map(|file| Complaint::new(file, 1, "there is no such scenario".to_owned()))
        .collect()
}

/// Promised commands that the README or the gate does not hold: each is the only one of its kind
/// in the shell block of the README with its number, and the gate runs it.
pub(crate) fn commands(promised: &[&str], readme: &str, gate: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut blocks = Vec::new();
    for (number, part) in readme.split("```").enumerate() {
        // Commands stand in shell blocks; drawings and output in others.
        if number % 2 == 1 && (part.starts_with("sh\n") || part.starts_with("console\n")) {
            let lines = part.lines().skip(1);
            blocks.push(
                lines
                    .map(|line| line.trim_start_matches("$ "))
                    .collect::<Vec<_>>(),
            );
        }
    }
    for (number, command) in promised.iter().enumerate() {
        let block = blocks.get(number);
        let first = block.and_then(|lines| lines.iter().find(|line| line.starts_with("cargo ")));
        if first != Some(command) {
            let why = format!(
                "the first command of shell block {} must be `{command}`",
                number + 1
            );
            complaints.push(Complaint::new("README.md", 1, why));
        }
        if !gate
            .lines()
            .any(|line| line.ends_with(&format!(" {command}")))
        {
            let why = format!("must run `{command}`, as the README tells newcomers to");
            complaints.push(Complaint::new(".ci/run", 1, why));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn dead_scenarios_are_found() {
        let all = names(&["scenarios/a.toml", "scenarios/b.tml", "scenarios/c.toml"]);
        let alive = names(&["scenarios/a.toml", "scenarios/c.toml"]);
        assert_eq!(scenarios(&alive, &alive, &alive), []);
        assert_eq!(scenarios(&all, &alive, &all).len(), 1);
        assert_eq!(scenarios(&all, &all, &alive).len(), 1);
    }

    #[test]
    fn orphaned_snapshots_are_found() {
        let all = names(&[
            "sim/tests/snapshots/scenarios/a.snap",
            "sim/tests/snapshots/scenarios/paper/b.snap",
            "sim/tests/snapshots/scenarios/b.snap",
        ]);
        let alive = ["a", "paper/b"];
        assert_eq!(snapshots(&all[..2], &alive), []);
        let orphans = snapshots(&all, &alive);
        assert_eq!(orphans.len(), 1);
        assert_eq!(orphans[0].file, all[2]);
    }

    #[test]
    fn promises_that_are_not_kept_are_found() {
        let promised = ["cargo sim run a.toml", "cargo test"];
        let readme =
            "# It\n```console\n$ cargo sim run a.toml\nPASS\n```\nThen\n```sh\ncargo test\n```\n";
        let gate = "step run cargo sim run a.toml\nstep tests cargo test\n";
        assert_eq!(commands(&promised, readme, gate), []);
        assert_eq!(commands(&promised, readme, "cargo test --all\n").len(), 2);
        let other = readme.replace("cargo test", "cargo test --workspace");
        assert_eq!(commands(&promised, &other, gate).len(), 1);
        assert_eq!(commands(&promised, "", gate).len(), 2);
    }
}
