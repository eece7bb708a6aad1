//! Who may use whom: floors, and what stays out of them.
//!
//! A floor uses the floors below it and its own, never one above. Some floors are kept free of
//! clocks, threads and the like altogether; `clippy.toml` forbids much of that with exceptions,
//! here are none.

use super::Complaint;
use super::source::Source;

/// A package and its floors.
#[derive(Debug)]
pub(crate) struct House {
    /// Where its sources are.
    pub(crate) folder: &'static str,
    /// What it is called in a path.
    pub(crate) name: &'static str,
    /// Its modules and how high each stands.
    pub(crate) floors: &'static [(&'static str, u8)],
    /// Packages that it never names.
    pub(crate) strangers: &'static [&'static str],
}

/// The protocol's package.
pub(crate) const CORE_HOUSE: House = House {
    folder: "core/src/",
    name: "cuerda_core",
    floors: &[
        ("ring", 0),
        ("record", 0),
        ("hint", 0),
        ("marks", 0),
        ("store", 1),
        ("protocol", 2),
        ("chord", 3),
    ],
    // A node is a value: nothing that performs I/O is even compiled for it.
    strangers: &[
        "cuerda",
        "cuerda_sim",
        "tokio",
        "turmoil",
        "rusqlite",
        "nix",
        "libc",
        "mio",
        "socket2",
        "rustls",
        "hyper",
        "axum",
        "clap",
        "tracing",
    ],
};

/// What both command lines say alike.
pub(crate) const TEXT_HOUSE: House = House {
    folder: "text/src/",
    name: "cuerda_text",
    floors: &[
        ("mistake", 0),
        ("suggest", 0),
        ("words", 0),
        ("diagnostic", 1),
        ("duration", 1),
        ("table", 1),
        ("terminal", 2),
    ],
    // It knows neither nodes nor scenarios, and what it is asked to write is not sent anywhere.
    strangers: &[
        "cuerda",
        "cuerda_core",
        "cuerda_sim",
        "clap",
        "nix",
        "tokio",
        "toml",
        "tracing",
    ],
};

/// The program's package. Not all of its floors are built.
pub(crate) const CUERDA: House = House {
    folder: "src/",
    name: "cuerda",
    floors: &[("host", 0), ("http", 1), ("cli", 2)],
    // The harness and what it is made of must not enter the shipped program.
    strangers: &["cuerda_sim", "turmoil", "stateright", "libtest_mimic"],
};

/// The harness.
pub(crate) const SIM: House = House {
    folder: "sim/src/",
    name: "cuerda_sim",
    floors: &[
        ("scenario", 0),
        ("world", 1),
        ("check", 2),
        ("report", 3),
        ("run", 4),
        ("explore", 5),
        ("cli", 6),
    ],
    strangers: &[],
};

/// All packages.
pub(crate) const HOUSES: &[House] = &[CORE_HOUSE, TEXT_HOUSE, CUERDA, SIM];

impl House {
    fn floor(&self, module: &str) -> Option<u8> {
        let found = self.floors.iter().find(|(name, _)| *name == module);
        found.map(|(_, floor)| *floor)
    }
}

/// Arrows that point up, and strangers.
pub(crate) fn arrows(house: &House, source: &Source) -> Vec<Complaint> {
    let Some(within) = source.file.strip_prefix(house.folder) else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    let module = within.split(['/', '.']).next().unwrap_or_default();
    let own = house.floor(module);
    if own.is_none() && !matches!(within, "lib.rs" | "main.rs") {
        let why = format!("`{module}` stands on no floor; give it one in sim/tests/tidy/floors.rs");
        complaints.push(Complaint::of_file(source, why));
    }
    for named in &source.named {
        let first = named.path[0].as_str();
        if house.strangers.contains(&first) {
            let why = format!(
                "`{}` must not enter the package {}",
                named.shown(),
                house.name
            );
            complaints.push(Complaint::at(source, named.line, why));
        }
        if first != "crate" && first != house.name {
            continue;
        }
        let used = named.path.get(1).and_then(|module| house.floor(module));
        if let (Some(own), Some(used)) = (own, used)
            && used > own
        {
            let why = format!(
                "`{}` is on floor {used}, above {module} on floor {own}",
                named.shown()
            );
            complaints.push(Complaint::at(source, named.line, why));
        }
    }
    complaints
}

