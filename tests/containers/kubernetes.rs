//! The Kubernetes manifest, held against the schema of the API, and against what Cuerda needs.
//!
//! There is no Kubernetes here: that pods run is not shown.

use super::program::{loudly, root};
use super::validator::{documents, python, validated};

#[test]
fn the_manifest_fits_the_schema_and_has_what_a_ring_needs() {
    let Some(python) = python() else { return };
    let manifest = root().join("docker/kubernetes.yaml");
    let fits = validated(&python, &manifest);
    let words = String::from_utf8_lossy(&[fits.stdout, fits.stderr].concat()).into_owned();
    assert!(fits.status.success(), "{words}");
    loudly(words.trim());

    // That the validator looks: a slip is found.
    let text = std::fs::read_to_string(&manifest).expect("it is there");
    for (right, slip) in [
        ("podManagementPolicy:", "podManagmentPolicy:"),
        ("maxUnavailable: 1", "maxUnavailable: [1]"),
        ("livenessProbe:", "livelinessProbe:"),
    ] {
        let spoilt = tempfile::NamedTempFile::with_suffix(".yaml").expect("it can be made");
        assert!(text.contains(right), "{right}");
        std::fs::write(spoilt.path(), text.replace(right, slip)).expect("it is writable");
        let found = validated(&python, spoilt.path());
        assert!(!found.status.success(), "{slip} was taken for right");
    }

    let documents = documents(&python, &manifest);
    let one = |kind: &str| {
        let found = documents.iter().find(|document| document["kind"] == kind);
        found.unwrap_or_else(|| panic!("there is no {kind}"))["spec"].clone()
    };
    let (set, service) = (one("StatefulSet"), one("Service"));
    assert_eq!(service["clusterIP"], "None");
    assert_eq!(service["publishNotReadyAddresses"], true);
    assert_eq!(set["podManagementPolicy"], "Parallel");
    assert_eq!(one("PodDisruptionBudget")["maxUnavailable"], 1);
    let pod = &set["template"]["spec"];
    let container = &pod["containers"][0];
    for probe in ["livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["exec"]["command"][0], "/cuerda", "{probe}");
    }
    // The default of `hand_over_within`, and what leaving may take besides.
    let grace = pod["terminationGracePeriodSeconds"]
        .as_u64()
        .expect("it is set");
    assert!(grace > 60 + 8, "{grace} s");
    let image = container["image"].as_str().expect("an image");
    assert!(image.ends_with(env!("CARGO_PKG_VERSION")), "{image}");
}
