//! What this program is called by whoever runs it: the beginning of the commands that it prints.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The words with which this process was started: `cargo sim` if cargo runs it from within the
/// workspace, where that is an alias, and otherwise the program itself, as it was called.
pub(crate) fn words() -> Vec<String> {
    let directory = std::env::current_dir().unwrap_or_default();
    let called = std::env::args_os().next();
    called_so(|name| std::env::var_os(name), &directory, called)
}

/// The same, given the environment, the current directory and the first argument.
fn called_so(
    variable: impl Fn(&str) -> Option<OsString>,
    directory: &Path,
    called: Option<OsString>,
) -> Vec<String> {
    // Cargo tells a program which package it runs; its children are told so, too.
    let of_this_package =
        variable("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
    let manifest = variable("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let workspace = manifest.as_deref().and_then(Path::parent);
    let within = workspace.is_some_and(|workspace| is_within(directory, workspace));
    if of_this_package && within {
        return ["cargo", "sim"].map(str::to_owned).to_vec();
    }
    let called = called.filter(|called| !called.is_empty());
    let called = called.map_or_else(
        || env!("CARGO_BIN_NAME").to_owned(),
        |called| called.to_string_lossy().into_owned(),
    );
    vec![called]
}

/// Links on the way make no difference.
fn is_within(directory: &Path, folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(directory).starts_with(real(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(package: Option<&str>, directory: &str, by: Option<&str>) -> Vec<String> {
        let variable = |name: &str| match name {
            "CARGO_PKG_NAME" => package.map(OsString::from),
            "CARGO_MANIFEST_DIR" => package.map(|_| OsString::from("/home/me/cuerda/sim")),
            _ => None,
        };
        called_so(variable, Path::new(directory), by.map(OsString::from))
    }

    #[test]
    fn the_alias_is_named_only_where_it_works() {
        let by = Some("target/release/cuerda-sim");
        let (ours, other) = (Some("cuerda-sim"), Some("my-own"));
        for (package, directory, words) in [
            (ours, "/home/me/cuerda", &["cargo", "sim"][..]),
            (ours, "/home/me/cuerda/docs/mine", &["cargo", "sim"]),
            (ours, "/home/me/elsewhere", &["target/release/cuerda-sim"]),
            (ours, "/home/me/cuerda-2", &["target/release/cuerda-sim"]),
            (other, "/home/me/cuerda", &["target/release/cuerda-sim"]),
            (None, "/home/me/cuerda", &["target/release/cuerda-sim"]),
        ] {
            assert_eq!(
                called(package, directory, by),
                words,
                "{package:?} {directory}"
            );
        }
        assert_eq!(called(None, "/", Some("cuerda-sim")), ["cuerda-sim"]);
        assert_eq!(called(None, "/", None), ["cuerda-sim"]);
    }
}