/// Floors whose number in the picture at the head of `lib.rs` is another one.
pub(crate) fn picture(house: &House, library: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in library.text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(place) = words.iter().position(|word| word.parse::<u8>().is_ok()) else {
            continue;
        };
        for folder in words[..place]
            .iter()
            .filter_map(|word| word.strip_suffix('/'))
        {
            let shown = words[place].parse().ok();
            if shown != house.floor(folder) {
                let why = format!("{folder}/ is on another floor in sim/tests/tidy/floors.rs");
                complaints.push(Complaint::at(library, index + 1, why));
            }
        }
    }
    complaints
}

/// Something that does not belong into some folders.
#[derive(Debug)]
pub(crate) struct Ban {
    folders: &'static [&'static str],
    /// What of these folders it does not concern.
    except: &'static [&'static str],
    paths: &'static [&'static str],
    why: &'static str,
}

/// Below the hosts: a node is a value.
const CORE: &[&str] = &["core/src/"];

/// What both command lines share.
const TEXT: &[&str] = &["text/src/"];

/// The one world that is real.
const REAL: &[&str] = &["sim/src/world/containers/"];

/// Where the harness must go the same way each time.
const SIMULATED: &[&str] = &[
    "sim/src/scenario/",
    "sim/src/world/",
    "sim/src/check/",
    "sim/src/explore/",
];

pub(crate) const BANS: &[Ban] = &[
    Ban {
        folders: CORE,
        except: &[],
        paths: CLOCKS,
        why: "time comes from the world, below the hosts",
    },
    Ban {
        folders: SIMULATED,
        except: REAL,
        paths: CLOCKS,
        why: "simulated time is the only one here",
    },
    Ban {
        folders: CORE,
        except: &[],
        paths: &["tokio", "std::thread"],
        why: "a node handles one input after the other, and whoever runs it decides when",
    },
    Ban {
        folders: SIMULATED,
        except: REAL,
        paths: &["std::thread"],
        why: "a simulated world has one thread",
    },
    Ban {
        folders: CORE,
        except: &[],
        paths: &[
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::UdpSocket",
            "std::fs",
            "std::env",
            "std::process",
        ],
        why: "a node reaches the world through its Network and its Store only",
    },
    Ban {
        folders: CORE,
        except: &[],
        paths: &["rand", "rand_core", "rand_chacha", "getrandom", "fastrand"],
        why: "a node draws no random numbers",
    },
    Ban {
        folders: TEXT,
        except: &[],
        paths: &[
            "std::net",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
        ],
        why: "all that this package does to the world is to write to stdout and stderr",
    },
    Ban {
        folders: TEXT,
        except: &["text/src/terminal.rs"],
        paths: &["std::io"],
        why: "what a wasm32 program needs is kept apart from the terminal",
    },
    Ban {
        folders: SIMULATED,
        except: &[],
        paths: &["getrandom", "rand::rng", "rand::random"],
        why: "all random numbers come from the scenario's seed",
    },
    Ban {
        folders: CORE,
        except: &[],
        paths: HASH_TABLES,
        why: "its order changes from run to run; a BTreeMap keeps one",
    },
    Ban {
        folders: SIMULATED,
        except: &[],
        paths: HASH_TABLES,
        why: "its order changes from run to run; a BTreeMap keeps one",
    },
];

const CLOCKS: &[&str] = &["std::time::Instant", "std::time::SystemTime"];

const HASH_TABLES: &[&str] = &[
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
    "std::collections::hash_set",
    "std::hash::RandomState",
    "hashbrown",
];

