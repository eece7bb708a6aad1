//! The validator of Kubernetes manifests: it knows the schema of the API.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::tools::{loudly, run, skipped};

/// The validator, from the Python package index.
const VALIDATOR: &str = "kubernetes-validate==1.37.0";

/// A Python with the validator, in the target directory; `None` if it can't be had.
pub(crate) fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes-validate");
    let python = folder.join("bin/python");
    let has_it = |python: &Path| {
        python.exists()
            && run(Command::new(python).args(["-c", "import kubernetes_validate, yaml"]))
                .status
                .success()
    };
    if !has_it(&python) {
        loudly(&format!(
            "installing {VALIDATOR} from the Python package index into {}: it knows the schema that \
             manifests are held against",
            folder.display()
        ));
        let made = run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder));
        let words = match made.status.success() {
            true => {
                let install = ["-m", "pip", "install", "--quiet", VALIDATOR];
                run(Command::new(&python).args(install)).stderr
            }
            false => [made.stdout, made.stderr].concat(),
        };
        if !has_it(&python) {
            let words = String::from_utf8_lossy(&words);
            skipped(&format!("can't install {VALIDATOR}: {words}"));
            return None;
        }
    }
    Some(python)
}

/// What the validator says to a manifest.
pub(crate) fn validated(python: &Path, manifest: &Path) -> Output {
    run(Command::new(python.with_file_name("kubernetes-validate"))
        .arg("--strict")
        .arg(manifest))
}

/// The documents of a manifest.
pub(crate) fn documents(python: &Path, manifest: &Path) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))";
    let read = run(Command::new("sh")
        .args(["-c", "\"$1\" -c \"$2\" < \"$3\"", "sh"])
        .args([python.as_os_str(), script.as_ref(), manifest.as_os_str()]));
    serde_json::from_slice(&read.stdout).expect("it is YAML")
}
