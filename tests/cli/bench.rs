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
