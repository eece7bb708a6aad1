//! The Swarm stack on a swarm of one machine: a ring over an overlay network, and a rolling update.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::Value;

use super::engine::{Engine, Swarm, engine};
use super::program::{folder_with_secret, loudly, root, said, until};

const NODES: usize = 4;

/// A stack, taken away when dropped, with the swarm if that was made for it.
struct Stack<'a> {
    engine: &'a Engine,
    folder: tempfile::TempDir,
    _swarm: Swarm<'a>,
}

impl<'a> Stack<'a> {
    fn new(engine: &'a Engine) -> Stack<'a> {
        Stack {
            engine,
            folder: folder_with_secret(),
            _swarm: engine.swarm(),
        }
    }

    /// Deploys it with this image, or changes it to that.
    fn deploy(&self, image: &str) {
        said(
            Command::new("docker")
                .args(["stack", "deploy", "--resolve-image", "never", "--detach"])
                .args(["--compose-file", "docker/stack.yaml"])
                .arg(&self.engine.run)
                .current_dir(root())
                .env("CUERDA_IMAGE", image)
                .env("CUERDA_SECRET", self.folder.path().join("secret"))
                .env("CUERDA_NODES", NODES.to_string())
                .env("CUERDA_STABILIZE_EVERY", "1s")
                .env("CUERDA_FOUND_AFTER", "2s")
                .env("CUERDA_HEALTH_EVERY", "1s")
                .env("CUERDA_UPDATE_DELAY", "1s"),
        );
    }

    fn service(&self) -> String {
        format!("{}_node", self.engine.run)
    }

    /// The containers of the nodes that run.
    fn containers(&self) -> Vec<String> {
        let filter = format!("label=com.docker.swarm.service.name={}", self.service());
        let listed = self.engine.docker(&["ps", "--quiet", "--filter", &filter]);
        listed.split_whitespace().map(str::to_owned).collect()
    }

    /// What the program says in a node's container, if it ends with 0.
    fn ask(&self, container: &str, words: &[&str]) -> Option<String> {
        let all: Vec<&str> = ["exec", container, "/cuerda"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        let output = self.engine.tried(&all);
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    /// Waits for an ideal ring of all, of which none has another image; a node's container.
    fn until_ring_of(&self, image: &str) -> String {
        let what = format!("a ring of {NODES} nodes with {image}");
        let ring = until(&what, || {
            let containers = self.containers();
            let is = |container: &String| {
                let format = "{{.Config.Image}}";
                let inspected = self
                    .engine
                    .tried(&["inspect", "--format", format, container]);
                String::from_utf8_lossy(&inspected.stdout).trim() == image
            };
            if containers.len() != NODES || !containers.iter().all(is) {
                return None;
            }
            let walk = self.ask(&containers[0], &["--json", "ring"])?;
            let walk: Value = serde_json::from_str(&walk).ok()?;
            let members = walk["members"].as_array()?.len();
            (members == NODES && walk["ideal"] == true).then(|| containers[0].clone())
        });
        ring.0
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        self.engine.tried(&["stack", "rm", &self.engine.run]);
    }
}

/// The engine takes two of the nodes away at once while clients write; how many writes are read back.
fn scaled_down_under_writes(stack: &Stack<'_>, service: &str, mut keys: Vec<String>) -> usize {
    let stays = |container: &String| {
        let format = "{{index .Config.Labels \"com.docker.swarm.task.name\"}}";
        let name = stack
            .engine
            .docker(&["inspect", "--format", format, container]);
        // The engine takes away those with the highest numbers.
        let slot = name.strip_prefix(&format!("{service}.")).map(str::to_owned);
        slot.is_some_and(|slot| slot.starts_with("1.") || slot.starts_with("2."))
    };
    let node = stack.containers().into_iter().find(stays);
    let node = node.expect("a task with a low number");
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let keys = (0..).map(|number| format!("meanwhile-{number}"));
            let going_on = keys.take_while(|_| !stop.load(SeqCst));
            let put = |key: &String| stack.ask(&node, &["put", key, "la"]).is_some();
            going_on.filter(put).collect::<Vec<_>>()
        });
        let scale = format!("{service}=2");
        let scaled = stack
            .engine
            .tried(&["service", "scale", "--detach", &scale]);
        let gone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until("two of four are gone", || {
                (stack.containers().len() == 2).then_some(())
            })
        }));
        stop.store(true, SeqCst);
        let written = writer.join().expect("the writer does not panic");
        assert!(scaled.status.success() && gone.is_ok(), "{scaled:?}");
        written
    });
    keys.extend(written);
    for key in &keys {
        let read = || (stack.ask(&node, &["get", key]).as_deref() == Some("la")).then_some(());
        until(&format!("{key} is read"), read);
    }
    keys.len()
}

#[test]
fn a_stack_is_a_ring_and_a_rolling_update_of_it_loses_nothing() {
    let Some(engine) = engine() else { return };
    let (image, next) = (engine.image(), engine.image_of("next"));
    let stack = Stack::new(&engine);
    stack.deploy(&image);
    let node = stack.until_ring_of(&image);
    let keys: Vec<String> = (0..8).map(|number| format!("k{number}")).collect();
    for key in &keys {
        let stored = stack.ask(&node, &["put", key, "la"]);
        assert!(stored.is_some(), "{key} is stored");
    }
    let ids = |container: &str| {
        let walk = stack
            .ask(container, &["--json", "ring"])
            .expect("it answers");
        let walk: Value = serde_json::from_str(&walk).expect("it speaks JSON");
        let members = walk["members"].as_array().expect("members").clone();
        let mut ids: Vec<String> = members
            .iter()
            .map(|one| one["peer"]["id"].to_string())
            .collect();
        ids.sort();
        ids
    };
    let before = ids(&node);

    stack.deploy(&next);
    let node = stack.until_ring_of(&next);
    let format = "{{.UpdateStatus.State}}";
    let service = stack.service();
    until("the swarm says that the update is done", || {
        let state = engine.docker(&["service", "inspect", "--format", format, &service]);
        (state == "completed").then_some(())
    });
    assert_eq!(ids(&node), before, "each slot's node kept its key");
    for key in &keys {
        let read = || (stack.ask(&node, &["get", key]).as_deref() == Some("la")).then_some(());
        until(&format!("{key} is read"), read);
    }
    let kept = scaled_down_under_writes(&stack, &service, keys);
    loudly(&format!(
        "swarm: deployed on one machine, updated one by one, scaled down at once, {kept} \
         acknowledged writes read back"
    ));
}
