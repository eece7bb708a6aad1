//! Tells the harness which commit it is built from, for its reports. Where there is no repository,
//! as in a package, it is built from none.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CUERDA_COMMIT");
    // Whoever builds without the repository can say it.
    let told = std::env::var("CUERDA_COMMIT").ok();
    let commit = told.filter(|commit| !commit.is_empty()).or_else(|| {
        // What lies in somebody else's repository is not of its commit.
        git(&["ls-files", "--error-unmatch", "build.rs"])?;
        // What HEAD means changes with these files.
        for path in ["HEAD", "logs/HEAD"] {
            let file = git(&["rev-parse", "--git-path", path])?;
            if Path::new(&file).exists() {
                println!("cargo::rerun-if-changed={file}");
            }
        }
        git(&["rev-parse", "--short=12", "HEAD"])
    });
    println!(
        "cargo::rustc-env=CUERDA_BUILT_FROM={}",
        commit.unwrap_or_default()
    );
}

/// What git says, if it is there and has something to say.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let said = said.trim();
    (output.status.success() && !said.is_empty()).then(|| said.to_owned())
}
