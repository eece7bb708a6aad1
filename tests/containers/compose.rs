//! The compose file: three networks that a router joins, a ring of five, a bootstrap node and a
//! client.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::Value;

use super::engine::{Engine, compose, engine};
use super::program::{folder_with_secret, loudly, root, run, until};

/// What the file describes, under this run's name and on addresses of its own.
struct Project<'a> {
    engine: &'a Engine,
    folder: tempfile::TempDir,
    image: String,
}

impl<'a> Project<'a> {
    fn new(engine: &'a Engine) -> Project<'a> {
        let folder = folder_with_secret();
        Project {
            engine,
            folder,
            image: engine.image(),
        }
    }

    fn compose(&self, words: &[&str]) -> Output {
        // A part of the addresses that no other process of tests has now.
        let net = format!("10.{}", 100 + std::process::id() % 100);
        let settings = [
            ("COMPOSE_PROJECT_NAME", self.engine.run.as_str()),
            ("CUERDA_IMAGE", &self.image),
            ("CUERDA_NET", &net),
            ("CUERDA_STABILIZE_EVERY", "1s"),
            ("CUERDA_FOUND_AFTER", "2s"),
            ("CUERDA_HAND_OVER_WITHIN", "20s"),
        ];
        run(compose()
            .args(words)
            // Where compose.yaml is, and .env.
            .current_dir(root().join("docker"))
            .envs(settings)
            .env("CUERDA_SECRET", self.folder.path().join("secret")))
    }

    /// The same, which must succeed; its stdout.
    fn done(&self, words: &[&str]) -> String {
        let output = self.compose(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "docker-compose {words:?}: {stderr}"
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A command of the client's; its exit code and what it printed.
    fn client(&self, words: &[&str]) -> (Option<i32>, String) {
        let all: Vec<&str> = ["exec", "-T", "client", "/cuerda"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        let output = self.compose(&all);
        let stdout = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.code(), stdout)
    }

    fn until_ring_of(&self, members: usize) {
        until(&format!("a ring of {members}"), || {
            let (_, walk) = self.client(&["--json", "ring"]);
            let walk: Value = serde_json::from_str(&walk).ok()?;
            let count = walk["members"].as_array()?.len();
            (count == members && walk["ideal"] == true).then_some(())
        });
    }

    /// The address of a service's container on one of the networks.
    fn address(&self, service: &str, network: &str) -> String {
        let container = self.done(&["ps", "--quiet", service]);
        let network = format!("{}_{network}", self.engine.run);
        let format = format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}");
        self.engine
            .docker(&["inspect", "--format", &format, &container])
    }
}

#[test]
fn up_gives_a_ring_of_five_that_a_client_reaches_across_the_router_and_nothing_else() {
    let Some(engine) = engine() else { return };
    let project = Project::new(&engine);
    project.done(&["config", "--quiet"]);
    project.done(&["up", "--detach"]);
    project.until_ring_of(5);
    assert_eq!(project.client(&["put", "song", "la"]).0, Some(0));
    assert_eq!(
        project.client(&["get", "song", "--control", "node4:4080"]),
        (Some(0), "la".into())
    );

    // A node beyond the three networks, which this machine reaches and the client does not.
    let (outside, label) = (engine.name("outside"), engine.label());
    engine.docker(&["network", "create", "--label", &label, &outside]);
    let mut words = vec!["run", "--detach", "--name", &outside, "--label", &label];
    words.extend([
        "--network",
        &outside,
        "--env",
        "CUERDA_CONTROL=0.0.0.0:4080",
        "--env",
        "CUERDA_CONTROL_OPEN=true",
    ]);
    words.extend([&project.image, "node", "run", "--insecure"]);
    engine.docker(&words);
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let stranger = engine.docker(&["inspect", "--format", format, &outside]);
    let stranger = format!("{stranger}:4080");
    until("the node beyond answers this machine", || {
        let asked = ["health", "--live", "--control", &stranger];
        let output = run(Command::new(env!("CARGO_BIN_EXE_cuerda"))
            .args(asked)
            .env_clear());
        output.status.success().then_some(())
    });
    let asks = |control: &str| {
        project
            .client(&["health", "--live", "--timeout", "2s", "--control", control])
            .0
    };
    assert_eq!(asks(&stranger), Some(4), "no way leads out");
    assert_eq!(asks("node2:4080"), Some(0), "one leads to the nodes");

    // It is the router that the way leads across, and nothing besides.
    project.done(&["stop", "--timeout", "5", "router"]);
    assert_eq!(
        asks("node2:4080"),
        Some(4),
        "without the router there is none"
    );
    project.done(&["start", "router"]);
    until("the router is back", || {
        (asks("node2:4080") == Some(0)).then_some(())
    });

    project.done(&["up", "--detach", "--scale", "more=1"]);
    project.until_ring_of(6);
    let grown = project.address("more", "ring");
    assert_eq!(
        asks(&format!("{grown}:4080")),
        Some(0),
        "it is found at its own address"
    );
    scaled_down_under_writes(&project);
    project.done(&["kill", "node3"]);
    project.until_ring_of(4);
    assert_eq!(project.client(&["get", "song"]), (Some(0), "la".into()));

    engine.docker(&["rm", "--force", "--volumes", &outside]);
    engine.docker(&["network", "rm", &outside]);
    project.done(&["down", "--volumes"]);
    assert!(engine.is_clean(), "down leaves nothing");
    loudly("compose: up, grown, scaled down under writes, one killed, down");
}

/// Three of eight are taken away at once while a client writes.
fn scaled_down_under_writes(project: &Project<'_>) {
    project.done(&["up", "--detach", "--scale", "more=3"]);
    project.until_ring_of(8);
    let put = |key: &str| project.client(&["put", key, key]).0 == Some(0);
    let before: Vec<String> = (0..20).map(|number| format!("before-{number}")).collect();
    for key in &before {
        until(&format!("{key} is stored"), || put(key).then_some(()));
    }
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let keys = (0..).map(|number| format!("meanwhile-{number}"));
            let going_on = keys.take_while(|_| !stop.load(SeqCst));
            going_on.filter(|key| put(key)).collect::<Vec<_>>()
        });
        let scaled = project.compose(&["up", "--detach", "--scale", "more=0"]);
        stop.store(true, SeqCst);
        let written = writer.join().expect("the writer does not panic");
        assert!(scaled.status.success(), "{scaled:?}");
        written
    });
    project.until_ring_of(5);
    assert!(!written.is_empty(), "the ring went on working");
    for key in before.iter().chain(&written) {
        assert_eq!(project.client(&["get", key]), (Some(0), key.clone()));
    }
    let all = before.len() + written.len();
    loudly(&format!(
        "compose: three of eight went at once, {all} acknowledged writes read back"
    ));
}
