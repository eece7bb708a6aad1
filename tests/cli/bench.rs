//! What `bench` measures. How fast the machine is does not matter here.

use crate::process::json;

#[test]
fn every_look_up_asked_for_is_done_and_measured() {
    for more in [&[][..], &["--insecure"]] {
        let load = ["bench", "lookup", "--nodes", "3", "--clients", "4"];
        let measured = json(&[&load[..], &["--count", "50", "--json"], more].concat(), 0);
        assert_eq!(measured["lookups"], 50);
        assert_eq!(measured["failed"], 0);
        assert_eq!(measured["secure"], more.is_empty());
        let number = |at: &str| measured.pointer(at).and_then(serde_json::Value::as_f64);
        for at in [
            "/lookups_per_s",
            "/cpu_ms_per_lookup",
            "/latency_ms/p50",
            "/memory_per_node_bytes",
        ] {
            assert!(number(at) > Some(0.0), "{at} of {measured}");
        }
        assert!(number("/latency_ms/p50") <= number("/latency_ms/p99"));
        // Of three nodes each knows all: nobody asks more than the owner.
        let hops = number("/hops_mean");
        assert!(hops > Some(0.0) && hops <= Some(1.0), "{measured}");
    }
}

#[test]
fn every_put_and_get_asked_for_is_done_and_measured() {
    for operation in ["put", "get"] {
        for kept in ["--memory", "--durable"] {
            let ring = ["--nodes", "3", "--clients", "4", "--value", "100B"];
            let load = ["--count", "50", "--keys", "20", "--json", kept];
            let measured = json(&[&["bench", operation][..], &ring, &load].concat(), 0);
            assert_eq!(measured["operation"], operation);
            assert_eq!(measured["operations"], 50);
            assert_eq!(measured["durable"], kept == "--durable");
            let written = if operation == "put" { 50 } else { 20 };
            assert_eq!(measured["stored_on"]["3"], written, "{measured}");
            let number = |at: &str| measured.pointer(at).and_then(serde_json::Value::as_f64);
            for at in [
                "/operations_per_s",
                "/cpu_ms_per_operation",
                "/latency_ms/p50",
            ] {
                assert!(number(at) > Some(0.0), "{at} of {measured}");
            }
        }
    }
}

#[test]
fn more_copies_than_nodes_are_bad_usage() {
    let told = json(&["bench", "put", "--nodes", "2", "--json"], 2);
    assert_eq!(told["code"], "usage");
}