/// Paths that a ban forbids in this file; `*` may be any of them.
pub(crate) fn banned(ban: &Ban, source: &Source) -> Vec<Complaint> {
    if !ban
        .folders
        .iter()
        .any(|folder| source.file.starts_with(folder))
        || ban
            .except
            .iter()
            .any(|folder| source.file.starts_with(folder))
    {
        return Vec::new();
    }
    let offends = |path: &[String]| {
        ban.paths.iter().any(|banned| {
            let banned: Vec<&str> = banned.split("::").collect();
            match path.split_last() {
                Some((last, before)) if last == "*" => {
                    banned.iter().zip(before).all(|(one, other)| one == other)
                }
                _ => {
                    path.len() >= banned.len()
                        && banned.iter().zip(path).all(|(one, other)| one == other)
                }
            }
        })
    };
    source
        .named
        .iter()
        .filter(|named| offends(&named.path))
        .map(|named| {
            Complaint::at(
                source,
                named.line,
                format!("`{}`: {}", named.shown(), ban.why),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(complaints: &[Complaint]) -> Vec<usize> {
        complaints.iter().map(|complaint| complaint.line).collect()
    }

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let text =
            "use super::id::Id;\nuse crate::{ring, chord::Node};\nfn f() { crate::store::x() }";
        let source = Source::new("core/src/ring/arc.rs", text);
        assert_eq!(lines(&arrows(&CORE_HOUSE, &source)), [2, 3]);
        let source = Source::new(
            "core/src/chord/mod.rs",
            "use crate::{ring::Id, chord::op, store};",
        );
        assert_eq!(
            arrows(&CORE_HOUSE, &source),
            [],
            "down and sideways is fine"
        );
        let source = Source::new("src/host/mod.rs", "use crate::http::x;");
        assert_eq!(lines(&arrows(&CUERDA, &source)), [1]);
        let source = Source::new(
            "sim/src/world/mod.rs",
            "use super::super::check;\nuse cuerda_sim::run;",
        );
        assert_eq!(lines(&arrows(&SIM, &source)), [1, 2]);
    }

    #[test]
    fn strangers_and_rooms_without_a_floor_are_found() {
        let source = Source::new(
            "src/host/mod.rs",
            "\nuse cuerda_sim::world;\nuse turmoil as net;",
        );
        assert_eq!(lines(&arrows(&CUERDA, &source)), [2, 3]);
        let source = Source::new("src/attic/mod.rs", "");
        assert_eq!(lines(&arrows(&CUERDA, &source)), [1]);
    }

    #[test]
    fn a_picture_that_is_not_true_is_found() {
        let good = "//!   store/    1   the protocol\n//!   ring/ record/  0   arcs\n//! 3 words\n";
        assert_eq!(
            picture(&CORE_HOUSE, &Source::new("core/src/lib.rs", good)),
            []
        );
        let source = Source::new(
            "src/lib.rs",
            &good.replace('1', "0").replace("ring/", "rung/"),
        );
        assert_eq!(lines(&picture(&CORE_HOUSE, &source)), [1, 2]);
    }

    #[test]
    fn each_ban_fires_in_each_of_its_folders() {
        for ban in BANS {
            for folder in ban.folders {
                for path in ban.paths {
                    let (parent, last) = path.rsplit_once("::").unwrap_or(("", path));
                    let mut texts =
                        vec![format!("use {path};"), format!("fn f() {{ {path}::x(); }}")];
                    if !parent.is_empty() {
                        texts.push(format!("use {parent}::*;"));
                        texts.push(format!("use {parent}::{{self, {last} as other}};"));
                        texts.push(format!(
                            "use {parent} as other; fn f(x: other::{last}) {{}}"
                        ));
                    }
                    for text in texts {
                        let source = Source::new(&format!("{folder}x.rs"), &text);
                        assert_ne!(banned(ban, &source), [], "{text}");
                        let elsewhere = Source::new("sim/src/cli/x.rs", &text);
                        assert_eq!(banned(ban, &elsewhere), [], "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_resembles_a_banned_path_is_none() {
        let text =
            "use std::time::Duration; use std::net::SocketAddr; use std::collections::{BTreeMap};
                    use crate::random; fn rand() {} // std::fs";
        for folder in ["core/src/chord/x.rs", "sim/src/world/x.rs"] {
            let source = Source::new(folder, text);
            for ban in BANS {
                assert_eq!(banned(ban, &source), []);
            }
        }
    }
}
