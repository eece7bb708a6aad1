//! The project's own rules, held against its own files: arrows between floors, what stays out
//! of the core, the form of files, and what nobody uses.
//!
//! Each rule is a function from made-up or real text to complaints, tested on made-up text where
//! it stands; here they read the project. A complaint points at file and line and says what is
//! wrong.

mod dead;
mod floors;
mod form;
#[path = "../library/mod.rs"]
mod library;
mod source;

use std::fmt;
use std::process::Command;

use library::{File, files, root, scenarios};
use source::{Named, Source};

/// A rule that does not hold somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Complaint {
    file: String,
    line: usize,
    why: String,
}

impl Complaint {
    fn new(file: &str, line: usize, why: String) -> Complaint {
        let file = file.to_owned();
        Complaint { file, line, why }
    }

    fn at(source: &Source, line: usize, why: String) -> Complaint {
        Complaint::new(&source.file, line, why)
    }

    fn of_file(source: &Source, why: String) -> Complaint {
        Complaint::new(&source.file, 1, why)
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.why)
    }
}

impl Named {
    fn shown(&self) -> String {
        self.path.join("::")
    }
}

/// Fails with all complaints, a line each.
fn none(complaints: impl IntoIterator<Item = Complaint>) {
    let lines: Vec<String> = complaints
        .into_iter()
        .map(|found| found.to_string())
        .collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

fn text(file: &File) -> String {
    std::fs::read_to_string(&file.path)
        .unwrap_or_else(|error| panic!("can't read {}: {error}", file.shown))
}

/// All Rust of the project.
fn sources() -> Vec<Source> {
    let folders = [
        "core/src",
        "text/src",
        "src",
        "tests",
        "benches",
        "examples",
        "fuzz/fuzz_targets",
        "sim/src",
        "sim/tests",
        "sim/wasm32/src",
    ];
    for folder in folders {
        assert!(root().join(folder).is_dir(), "there is no {folder}/");
    }
    let mut files: Vec<File> = folders.into_iter().flat_map(files).collect();
    files.retain(|file| file.shown.ends_with(".rs"));
    assert!(
        files.len() > 100,
        "these are not all sources: {}",
        files.len()
    );
    let read = |file: &File| Source::new(&file.shown, &text(file));
    files.iter().map(read).collect()
}

fn names(files: &[File]) -> Vec<String> {
    files.iter().map(|file| file.shown.clone()).collect()
}

#[test]
fn every_arrow_points_down() {
    let sources = sources();
    for house in floors::HOUSES {
        none(
            sources
                .iter()
                .flat_map(|source| floors::arrows(house, source)),
        );
        let library = format!("{}lib.rs", house.folder);
        let library = sources.iter().find(|source| source.file == library);
        none(floors::picture(
            house,
            library.expect("a package has a lib.rs"),
        ));
    }
}

#[test]
fn the_core_and_the_simulation_touch_no_clock_thread_or_chance() {
    let sources = sources();
    let pairs = sources
        .iter()
        .flat_map(|source| floors::BANS.iter().map(move |ban| (ban, source)));
    none(pairs.flat_map(|(ban, source)| floors::banned(ban, source)));
}

#[test]
fn no_package_depends_on_its_strangers() {
    for (house, file) in [
        (floors::CUERDA, "Cargo.toml"),
        (floors::CORE_HOUSE, "core/Cargo.toml"),
        (floors::TEXT_HOUSE, "text/Cargo.toml"),
    ] {
        let manifest = std::fs::read_to_string(root().join(file)).expect("there is a manifest");
        let manifest = toml::de::DeTable::parse(&manifest).expect("it is TOML");
        let dependencies = manifest.get_ref().get("dependencies");
        let dependencies = dependencies.and_then(|found| found.get_ref().as_table());
        for name in dependencies.expect("it is a table").keys() {
            let name = name.get_ref().replace('-', "_");
            assert!(!house.strangers.contains(&name.as_str()), "{file}: {name}");
        }
    }
}

/// Whoever wants the node's wrong variants asks for them by name: no feature brings them along, and
/// nothing that makes a release names theirs.
#[test]
fn no_release_has_wrong_variants() {
    for file in ["Cargo.toml", "core/Cargo.toml", "sim/Cargo.toml"] {
        let manifest = std::fs::read_to_string(root().join(file)).expect("there is a manifest");
        let manifest = toml::de::DeTable::parse(&manifest).expect("it is TOML");
        let features = manifest.get_ref().get("features");
        let features = features.and_then(|found| found.get_ref().as_table());
        let features = features.expect("it has features");
        assert!(features.contains_key("mutants"), "{file}");
        for (name, implied) in features {
            if name.get_ref() != "mutants" {
                let implied = format!("{implied:?}");
                assert!(!implied.contains("mutants"), "{file}: {}", name.get_ref());
            }
        }
    }
    let image = std::fs::read_to_string(root().join("docker/Dockerfile"));
    assert!(!image.expect("there is an image").contains("mutants"));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let sources = sources();
    none(sources.iter().flat_map(form::length));
    none(sources.iter().flat_map(form::head));
    for file in scenarios() {
        none(form::scenario_head(&file.shown, &text(&file)));
    }
}

#[test]
fn nothing_is_left_over() {
    for source in sources() {
        none(form::leftovers(&source.file, &source.text));
    }
    for file in scenarios() {
        none(form::leftovers(&file.shown, &text(&file)));
    }
}

#[test]
fn no_scenario_and_no_snapshot_is_dead() {
    let scenarios = scenarios();
    let played = names(&scenarios);
    let listing = Command::new(env!("CARGO_BIN_EXE_cuerda-sim"))
        .args(["list", "--json"])
        .current_dir(root())
        .output()
        .expect("the program was built for this test");
    let listed: Vec<String> = String::from_utf8_lossy(&listing.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .map(|line: serde_json::Value| line["file"].as_str().expect("a file").replace('\\', "/"))
        .collect();
    none(dead::scenarios(
        &names(&files("scenarios")),
        &played,
        &listed,
    ));

    let mut snapshots = names(&files(dead::SNAPSHOTS));
    snapshots.retain(|file| file.ends_with(".snap"));
    let alive: Vec<&str> = scenarios.iter().map(File::name).collect();
    none(dead::snapshots(&snapshots, &alive));
}

#[test]
fn newcomers_are_told_what_the_gate_runs() {
    let gate = std::fs::read_to_string(root().join(".ci/run")).expect("there is a gate");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let promised = ["cargo sim run scenarios/churn.toml", "cargo test"];
    none(dead::commands(&promised, &readme, &gate));
}

#[test]
fn big_scenarios_are_played_smaller_or_when_asked_for() {
    use library::{EVERY_TIME, Portion, SET_UP, WHEN_ASKED, portion};
    let brief = |size: u64| portion(u32::try_from(size / SET_UP).expect("it fits"), 0);
    assert_eq!(brief(EVERY_TIME), Portion::Whole);
    assert_eq!(brief(EVERY_TIME + SET_UP), Portion::WhenAsked);
    assert_eq!(brief(WHEN_ASKED), Portion::WhenAsked);
    let smaller = u32::try_from(EVERY_TIME / 1000).expect("it fits");
    assert_eq!(portion(1_000_000, 1000 - SET_UP), Portion::Smaller(smaller));
    assert_eq!(portion(1, u64::MAX), Portion::Smaller(1));
}

#[test]
fn what_a_smaller_ring_cannot_show_is_said() {
    use library::{Planned, Portion, left_out};
    let planned = |name: &str, portion, unjudged: &[&str]| Planned {
        name: name.to_owned(),
        portion,
        unjudged: unjudged.iter().copied().map(str::to_owned).collect(),
    };
    let whole = planned("churn", Portion::Whole, &[]);
    assert_eq!(left_out(std::slice::from_ref(&whole)), "");
    let asked = planned("speed", Portion::WhenAsked, &[]);
    let any_size = planned("quiet", Portion::Smaller(9), &[]);
    let of_its_size = planned(
        "scale",
        Portion::Smaller(9),
        &["ring.members", "lookups.ok"],
    );
    let said = left_out(&[whole, asked, any_size, of_its_size]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].starts_with("SKIPPED 1 of 4 scenarios"), "{said}");
    assert!(lines[1].contains("2 of 4 scenarios"), "{said}");
    assert!(
        lines[2].starts_with("NOT JUDGED in scale, ")
            && lines[2].ends_with(": ring.members, lookups.ok"),
        "{said}"
    );
}

#[test]
fn long_lists_are_summed_up_and_short_ones_kept() {
    use library::summarize_lists;
    let names = |count: u32| -> Vec<String> { (0..count).map(|it| format!("n{it}")).collect() };
    let numbers: Vec<u32> = (0..20).collect();
    let mut report = serde_json::json!({
        "faults": [{ "nodes": [names(8), names(9), []] }], "notes": ["one"], "at": numbers,
    });
    summarize_lists(&mut report);
    let long = "n0 n1 n2 n3 n4 n5 n6 n7 … (9 in all)";
    let expected = serde_json::json!({
        "faults": [{ "nodes": [names(8), long, []] }], "notes": ["one"], "at": numbers,
    });
    assert_eq!(report, expected);
}
